import { type Address, type Family, familyOf } from '../addr/index.ts'
import type { Packet } from './meet.ts'
import type { VirtualServer } from './parse-ipvs.ts'
import type { Hook, Ruleset } from './ruleset.ts'
import { type Place, type Surroundings, type Way, walkHook } from './walk.ts'

/** Whose rules lead Service addresses on, as kube-proxy's `--proxy-mode` names them; `none` where nothing of it is there. */
export type ProxyMode = 'iptables' | 'nftables' | 'ipvs' | 'none'

/** Everything that was read of a node's rules. */
export interface NodeRules {
  readonly rulesets: readonly Ruleset[]
  readonly virtualServers: readonly VirtualServer[]
  /** The node's own addresses. */
  readonly addresses: readonly Address[]
  /** What could not be read, and why. */
  readonly blind: readonly string[]
}

/** What asks for a Service's address. */
export interface Asking {
  readonly source: Address
  readonly address: Address
  readonly protocol: Packet['protocol']
  readonly port: number
}

/** What a node's rules make of one address and port. */
export interface Front {
  /** `absent`: no rule of kube-proxy's knows it, so the packet goes on as it is. */
  readonly action: 'balance' | 'reject' | 'drop' | 'absent'
  readonly endpoints: readonly { readonly address: Address; readonly port: number; readonly percent: number }[]
  /** Whether endpoints see another address than the client's. */
  readonly masqueraded: 'all' | 'some' | 'none'
  readonly at: Place | undefined
  /** Somebody else's rule by which it is dropped or refused, before or after it is translated. */
  readonly stoppedBy: Place | undefined
  /** Rules that it meets or not by what cannot be known beforehand. */
  readonly unsure: readonly string[]
}

/** By which of its modes kube-proxy's rules of a family were written. */
export function proxyModeOf({ rulesets, virtualServers }: NodeRules, family: Family): ProxyMode {
  const has = (chain: string): boolean => rulesets.some((one) => one.family === family && one.chains.has(chain))
  if (has('kube-proxy services')) return 'nftables'
  if (virtualServers.some(({ address }) => familyOf(address) === family)) return 'ipvs'
  return has('nat KUBE-SERVICES') ? 'iptables' : 'none'
}

/** Whether a rule is kube-proxy's own. */
function isKubeProxys({ table, chain }: Place): boolean {
  return table === 'kube-proxy' || chain.startsWith('KUBE-')
}

/** Where the first packet of a connection is led, through every hook that it passes on the node. */
export function lookUpFront(rules: NodeRules, asking: Asking): Front {
  const around: Surroundings = { isLocal: (address) => rules.addresses.includes(address) }
  const mine = rules.rulesets.filter(({ family }) => family === familyOf(asking.address))
  const { source, address: destination, protocol, port: destinationPort } = asking
  const packet: Packet = { source, destination, protocol, destinationPort, mark: 0, translated: false }
  const start: Way = { percent: 100, packet, end: 'pass', at: undefined, masqueraded: false, unsure: [] }
  const own = around.isLocal(source)
  const entered = walkHook(mine, own ? 'output' : 'prerouting', [start], around)
  const virtual = rules.virtualServers.find(
    (one) => one.protocol === protocol && one.address === destination && one.port === destinationPort,
  )
  if (virtual !== undefined) return frontOfVirtual(virtual, entered)
  const ways = entered.flatMap((way) => {
    const next: Hook = own ? 'postrouting' : around.isLocal(way.packet.destination) ? 'input' : 'forward'
    const after = walkHook(mine, next, [way], around)
    return next === 'forward' ? walkHook(mine, 'postrouting', after, around) : after
  })
  return frontOf(ways)
}

function frontOf(ways: readonly Way[]): Front {
  const led = ways.filter((way) => way.packet.translated)
  const ended = ways.filter(({ end }) => end !== 'pass')
  const foreign = ended.find(({ at }) => at !== undefined && !isKubeProxys(at))
  const own = ended.find(({ at }) => at !== undefined && isKubeProxys(at))
  const sure = (foreign ?? led[0] ?? ways[0])?.unsure ?? []
  const masked = led.filter(({ masqueraded }) => masqueraded).length
  const common = {
    masqueraded: masked === 0 ? ('none' as const) : masked === led.length ? ('all' as const) : ('some' as const),
    stoppedBy: foreign?.at,
    unsure: sure,
  }
  if (led.length > 0) return { ...common, action: 'balance', endpoints: endpointsOf(led), at: led[0]?.at }
  if (own !== undefined)
    return { ...common, action: own.end === 'reject' ? 'reject' : 'drop', endpoints: [], at: own.at }
  return { ...common, action: 'absent', endpoints: [], at: undefined }
}

function endpointsOf(ways: readonly Way[]): Front['endpoints'] {
  const found = new Map<string, Front['endpoints'][number]>()
  for (const { packet, percent } of ways) {
    const { destination: address, destinationPort: port } = packet
    const id = `${address} ${port}`
    found.set(id, { address, port, percent: percent + (found.get(id)?.percent ?? 0) })
  }
  return [...found.values()]
}

/** IPVS takes the packet at the node's own address (kube-ipvs0) and masquerades what is marked. */
function frontOfVirtual({ servers }: VirtualServer, entered: readonly Way[]): Front {
  const taking = servers.filter(({ weight }) => weight > 0)
  const weights = taking.reduce((sum, { weight }) => sum + weight, 0)
  const marked = entered.filter(({ packet }) => (packet.mark & 0x4000) !== 0).length
  const foreign = entered.find(({ end, at }) => end !== 'pass' && at !== undefined && !isKubeProxys(at))
  return {
    action: taking.length > 0 ? 'balance' : 'drop',
    endpoints: taking.map(({ address, port, weight }) => ({ address, port, percent: (100 * weight) / weights })),
    masqueraded: marked === 0 ? 'none' : marked === entered.length ? 'all' : 'some',
    at: undefined,
    stoppedBy: foreign?.at,
    unsure: [],
  }
}
