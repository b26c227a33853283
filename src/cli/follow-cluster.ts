import type { Resource } from '../client/index.ts'
import type { Collection } from '../cluster/index.ts'
import { workloadsIn } from '../explain/index.ts'
import { compileGateways, noGatewayApi, type Sources } from '../gateways/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { GatewayObjects, gatewayResources } from '../proxy/index.ts'
import type { State } from '../ui/index.ts'
import { readSources } from './doctor-request.ts'
import { type Cluster, collections, factsOf, optionalKinds, readGroups } from './read-cluster.ts'

/** A cluster's objects that stay as new as the API server's. */
export interface Followed {
  /** What may not be read, for people. */
  readonly blind: readonly string[]
  /** The same object until something changes. */
  state(): State
  onChange(changed: () => void): () => void
  close(): void
}

/** Goes on from what was read of a cluster; its snapshot moves on with it. */
export async function followCluster(cluster: Cluster): Promise<Followed> {
  const { client, snapshot } = cluster
  const listeners = new Set<() => void>()
  let state: State | undefined
  const changed = (): void => {
    state = undefined
    for (const listener of listeners) listener()
  }
  const stops: (() => void)[] = []
  const follow = async (collection: Collection, resource: Resource, optional: boolean): Promise<void> => {
    const informer = client.informer<KubeObject>(resource, { optional })
    stops.push(
      informer.onChange((_, current, key) => {
        snapshot.put(collection, key, current as never)
        changed()
      }),
    )
    await informer.start()
    // What went between the first reading and this one.
    for (const key of [...snapshot[collection].keys()])
      if (informer.get(key) === undefined) snapshot.put(collection, key, undefined)
  }
  // Who may not read these is told which right is missing; an informer would ask for ever.
  const refusal = await readSources(cluster).then(
    () => undefined,
    (error: Error) => error.message,
  )
  const gateways = refusal === undefined ? new GatewayObjects(client, changed) : undefined
  // To whom compiles them a new status is no change; a page shows addresses and conditions, too.
  for (const resource of gateways === undefined ? [] : gatewayResources)
    if (resource.group !== '') {
      const isOptional = resource.group.startsWith('gateway.')
      stops.push(client.informer(resource, { optional: isOptional }).onChange(changed))
    }
  const groups = await readGroups(client)
  const optional = Object.entries(optionalKinds)
  const followOptional = ([name, resource]: readonly [string, Resource]): Promise<void> =>
    follow(name as Collection, resource, true)
  await Promise.all([
    gateways?.synced,
    ...Object.entries(collections).map(([name, resource]) => follow(name as Collection, resource, false)),
    ...optional.filter(([, { group }]) => groups.size === 0 || groups.has(group)).map(followOptional),
  ])
  // Whoever may not list a kind that is not there is refused all the same, and nobody waits for that.
  for (const one of optional)
    if (groups.size > 0 && !groups.has(one[1].group)) void followOptional(one).catch(() => undefined)
  const read = (): State => {
    const sources = gateways?.sources(snapshot) ?? withoutGateways(snapshot)
    const assumptions = ['every node has applied the newest objects, unless a line from its kernel says otherwise']
    const model = compileGateways(sources)
    return {
      snapshot,
      sources,
      gateways: model,
      facts: factsOf(cluster),
      workloadOf: workloadsIn(snapshot),
      assumptions,
    }
  }
  return {
    blind: refusal === undefined ? [] : [refusal],
    state: () => {
      state ??= read()
      return state
    },
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: () => {
      gateways?.stop()
      for (const stop of stops) stop()
    },
  }
}

const nothing = new Map<string, never>()

function withoutGateways(snapshot: Cluster['snapshot']): Sources {
  const { namespaces, services } = snapshot
  return {
    ...{ ingresses: [], ingressClasses: [], gatewayApi: noGatewayApi, secrets: nothing, configMaps: nothing },
    ...{ namespaces, services },
    slicesOf: (service) => snapshot.slicesOf(service),
  }
}
