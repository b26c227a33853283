import type { Node } from '../objects/index.ts'

/** Each zone's share of the cluster's CPU, from 0 to 1; undefined when it cannot be told, or there are not two zones. */
export type ZoneShares = ReadonlyMap<string, number>

interface Share {
  /** Empty when the Node does not tell it. */
  readonly zone: string
  readonly milliCpu: number
}

const excluded = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master']

/** How much CPU the ready nodes of each zone have to give, kept up to date node by node (KEP-2433). */
export class ZoneCapacity {
  readonly #nodes = new Map<string, Share>()
  #shares: { readonly value: ZoneShares | undefined } | undefined

  /** Takes a Node's newest version, or its absence. Says whether that may change the shares. */
  setNode(name: string, node: Node | undefined): boolean {
    const old = this.#nodes.get(name)
    const share = node && shareOf(node)
    if (old?.zone === share?.zone && old?.milliCpu === share?.milliCpu) return false
    if (share === undefined) this.#nodes.delete(name)
    else this.#nodes.set(name, share)
    this.#shares = undefined
    return true
  }

  get shares(): ZoneShares | undefined {
    this.#shares ??= { value: sharesOf(this.#nodes.values()) }
    return this.#shares.value
  }
}

/** What a Node counts for; control planes and nodes that are not ready count for nothing. */
function shareOf({ metadata, status }: Node): Share | undefined {
  const { labels = {} } = metadata
  if (excluded.some((label) => label in labels)) return undefined
  if (status?.conditions?.find(({ type }) => type === 'Ready')?.status !== 'True') return undefined
  return { zone: labels['topology.kubernetes.io/zone'] ?? '', milliCpu: milliCpuOf(status.allocatable?.cpu ?? '0') }
}

/** One node that does not tell its zone or its CPU leaves all shares unknown, as upstream. */
function sharesOf(nodes: Iterable<Share>): ZoneShares | undefined {
  const zones = new Map<string, number>()
  let total = 0
  for (const { zone, milliCpu } of nodes) {
    if (zone === '' || milliCpu === 0) return undefined
    zones.set(zone, (zones.get(zone) ?? 0) + milliCpu)
    total += milliCpu
  }
  if (zones.size < 2) return undefined
  return new Map([...zones].sort(([a], [b]) => (a < b ? -1 : 1)).map(([zone, cpu]) => [zone, cpu / total]))
}

const suffixes: Readonly<Record<string, number>> = { n: 1e-6, u: 1e-3, m: 1, '': 1e3, k: 1e6, M: 1e9, G: 1e12 }

/** Thousandths of a CPU in a Kubernetes quantity, rounded up; 0 for what is none. */
function milliCpuOf(text: string): number {
  const match = /^\+?(\d+\.?\d*|\.\d+)(?:([numkMG])|[eE](\d{1,2}))?$/.exec(String(text))
  if (match === null) return 0
  const [, number, suffix = '', exponent = '0'] = match
  return Math.ceil(Number(`${number}e${exponent}`) * (suffixes[suffix] as number))
}
