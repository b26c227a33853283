import { NftError } from './fake-set.ts'
import type { FakeTable } from './fake-step.ts'
import { parseVerdict } from './render-words.ts'
import { referencedChains, referencedSets } from './state.ts'

/** NFT_JUMP_STACK_SIZE: how many chains a packet may be inside at once. */
const maxDepth = 16

/** Refuses a table in which a packet could get into more chains than the kernel's stack holds, or into a loop (nft_table_validate). */
export function checkDepth(table: FakeTable): void {
  const depths = new Map<string, number>()
  for (const [name, { declaration }] of table.chains) {
    if (declaration.hook === undefined) continue
    if (depthOf(table, name, depths, 0) > maxDepth) {
      throw new NftError('EMLINK', '', `chains are nested deeper than ${maxDepth}, or in a loop, from ${name}`)
    }
  }
}

/** The longest way down from a chain; a chain on the way to itself counts as endless. */
function depthOf(table: FakeTable, name: string, depths: Map<string, number>, level: number): number {
  const known = depths.get(name)
  if (known !== undefined) return known
  if (level > maxDepth) return Number.POSITIVE_INFINITY
  depths.set(name, Number.POSITIVE_INFINITY)
  let depth = 1
  for (const target of targetsOf(table, name)) depth = Math.max(depth, 1 + depthOf(table, target, depths, level + 1))
  depths.set(name, depth)
  return depth
}

function targetsOf(table: FakeTable, name: string): ReadonlySet<string> {
  const targets = new Set<string>()
  for (const rule of table.chains.get(name)?.rules ?? []) {
    for (const chain of referencedChains(rule)) targets.add(chain)
    for (const set of referencedSets(rule)) {
      const { shape, elements } = table.sets.get(set) ?? {}
      if (shape?.value !== 'verdict') continue
      for (const { value = '' } of elements?.values() ?? []) {
        const verdict = parseVerdict(value)
        if ('chain' in verdict) targets.add(verdict.chain)
      }
    }
  }
  return targets
}
