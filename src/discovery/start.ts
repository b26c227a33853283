import type { AddressInfo } from 'node:net'
import type { Client, Resource } from '../client/index.ts'
import { LiveSnapshot } from '../cluster/index.ts'
import type { KubeObject } from '../objects/index.ts'
import type { AppOptions } from './apps.ts'
import { listenDiscovery } from './serve.ts'

const services: Resource = { group: '', version: 'v1', plural: 'services', kind: 'Service', namespaced: true }
const pods: Resource = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true }
const endpointSlices: Resource = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
}

/** A discovery server that runs. */
export interface DiscoveryServer {
  /** Where it listens; chosen by the system when 0 was asked for. */
  readonly port: number
  close(): Promise<void>
}

/** Follows Services, EndpointSlices and Pods and serves them; resolves when it listens, which is before the first lists. */
export async function startDiscovery(
  client: Client,
  options: AppOptions & { readonly port: number; readonly host?: string; readonly namespace?: string },
): Promise<DiscoveryServer> {
  const snapshot = new LiveSnapshot()
  const scope = options.namespace === undefined ? {} : { namespace: options.namespace }
  const informers = [
    follow(client, services, scope, (key, now) => snapshot.put('services', key, now as never)),
    follow(client, endpointSlices, scope, (key, now) => snapshot.put('slices', key, now as never)),
    follow(client, pods, scope, (key, now) => snapshot.put('pods', key, now as never)),
  ]
  const onChange = (callback: () => void) => {
    for (const informer of informers) informer.onChange(callback)
  }
  const source = { snapshot, isSynced: () => informers.every(({ synced }) => synced), onChange }
  const server = await listenDiscovery(source, options, options)
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const informer of informers) informer.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function follow(
  client: Client,
  resource: Resource,
  scope: { namespace?: string },
  put: (key: string, now: KubeObject | undefined) => void,
) {
  const informer = client.informer<KubeObject>(resource, scope)
  informer.onChange((_old, now, key) => put(key, now))
  // A refusal shows in `trouble` and is tried again.
  informer.start().catch(() => undefined)
  return informer
}
