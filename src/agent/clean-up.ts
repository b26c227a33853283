import type { Namespace } from '../host/index.ts'
import { cleanUp } from '../nodeplan/index.ts'
import { applyEgressRoutes } from './egress-routing.ts'
import { removeTunnel } from './tunnel.ts'

/** Takes away every nftables table and every routing rule of egress and the tunnel that an agent makes (`--cleanup`); connections that are translated already go on until they end. */
export async function cleanUpNode(namespace: Namespace): Promise<void> {
  await namespace.network.commit(cleanUp())
  applyEgressRoutes(namespace.network, [])
  removeTunnel(namespace.network)
}
