import type { Reach } from '../explain/index.ts'
import { workloadIn } from './box-id.ts'
import type { State } from './source.ts'

type EdgeData = { readonly from: string; readonly to: string; readonly ports: string }

/** What `plumb reach` tells, with ports as text. */
export interface ReachData extends Omit<Reach, 'edges' | 'audited'> {
  readonly edges: readonly EdgeData[]
  readonly audited: readonly EdgeData[]
}

/** Of all that can be reached what concerns one workload. */
export interface ReachOf {
  readonly of: string
  /** Who may talk to it. */
  readonly into: readonly EdgeData[]
  /** Whom it may talk to. */
  readonly out: readonly EdgeData[]
  readonly audited: readonly EdgeData[]
  /** Services, external addresses and routes that lead to it, and its exits. */
  readonly ways: Reach['ways']
  readonly subjects: readonly string[]
}

/** `of` is a workload, a pod or one that stands for several; nobody has edges for one that is not known. */
export function reachOf(reach: ReachData, state: State, of: string): ReachOf {
  const { subjects, groups, edges, audited, ways } = reach
  const named = of.startsWith('pod/') ? workloadIn(state, of.slice('pod/'.length)) : of
  // Workloads of which the pods are not alike are told by part, and many alike by one that stands for them.
  const own = new Set(
    subjects.filter(
      (one) => one === of || one === named || one.startsWith(`${named} (`) || groups[one]?.includes(named),
    ),
  )
  const parts = new Set(
    subjects.filter((one) => one.startsWith('pod/') && workloadIn(state, one.slice('pod/'.length)) === named),
  )
  const isOwn = (name: string): boolean => own.has(name) || parts.has(name)
  // Of its Services also the ways on which nobody comes.
  const services = new Set(
    ways.flatMap(({ kind, id, leadsTo }) =>
      kind === 'service' && leadsTo.some((one) => one.startsWith(`${named}:`)) ? [id.slice(0, id.indexOf(':'))] : [],
    ),
  )
  return {
    of: named,
    into: edges.filter(({ to }) => isOwn(to)),
    out: edges.filter(({ from }) => isOwn(from)),
    audited: audited.filter(({ from, to }) => isOwn(from) || isOwn(to)),
    ways: ways.filter(
      ({ id, leadsTo }) =>
        leadsTo.some((one) => one.startsWith(`${named}:`)) ||
        id.startsWith(`${named} to `) ||
        services.has(/^service\/[^ :]+/.exec(id)?.[0] ?? ''),
    ),
    subjects,
  }
}
