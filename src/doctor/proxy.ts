import { type Address, type Family, familyOf, parseAddress } from '../addr/index.ts'
import { keyOf, type Snapshot } from '../cluster/index.ts'
import { type Evidence, type Observation, viewOf } from '../explain/index.ts'
import { type Front, lookUpFront, type NodeRules, type ProxyMode, proxyModeOf } from '../netfilter/index.ts'
import type { Service } from '../objects/index.ts'
import { compileService, type Frontend } from '../services/index.ts'

/** What kube-proxy left on a node, held against the objects. */
export interface ProxyState {
  readonly mode: ProxyMode
  /** Others that may serve Services in its place, as objects tell. */
  readonly others: readonly string[]
  /** Whether its process runs in the node's network namespace; undefined where processes cannot be seen. */
  readonly runs: boolean | undefined
  /** ClusterIPs and ports that were compared. */
  readonly compared: number
  /** Those at which the rules say something else than the objects. */
  readonly behind: number
  /** Whether rules lead to no endpoint at all, where objects have some. */
  readonly empty: boolean
  /** The first few of them, those of the subject before others. */
  readonly differences: readonly Difference[]
  /** Fronts of the subject at which strangers ought to be masqueraded, for their answers come from other nodes, and are not. */
  readonly unmasked: readonly { readonly address: Address; readonly port: number; readonly endpoint: string }[]
}

/** One ClusterIP and port at which rules and objects differ. */
export interface Difference {
  readonly service: string
  readonly address: Address
  readonly port: number
  /** What the objects say, and what the rules do. */
  readonly desired: string
  readonly found: string
}

const maxDifferences = 8

/** Compares every ClusterIP of the snapshot with a node's rules; `subject` is the Service (`namespace/name`) that is asked about. */
export function compareProxy(
  snapshot: Snapshot,
  {
    node,
    rules,
    runs,
    others,
  }: { readonly node: string; readonly rules: NodeRules } & Pick<ProxyState, 'runs' | 'others'>,
  subject: string,
): ProxyState {
  const differences: Difference[] = []
  const seen = new Set<Family>()
  let compared = 0
  let led = 0
  const families = new Set(rules.addresses.map(familyOf))
  for (const service of snapshot.services.values()) {
    for (const frontend of clusterFronts(snapshot, service, node)) {
      if (!families.has(frontend.family)) continue
      compared += 1
      seen.add(frontend.family)
      const { difference, leads } = compareFront(frontend, rules, keyOf(service))
      if (leads) led += 1
      if (difference !== undefined) differences.push(difference)
    }
  }
  const ranked = [...differences].sort((a, b) => Number(b.service === subject) - Number(a.service === subject))
  return {
    mode: worstMode(rules, seen),
    others,
    runs,
    compared,
    behind: differences.length,
    empty: led === 0 && differences.length > 0,
    differences: ranked.slice(0, maxDifferences),
    unmasked: findUnmasked(snapshot, node, rules, subject),
  }
}

/** Of two families, the one whose rules are gone. */
function worstMode(rules: NodeRules, seen: ReadonlySet<Family>): ProxyMode {
  const modes = [...seen].map((family) => proxyModeOf(rules, family))
  return modes.find((one) => one === 'none') ?? modes[0] ?? 'none'
}

/** The ClusterIP fronts that kube-proxy serves on the node, by its own choice of endpoints. */
function clusterFronts(snapshot: Snapshot, service: Service, node: string): readonly Frontend[] {
  const view = viewOf(snapshot.nodes.get(node))
  const { frontends } = compileService(service, snapshot.slicesOf(keyOf(service)), view)
  return frontends.filter(({ kind }) => kind === 'cluster-ip')
}

/** Nobody's addresses, for documentation (RFC 5737, RFC 3849). */
const strangers: Readonly<Record<Family, Address>> = { 4: parseAddress('198.51.100.1'), 6: parseAddress('2001:db8::1') }

function findUnmasked(snapshot: Snapshot, node: string, rules: NodeRules, subject: string): ProxyState['unmasked'] {
  const service = snapshot.services.get(subject)
  if (service === undefined) return []
  const { frontends } = compileService(service, snapshot.slicesOf(subject), viewOf(snapshot.nodes.get(node)))
  return frontends.flatMap(({ masquerade, outcome, address, port, protocol, family }) => {
    if (masquerade !== 'everyone' || outcome.kind !== 'balance') return []
    // A pod of this node answers by way of this node, whatever it sees.
    const away = new Set(outcome.endpoints.filter((one) => one.node !== node).map(renderEndpoint))
    const front = lookUpFront(rules, { source: strangers[family], address, protocol, port })
    const endpoint = front.endpoints.find((one) => away.has(renderEndpoint(one)))
    if (endpoint === undefined || front.masqueraded === 'all') return []
    return [{ address, port, endpoint: renderEndpoint(endpoint) }]
  })
}

