import { renderGrant } from '../policies/index.ts'
import { Blamer, portOf } from './blame-change.ts'
import type { Change } from './change.ts'
import { diffEdges } from './diff-edges.ts'
import { diffWays } from './diff-ways.ts'
import type { Edge } from './reach.ts'
import type { Setting } from './setting.ts'

/** What a change opens, closes and leads elsewhere. */
export interface ReachDiff {
  readonly schema: 'plumb.network/reach-diff/v1'
  /** The worst first. */
  readonly changes: readonly Change[]
  readonly opened: readonly Edge[]
  readonly closed: readonly Edge[]
  /** Changes beyond those that are told, where there are too many. */
  readonly untold: number
}

const severities = ['high', 'medium', 'low'] as const
const kinds = ['closed', 'changed', 'opened'] as const
const mostTold = 10_000

/** What is not the same in two settings. Ends that only one of them has count too. */
export function diffReach(before: Setting, after: Setting): ReachDiff {
  const blamer = new Blamer(before, after)
  const { opened, closed, untold } = diffEdges(before, after, mostTold)
  const connections = [
    ...opened.map((edge) => connectionChange('opened', edge, blamer)),
    ...closed.map((edge) => connectionChange('closed', edge, blamer)),
  ]
  const changes = [...connections, ...diffWays(before, after, blamer)].sort(
    (a, b) =>
      severities.indexOf(a.severity) - severities.indexOf(b.severity) ||
      kinds.indexOf(a.kind) - kinds.indexOf(b.kind) ||
      (a.subject < b.subject ? -1 : a.subject > b.subject ? 1 : 0),
  )
  return { schema: 'plumb.network/reach-diff/v1', changes, opened, closed, untold }
}

function connectionChange(kind: 'opened' | 'closed', { from, to, grant }: Edge, blamer: Blamer): Change {
  const isOutside = (name: string): boolean => name === 'outside' || name.startsWith('outside ')
  const known = (name: string): string | undefined => (/^\w+\/[^ ]+$/.test(name) ? name : undefined)
  return {
    kind,
    severity: isOutside(from) ? 'high' : 'medium',
    what: 'connection',
    subject: `${from} → ${to}`,
    says: `${renderGrant(grant)} ${kind}`,
    because: blamer.connection({ from: known(from), to: known(to), ...portOf(grant) }),
  }
}
