import type { Client, Informer, Resource } from '../client/index.ts'
import { type Collection, type Collections, keyOf, type LiveSnapshot } from '../cluster/index.ts'
import type { KubeObject } from '../objects/index.ts'
import {
  adminNetworkPolicies,
  baselineAdminNetworkPolicies,
  clusterNetworkPolicies,
  egresses,
  endpointSlices,
  namespaces,
  networkPolicies,
  nodes,
  pods,
  services,
} from './resources.ts'

/** Informers that feed a Snapshot. */
export interface Following {
  /** Resolves when every collection holds its first list. Rounds before that would wipe what a former agent left. */
  readonly synced: Promise<void>
  stop(): void
}

/**
 * Follows what one node needs: all Services, slices and Nodes, and the node's own Pods; with `policies` all Pods, because any of
 * them may be a peer, and policies of every kind that there is; with `egress` Egresses, where there are such; with either Namespaces. `onChange` follows each change.
 */
export function follow(
  client: Client,
  nodeName: string,
  snapshot: LiveSnapshot,
  { policies, egress }: { readonly policies: boolean; readonly egress: boolean },
  onChange: () => void,
): Following {
  const stops: (() => void)[] = []
  const one = <C extends Collection>(
    collection: C,
    resource: Resource,
    options: Parameters<Client['informer']>[1] = {},
  ): Promise<void> => {
    const informer: Informer<Collections[C] & KubeObject> = client.informer(resource, options)
    const stop = informer.onChange((_old, current, key) => {
      snapshot.put(collection, key, current)
      onChange()
    })
    // The informer itself may be shared; it ends with the client.
    stops.push(stop)
    // A shared informer may be ahead of this listener.
    for (const object of informer.values()) snapshot.put(collection, keyOf(object), object)
    return informer.start()
  }
  const synced = Promise.all([
    one('services', services),
    one('slices', endpointSlices),
    one('nodes', nodes),
    one('pods', pods, policies ? {} : { fieldSelector: `spec.nodeName=${nodeName}` }),
    ...(policies || egress ? [one('namespaces', namespaces)] : []),
    ...(policies
      ? [
          one('policies', networkPolicies),
          one('clusterPolicies', clusterNetworkPolicies, { optional: true }),
          one('adminPolicies', adminNetworkPolicies, { optional: true }),
          one('baselinePolicies', baselineAdminNetworkPolicies, { optional: true }),
        ]
      : []),
    ...(egress ? [one('egresses', egresses, { optional: true })] : []),
  ]).then(() => {})
  return {
    synced,
    stop() {
      for (const stop of stops) stop()
    },
  }
}
