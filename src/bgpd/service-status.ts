import { type Log, ToldObjects, toldOfService } from '../agent/index.ts'
import type { BgpModel } from '../bgp/index.ts'
import type { Client, Resource } from '../client/index.ts'
import type { ObjectKey, Snapshot } from '../cluster/index.ts'
import type { ServiceBGPStatus } from '../objects/index.ts'

export const serviceBGPStatuses: Resource = {
  group: 'plumb.network',
  version: 'v1alpha1',
  plural: 'servicebgpstatuses',
  namespaced: true,
  kind: 'ServiceBGPStatus',
}

/** Tells in a ServiceBGPStatus to which peers this node announces a Service over sessions that are established. */
export class ServiceStatus {
  readonly #node: string
  readonly #objects: ToldObjects
  #peers: BgpModel['peers'] | undefined
  #established = ''

  constructor(client: Client, node: string, log: Log) {
    this.#node = node
    this.#objects = new ToldObjects(client, serviceBGPStatuses, node, log)
  }

  /** `established`: the names of the peers that there is a session with. */
  tell(snapshot: Snapshot, peers: BgpModel['peers'], established: ReadonlySet<string>): void {
    const text = [...established].sort().join()
    if (peers === this.#peers && text === this.#established) return
    this.#peers = peers
    this.#established = text
    const told = new Map<ObjectKey, { readonly peers: Set<string>; readonly prefixes: Set<string> }>()
    for (const { name, routes } of peers.filter((peer) => established.has(peer.name)))
      for (const { prefix, because } of routes)
        for (const { object } of because) {
          if (!object.startsWith(ofService)) continue
          const key = object.slice(ofService.length)
          const one = told.get(key) ?? { peers: new Set(), prefixes: new Set() }
          told.set(key, one)
          one.peers.add(name)
          one.prefixes.add(prefix)
        }
    this.#objects.want(
      [...told].flatMap(([key, one]) => {
        const service = snapshot.services.get(key)
        if (service === undefined) return []
        const status: ServiceBGPStatus['status'] = {
          node: this.#node,
          serviceName: service.metadata.name,
          serviceNamespace: service.metadata.namespace ?? 'default',
          peers: [...one.peers].sort(),
          prefixes: [...one.prefixes].sort(),
        }
        return [toldOfService(serviceBGPStatuses, service, this.#node, 'bgp', status)]
      }),
    )
  }

  /** Takes everything back; resolves when that is written, or could not be in time. */
  close(): Promise<void> {
    return this.#objects.end()
  }
}

const ofService = 'service/'
