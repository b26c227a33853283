import { renderGrant } from '../policies/index.ts'
import type { Edge } from './reach.ts'

/** Edges as rows: from, to, ports. */
export function reachRows(edges: readonly Edge[]): readonly (readonly string[])[] {
  return edges.map(({ from, to, grant }) => [from, to, renderGrant(grant)])
}

/** Edges as a Markdown table. */
export function reachMarkdown(edges: readonly Edge[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|')
  const rows = reachRows(edges).map((row) => `| ${row.map(cell).join(' | ')} |`)
  return ['| from | to | ports |', '| --- | --- | --- |', ...rows].join('\n')
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
