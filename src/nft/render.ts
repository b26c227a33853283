import { effectiveFlags, effectiveSize } from './encode-set.ts'
import type { Chain, Element, Flowtable, SetDeclaration, Table, TableFamily } from './language.ts'
import { renderElements } from './render-elements.ts'
import { renderRule } from './render-rule.ts'
import { quote, renderDuration } from './render-words.ts'
import { shapeOf } from './set-shape.ts'

/** The elements of a table's sets, by set name. */
export type ElementsBySet = ReadonlyMap<string, Iterable<Element>>

/** A table as `nft list ruleset` of nft 1.0.6 prints it; nft loads the text again. Throws a TypeError for what nft cannot say. */
export function renderTable(table: Table, elements: ElementsBySet = new Map()): string {
  const blocks = [
    ...table.sets.map((set) => renderSet(set, [...(elements.get(set.name) ?? [])])),
    ...(table.flowtables ?? []).map(renderFlowtable),
    ...table.chains.map((chain) => renderChain(table.family, chain)),
  ]
  const comment = table.comment === undefined ? '' : `\tcomment ${quote(table.comment)}\n`
  return `table ${table.family} ${table.name} {\n${comment}${blocks.join('\n')}}\n`
}

function renderSet(set: SetDeclaration, elements: readonly Element[]): string {
  const shape = shapeOf(set)
  const value = set.value === undefined ? '' : ` : ${set.value.join(' . ')}`
  const flags = effectiveFlags(set)
  const size = effectiveSize(set)
  const lines = [`type ${set.key.join(' . ')}${value}`]
  if (size !== undefined) lines.push(`size ${size}`)
  if (flags.length > 0) lines.push(`flags ${flags.join(',')}`)
  if (set.timeoutSeconds !== undefined) lines.push(`timeout ${renderDuration(set.timeoutSeconds)}`)
  if (set.comment !== undefined) lines.push(`comment ${quote(set.comment)}`)
  if (elements.length > 0) lines.push(renderElements(shape, elements))
  return block(`${set.value === undefined ? 'set' : 'map'} ${set.name}`, lines)
}

function renderFlowtable({ name, priority, devices, counter }: Flowtable): string {
  const hook = `hook ingress priority ${renderPriority('netdev', { hook: 'prerouting', priority })}`
  const named = devices.length === 0 ? [] : [`devices = { ${devices.join(', ')} }`]
  return block(`flowtable ${name}`, [hook, ...named, ...(counter ? ['counter'] : [])])
}

function renderChain(family: TableFamily, chain: Chain): string {
  const lines: string[] = []
  if (chain.comment !== undefined) lines.push(`comment ${quote(chain.comment)}`)
  if (chain.hook !== undefined) {
    const { type, hook, policy } = chain.hook
    lines.push(`type ${type} hook ${hook} priority ${renderPriority(family, chain.hook)}; policy ${policy};`)
  }
  for (const rule of chain.rules) lines.push(renderRule(family, rule))
  return block(`chain ${chain.name}`, lines)
}

function block(head: string, lines: readonly string[]): string {
  return `\t${head} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`
}

/** Named priorities by family and the hooks in which they are known (nft(8)). */
const priorities = [
  { name: 'raw', value: -300 },
  { name: 'mangle', value: -150 },
  { name: 'dstnat', value: -100, hook: 'prerouting' },
  { name: 'filter', value: 0 },
  { name: 'security', value: 50 },
  { name: 'srcnat', value: 100, hook: 'postrouting' },
] as const

const bridgePriorities = [
  { name: 'dstnat', value: -300, hook: 'prerouting' },
  { name: 'filter', value: -200 },
  { name: 'out', value: 100, hook: 'output' },
  { name: 'srcnat', value: 300, hook: 'postrouting' },
] as const

/** A priority as nft prints it: a name, a name with up to 10 more or less, or a number. */
function renderPriority(
  family: TableFamily,
  { hook, priority }: Pick<NonNullable<Chain['hook']>, 'hook' | 'priority'>,
): string {
  const named =
    family === 'bridge'
      ? bridgePriorities
      : family === 'arp' || family === 'netdev'
        ? priorities.slice(3, 4)
        : priorities
  const near = named.find(
    (entry) => Math.abs(priority - entry.value) <= 10 && (!('hook' in entry) || entry.hook === hook),
  )
  if (near === undefined) return String(priority)
  const offset = priority - near.value
  return offset === 0 ? near.name : `${near.name} ${offset > 0 ? '+' : '-'} ${Math.abs(offset)}`
}
