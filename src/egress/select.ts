import { createHash } from 'node:crypto'
import { type Address, type Family, familyOf, prefixFamily } from '../addr/index.ts'
import { type Labels, matches, type ObjectKey } from '../cluster/index.ts'
import type { EgressAddress, EgressModel, Scope } from './model.ts'

/** What selectors judge of a pod. */
export interface Candidate {
  readonly namespace: string
  readonly labels: Labels
  readonly namespaceLabels: Labels
}

/** Whether an Egress selects a pod. */
export function selects({ selects: { pods, namespaces } }: EgressModel, pod: Candidate): boolean {
  if (pods === undefined && namespaces === undefined) return false
  if (namespaces !== undefined && !matches(namespaces, pod.namespaceLabels)) return false
  return pods === undefined || matches(pods, pod.labels)
}

/** Those that select a pod, the one that holds first: the oldest, and of equally old ones the first by name. */
export function selecting(models: Iterable<EgressModel>, pod: Candidate): EgressModel[] {
  return [...models].filter((model) => selects(model, pod)).sort(byAge)
}

/** The oldest first, then by name. */
export function byAge(a: EgressModel, b: EgressModel): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1
  return a.key < b.key ? -1 : 1
}

/**
 * The address under which a pod leaves: pods are spread over the addresses by rendezvous hashing, so that an address that comes or
 * goes moves only the pods that it gains or loses.
 */
export function chooseAddress(model: EgressModel, family: Family, pod: ObjectKey): EgressAddress | undefined {
  const own = model.addresses.filter(({ address }) => familyOf(address) === family)
  if (own.length < 2) return own[0]
  return own.map((one) => ({ one, weight: weigh(one.address, pod) })).reduce((a, b) => (b.weight > a.weight ? b : a))
    .one
}

function weigh(address: Address, pod: ObjectKey): string {
  return createHash('sha256').update(`${address} ${pod}`).digest('hex')
}

/** Whether an Egress says anything of destinations of a family. */
export function reaches({ destinations }: Scope, family: Family): boolean {
  return destinations === undefined || destinations.some((prefix) => prefixFamily(prefix) === family)
}
