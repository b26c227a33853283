import { type Edge, edgesWithout, type Reach } from './reach.ts'

/** What a change opens and what it closes. */
export interface ReachDiff {
  readonly schema: 'plumb.network/reach-diff/v1'
  readonly opened: readonly Edge[]
  readonly closed: readonly Edge[]
}

/** The connections that only one of two states allows. Ends that only one of them has count too. */
export function diffReach(before: Reach, after: Reach): ReachDiff {
  return {
    schema: 'plumb.network/reach-diff/v1',
    opened: edgesWithout(after.edges, before.edges),
    closed: edgesWithout(before.edges, after.edges),
  }
}
