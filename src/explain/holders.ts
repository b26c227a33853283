import { type Address, findAddress } from '../addr/index.ts'
import type { Because, Finding, Snapshot } from '../cluster/index.ts'

/** A node that says by an object that it answers for an external address. */
export interface Holder {
  readonly node: string
  /** RFC 3339 */
  readonly since: string | undefined
  readonly why: string | undefined
  readonly links: readonly string[]
  readonly because: Because
  /** Why its word may be out of date. */
  readonly stale: string | undefined
}

/** Who says that it holds the address: words that count first, and of those the newest. */
export function holdersTold(snapshot: Snapshot, address: Address): readonly Holder[] {
  const ofServices = [...snapshot.l2Statuses].flatMap(([key, { status }]): Holder[] => {
    if (status === undefined || findAddress(status.address) !== address) return []
    const because = { object: `servicel2status/${key}`, field: 'status.node', value: status.node }
    const links = (status.interfaces ?? []).map(({ name }) => name)
    const { node, since, reason: why } = status
    return [{ node, since, why, links, because, stale: staleness(snapshot, node) }]
  })
  const ofEgresses = [...snapshot.egresses].flatMap(([name, { status }]) =>
    (status?.addresses ?? []).flatMap((one): Holder[] => {
      if (one.node === undefined || findAddress(one.address) !== address) return []
      const because = { object: `egress/${name}`, field: 'status.addresses', value: `${one.address} ${one.node}` }
      const stale = staleness(snapshot, one.node)
      return [{ node: one.node, since: one.since, why: undefined, links: [], because, stale }]
    }),
  )
  const all = [...ofServices, ...ofEgresses]
  return all.sort(
    (a, b) =>
      Number(a.stale !== undefined) - Number(b.stale !== undefined) || ((a.since ?? '') > (b.since ?? '') ? -1 : 1),
  )
}

/** A node that the API server does not hear from cannot take its word back; it judges that by the node's Lease. */
function staleness(snapshot: Snapshot, name: string): string | undefined {
  const node = snapshot.nodes.get(name)
  if (node === undefined) return `there is no node ${name}`
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')
  return ready?.status === 'Unknown'
    ? `${name} has not renewed its Lease (${ready.reason ?? 'Ready is Unknown'})`
    : undefined
}

/** Who says that it holds each external address, in words. */
export function holderWords(snapshot: Snapshot): ReadonlyMap<string, string> {
  const told = [...snapshot.l2Statuses.values()].flatMap(({ status }) => findAddress(status?.address ?? '') ?? [])
  return new Map(
    told.flatMap((address) => {
      const [first] = holdersTold(snapshot, address)
      if (first === undefined) return []
      const { node, since, stale } = first
      const words = `${since === undefined ? '' : ` since ${since}`}${stale === undefined ? '' : `, but ${stale}`}`
      return [[address, `held by ${node}${words}`]]
    }),
  )
}

/** Where packets to an address that one node at a time holds come in, and how much that is worth. */
export interface Entry {
  readonly node: string
  readonly says: string
  readonly because: Because
  readonly assumptions: readonly string[]
  readonly findings: readonly Finding[]
}

/** `ranked`: the nodes that may hold it, best first. The node that says so, else the first of those in rank that are heard; undefined when there is none. */
export function judgeHolder(snapshot: Snapshot, address: Address, ranked: readonly string[]): Entry | undefined {
  const told = holdersTold(snapshot, address)
  const fresh = told.filter(({ stale }) => stale === undefined)
  const [holder, other] = fresh
  const findings = [
    ...(holder === undefined || ranked.includes(holder.node) ? [] : [notEligible(address, holder, ranked)]),
    ...(holder === undefined || other === undefined || other.node === holder.node
      ? []
      : [twoHolders(address, holder, other)]),
  ]
  if (holder !== undefined) {
    const since = holder.since === undefined ? '' : ` since ${holder.since}`
    const says = `which holds ${address}${since} (${holder.because.object})`
    const assumptions = [
      `${holder.node} still holds ${address}: its word in ${holder.because.object} is newer than any other`,
    ]
    return { node: holder.node, says, because: holder.because, assumptions, findings }
  }
  const first = ranked.find((name) => staleness(snapshot, name) === undefined) ?? ranked[0]
  if (first === undefined) return undefined
  const [old] = told
  const without =
    old === undefined ? 'no node has said that it does' : `${old.because.object} says ${old.node}, but ${old.stale}`
  const because = old?.because ?? { object: `node/${first}`, field: 'metadata.name', value: first }
  const assumptions = [`${first} holds ${address}, for it is the first in rank: ${without}`]
  return { node: first, says: `the first in rank for ${address}`, because, assumptions, findings }
}

function notEligible(address: Address, { node, because }: Holder, ranked: readonly string[]): Finding {
  return {
    code: 'HolderNotEligible',
    object: because.object,
    field: because.field,
    says: `${node} says that it holds ${address}, which by the objects ${ranked.length === 0 ? 'no node' : `only ${ranked.join(', ')}`} may hold`,
    try: `plumb addresses ${address} tells why not ${node}; its agent may not have heard yet`,
  }
}

function twoHolders(address: Address, holder: Holder, other: Holder): Finding {
  return {
    code: 'TwoHolders',
    object: holder.because.object,
    field: holder.because.field,
    says: `${holder.node} and ${other.node} both say that they hold ${address}; the word of ${holder.node} is newer`,
    try: `plumb doctor asks the wire who answers; an agent that cannot reach the API server cannot take its word back`,
  }
}
