import { type Grant, isEmpty, nothingGranted, subtractGrants } from '../policies/index.ts'
import type { Edge, Reach } from './reach.ts'

/** What a change opens and what it closes. */
export interface ReachDiff {
  readonly schema: 'plumb.network/reach-diff/v1'
  readonly opened: readonly Edge[]
  readonly closed: readonly Edge[]
}

/** The connections that only one of two states allows. Ends that only one of them has count too. */
export function diffReach(before: Reach, after: Reach): ReachDiff {
  return { schema: 'plumb.network/reach-diff/v1', opened: without(after, before), closed: without(before, after) }
}

function without(one: Reach, other: Reach): readonly Edge[] {
  const known = new Map<string, Grant>(other.edges.map(({ from, to, grant }) => [`${from} ${to}`, grant]))
  return one.edges.flatMap(({ from, to, grant }) => {
    const rest = subtractGrants(grant, known.get(`${from} ${to}`) ?? nothingGranted)
    return isEmpty(rest) ? [] : [{ from, to, grant: rest }]
  })
}
