import { type Prefix, parsePrefix } from '../addr/index.ts'
import type { Changes, Snapshot } from '../cluster/index.ts'
import {
  type EgressRoute,
  egressRouteProtocol,
  egressRoutes,
  egressRulePriority,
  readEgressNodes,
} from '../egress/index.ts'
import type { Network, Route, Rule } from '../host/index.ts'
import { nextHop, nodeAddresses, type PodNetwork } from '../pods/index.ts'
import type { NodeModule } from './contract.ts'
import { trySetRoute } from './pods-routing.ts'

const anywhere = { 4: parsePrefix('0.0.0.0/0'), 6: parsePrefix('::/0') } as const

/** The routing rules and tables by which marked packets go to other nodes: there before the rules that mark them. */
export class EgressRouting implements NodeModule {
  readonly name = 'egress'
  readonly #network: Network
  #begun = false

  constructor(network: Network) {
    this.#network = network
  }

  update(snapshot: Snapshot, pods: PodNetwork, changes: Changes): void {
    if (this.#begun && changes.nodes.size === 0) return
    const { nodes } = readEgressNodes(snapshot.nodes.values(), nodeAddresses)
    const wanted = egressRoutes(pods.node, nodes.values(), ({ name, addresses }, family) =>
      nextHop(pods, name, family, addresses[family]),
    )
    applyEgressRoutes(this.#network, wanted)
    this.#begun = true
  }
}

/** Makes rules and routes what is wanted; touches only those of egress, told by priority and protocol number. */
export function applyEgressRoutes(network: Network, wanted: readonly EgressRoute[]): void {
  const routes = new Map(
    network.routes({ protocol: egressRouteProtocol }).map((route) => [idOfRoute(route.table, route), route]),
  )
  const rules = new Map(
    network
      .rules()
      .filter(({ priority }) => priority === egressRulePriority)
      .map((rule): [string, Rule] => [idOfRule(rule), rule]),
  )
  for (const { family, table, gateway, link, mark, markMask } of wanted) {
    const destination = anywhere[family]
    const way: Route = { destination, gateway, ...(link === undefined ? {} : { link, onlink: true }) }
    for (const route of [dead(destination), way]) {
      const there = routes.get(idOfRoute(table, route))
      if (there === undefined || there.gateway !== route.gateway || (link !== undefined && there.link !== link))
        trySetRoute(network, { ...route, table, protocol: egressRouteProtocol })
      routes.delete(idOfRoute(table, route))
    }
    if (!rules.delete(idOfRule({ family, table })))
      network.addRule({ family, priority: egressRulePriority, table, mark, markMask })
  }
  for (const rule of rules.values()) network.deleteRule(rule)
  for (const route of routes.values()) network.deleteRoute(route)
}

/**
 * What is left of a table when a link goes down and its route with it, or where nothing reaches the gateway: otherwise packets would go on to the
 * main table, and out by this node.
 */
function dead(destination: Prefix): Route {
  return { destination, kind: 'blackhole', metric: 4096 }
}

function idOfRoute(table: number | undefined, { destination, kind }: Route): string {
  return `${table} ${destination} ${kind === 'blackhole' ? 'dead' : 'way'}`
}

function idOfRule({ family, table }: Pick<Rule, 'family' | 'table'>): string {
  return `${family} ${table}`
}