function compareFront(
  frontend: Frontend,
  rules: NodeRules,
  service: string,
): { readonly difference: Difference | undefined; readonly leads: boolean } {
  const { address, port, protocol, family, outcome } = frontend
  const client = rules.addresses.find((one) => familyOf(one) === family)
  if (client === undefined) return { difference: undefined, leads: false }
  const front = lookUpFront(rules, { source: client, address, protocol, port })
  const wanted = outcome.kind === 'balance' ? outcome.endpoints.map(renderEndpoint).sort() : []
  const held = front.endpoints.map(renderEndpoint).sort()
  // Refusing and dropping have other rules in each mode; that nobody is led anywhere is what counts.
  const leads = held.length > 0
  if (wanted.join() === held.join()) return { difference: undefined, leads }
  return { difference: { service, address, port, desired: renderEndpoints(wanted), found: found(front, held) }, leads }
}

function found({ action }: Front, held: readonly string[]): string {
  return action === 'absent'
    ? 'know no such address'
    : held.length > 0
      ? `lead to ${renderEndpoints(held)}`
      : `${action} it`
}

function renderEndpoint({ address, port }: { readonly address: Address; readonly port: number }): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function renderEndpoints(all: readonly string[]): string {
  if (all.length === 0) return 'no endpoint'
  return `${all.slice(0, 4).join(', ')}${all.length > 4 ? ` and ${all.length - 4} more` : ''}`
}

/** What a node's rules, read as text, answer to the model's question about an address and port. */
export function frontEvidence(
  rules: NodeRules,
  observation: Extract<Observation, { kind: 'frontend' }>,
  others: readonly string[],
): Evidence {
  const { address, port, transport, inside, client } = observation
  const own = rules.addresses.find((one) => familyOf(one) === familyOf(address))
  const source = client ?? (inside ? own : undefined) ?? own
  if (source === undefined) return { kind: 'unseen', says: `${observation.node} has no address of that family` }
  const { action, endpoints, stoppedBy } = lookUpFront(rules, { source, address, protocol: transport, port })
  const mode = proxyModeOf(rules, familyOf(address))
  if (mode === 'none' && others.length > 0 && stoppedBy === undefined)
    return {
      kind: 'unseen',
      says: `kube-proxy has no rules there; ${others.join(' or ')} may serve Services, which cannot be seen here`,
    }
  return {
    kind: 'frontend',
    action,
    endpoints: endpoints.map((one) => ({ address: one.address, port: one.port })),
    holder: mode === 'none' ? 'the node’s rules, of which none is kube-proxy’s,' : `kube-proxy’s ${mode} rules`,
    ...(stoppedBy === undefined ? {} : { stoppedBy: renderPlace(stoppedBy) }),
  }
}

/** A packet that a probe sends, or that it becomes where it is led on. */
export interface AskedOf {
  /** Where the probe starts, `pod/shop/client`. */
  readonly from: string
  readonly client: Address
  readonly address: Address
  readonly port: number
  readonly transport: 'tcp' | 'udp' | 'sctp'
}

/** A rule that ends a packet of a probe. */
export interface Stop {
  /** Where the probe starts. */
  readonly from: string
  readonly client: Address
  readonly address: Address
  readonly port: number
  /** `iptables filter FORWARD: -A FORWARD … -j DROP` */
  readonly rule: string
  /** What it has met so far, where it counts. */
  readonly packets?: number
  /** Whether it meets the packet by all that is known. */
  readonly sure: boolean
}

/** The rules of others on a node that end any of these packets. */
export function findStops(rules: NodeRules, packets: readonly AskedOf[]): readonly Stop[] {
  return packets.flatMap(({ from, client, address, port, transport }) => {
    const { stoppedBy, unsure } = lookUpFront(rules, { source: client, address, protocol: transport, port })
    if (stoppedBy === undefined) return []
    const { packets: met } = stoppedBy
    const counted = met === undefined ? {} : { packets: met }
    return [{ from, client, address, port, rule: renderPlace(stoppedBy), ...counted, sure: unsure.length === 0 }]
  })
}

function renderPlace({ table, chain, rule }: NonNullable<Front['stoppedBy']>): string {
  return rule.startsWith('table ') ? `nftables ${table} ${chain}: ${rule}` : `iptables ${table} ${chain}: ${rule}`
}
