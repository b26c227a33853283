import { type Edge, markdownTable, reach, reachData, reachDot, reachRows, wayRows } from '../explain/index.ts'
import { openSetting, type SettingOptions } from './open-setting.ts'
import { print, renderTable, say } from './output.ts'

type Form = 'table' | 'json' | 'dot' | 'markdown'

/** `plumb reach`: who may talk to whom, and which way Services, gateways and Egresses lead, from manifests or a cluster. */
export async function runReach(options: SettingOptions & { output: Form }): Promise<void> {
  const setting = await openSetting('plumb reach', options)
  if (setting === undefined) return
  const { edges, audited, ways, groups, findings, assumptions, ...rest } = reach(setting)
  for (const { object, field, says, try: remedy } of findings) say(`! ${object} ${field}: ${says} (${remedy})`)
  if (options.output === 'json') {
    const plain = { edges: reachData(edges), audited: reachData(audited) }
    print(JSON.stringify({ ...rest, groups, ...plain, ways, assumptions, findings }, null, 2))
    return
  }
  if (options.output === 'dot') {
    print(reachDot(edges))
    return
  }
  printEdges(edges, options.output)
  if (audited.length > 0) {
    printHead('would be denied by audited policies', options.output)
    printEdges(audited, options.output)
  }
  if (ways.length === 0) return
  printHead('Services, gateways and exits', options.output)
  printTable(['WAY', 'ASKED', 'LEADS TO', 'FOR'], wayRows(ways), options.output)
}

function printEdges(edges: readonly Edge[], form: 'table' | 'markdown'): void {
  printTable(['FROM', 'TO', 'PORTS'], reachRows(edges), form)
}

/** A heading in the form of the tables. */
export function printHead(text: string, form: 'table' | 'markdown'): void {
  print(form === 'markdown' ? `## ${text}\n` : `\n${text}:`)
}

/** Rows in columns, or as Markdown. */
export function printTable(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  form: 'table' | 'markdown',
): void {
  if (form === 'table') print(renderTable([heads, ...rows]))
  else
    print(
      `${markdownTable(
        heads.map((head) => head.toLowerCase()),
        rows,
      )}\n`,
    )
}
