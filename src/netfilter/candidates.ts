import { offsetOf } from '../addr/index.ts'
import type { Packet } from './meet.ts'
import type { Chain, Rule } from './ruleset.ts'

const indexFrom = 64

interface Index {
  /** Rules that want one destination alone, with their places. */
  readonly byDestination: ReadonlyMap<bigint, readonly number[]>
  readonly others: readonly number[]
}

const indexes = new WeakMap<Chain, Index>()

/** The rules of a chain that a packet may meet, in their order: a chain with a rule for each Service is not gone through whole. */
export function candidateRules(chain: Chain, packet: Packet): readonly Rule[] {
  if (chain.rules.length < indexFrom) return chain.rules
  const index = indexes.get(chain) ?? build(chain)
  indexes.set(chain, index)
  const mine = index.byDestination.get(offsetOf(packet.destination)) ?? []
  return [...mine, ...index.others].sort((a, b) => a - b).flatMap((at) => chain.rules[at] ?? [])
}

function build({ rules }: Chain): Index {
  const byDestination = new Map<bigint, number[]>()
  const others: number[] = []
  for (const [at, rule] of rules.entries()) {
    const wanted = soleDestination(rule)
    if (wanted === undefined) others.push(at)
    else byDestination.set(wanted, [...(byDestination.get(wanted) ?? []), at])
  }
  return { byDestination, others }
}

function soleDestination({ statements }: Rule): bigint | undefined {
  for (const one of statements) {
    if (one.kind !== 'match') return undefined
    if (one.not || one.fields[0] !== 'destination' || one.fields.length !== 1 || 'set' in one.among) continue
    const [only, more] = one.among
    const value = only?.key[0]
    if (more === undefined && value?.kind === 'range' && value.from === value.to) return value.from
  }
  return undefined
}
