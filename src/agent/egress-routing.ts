import { parsePrefix } from '../addr/index.ts'
import type { Changes, Snapshot } from '../cluster/index.ts'
import {
  type EgressRoute,
  egressRouteProtocol,
  egressRoutes,
  egressRulePriority,
  readEgressNodes,
} from '../egress/index.ts'
import type { Network, Rule } from '../host/index.ts'
import { nodeAddresses, type PodNetwork } from '../pods/index.ts'
import type { NodeModule } from './contract.ts'

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
    applyEgressRoutes(this.#network, egressRoutes(pods.node, nodes.values()))
    this.#begun = true
  }
}

/** Makes rules and routes what is wanted; touches only those of egress, told by priority and protocol number. */
export function applyEgressRoutes(network: Network, wanted: readonly EgressRoute[]): void {
  const idOf = ({ family, table }: { family: number; table: number }) => `${family} ${table}`
  const routes = new Map(
    network.routes({ protocol: egressRouteProtocol }).map((route) => [`${route.table} ${route.destination}`, route]),
  )
  const rules = new Map(
    network
      .rules()
      .filter(({ priority }) => priority === egressRulePriority)
      .map((rule): [string, Rule] => [idOf(rule), rule]),
  )
  for (const route of wanted) {
    const { family, table, gateway, mark, markMask } = route
    const destination = anywhere[family]
    if (routes.get(`${table} ${destination}`)?.gateway !== gateway) {
      network.setRoute({ destination, gateway, table, protocol: egressRouteProtocol })
    }
    routes.delete(`${table} ${destination}`)
    if (!rules.delete(idOf(route))) network.addRule({ family, priority: egressRulePriority, table, mark, markMask })
  }
  for (const rule of rules.values()) network.deleteRule(rule)
  for (const route of routes.values()) network.deleteRoute(route)
}
