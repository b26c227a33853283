import { renderGrant } from '../policies/index.ts'
import type { Change } from './change.ts'
import type { Edge } from './reach.ts'
import type { Way } from './way.ts'

/** Edges as rows: from, to, ports. */
export function reachRows(edges: readonly Edge[]): readonly (readonly string[])[] {
  return edges.map(({ from, to, grant }) => [from, to, renderGrant(grant)])
}

/** Edges as a Graphviz graph. */
export function reachDot(edges: readonly Edge[]): string {
  const quote = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
  const lines = edges.map(
    ({ from, to, grant }) => `  ${quote(from)} -> ${quote(to)} [label=${quote(renderGrant(grant))}]`,
  )
  return ['digraph reach {', '  rankdir=LR', ...lines, '}'].join('\n')
}

/** Edges as plain data for JSON: ports as text. */
export function reachData(edges: readonly Edge[]): readonly { from: string; to: string; ports: string }[] {
  return edges.map(({ from, to, grant }) => ({ from, to, ports: renderGrant(grant) }))
}

/** Ways as rows: kind, what is asked for, who answers, who may ask, and more words. */
export function wayRows(ways: readonly Way[]): readonly (readonly string[])[] {
  return ways.map(({ kind, id, verdict, leadsTo, clients, says }) => [
    kind,
    id,
    verdict === 'deny' ? `✗ ${says}` : leadsTo.join(', '),
    verdict === 'deny' || clients === undefined ? '' : sayClients(clients),
  ])
}

function sayClients(clients: NonNullable<Way['clients']>): string {
  if (clients === 'everybody') return clients
  if (clients.length === 0) return 'nobody'
  return clients.length <= 3 ? clients.join(', ') : `${clients.slice(0, 2).join(', ')} and ${clients.length - 2} more`
}

/** Changes as rows: how bad, what became of it, whose, and the object and field to blame. */
export function changeRows(changes: readonly Change[]): readonly (readonly string[])[] {
  return changes.map(({ severity, kind, what, subject, says, because }) => [
    severity,
    `${kind} ${what}`,
    subject,
    says,
    `${because.object} ${because.field}`,
  ])
}

/** Rows under heads as a Markdown table. */
export function markdownTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|')
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}
