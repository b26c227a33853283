import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Operation, Transaction } from '../nft/index.ts'
import { splitTransaction } from './split-transaction.ts'

const where = { family: 'ip', table: 't' } as const
const set = { name: 's', key: ['ipv4_addr'] } as const
const table: Operation = { kind: 'add-table', ...where }
const flush = (chain: string): Operation => ({ kind: 'flush-chain', ...where, chain })
const rule = (chain: string): Operation => ({ kind: 'add-rule', ...where, chain, rule: { statements: [] } })
const elements = (count: number): Operation => ({
  kind: 'add-elements',
  ...where,
  set,
  elements: Array.from({ length: count }, (_, i) => ({ key: `10.0.0.${i}` })),
})

/** The parts as words: operation kinds, with how many elements. */
function words(transaction: Transaction): string[] {
  return transaction.map((operation) => ('elements' in operation ? `${operation.elements.length}` : operation.kind))
}

const cases: readonly { name: string; whole: Transaction; parts: readonly string[][] | undefined }[] = [
  {
    name: 'elements count, not operations',
    whole: [elements(9), table, table, table],
    parts: [['9'], ['add-table', 'add-table', 'add-table']],
  },
  { name: 'one element operation is halved', whole: [elements(5)], parts: [['2'], ['3']] },
  {
    name: 'a rewritten chain stays whole',
    whole: [flush('a'), rule('a'), rule('a'), rule('a'), table],
    parts: [['flush-chain', 'add-rule', 'add-rule', 'add-rule'], ['add-table']],
  },
  {
    name: 'two chains part between them',
    whole: [flush('a'), rule('a'), flush('b'), rule('b')],
    parts: [
      ['flush-chain', 'add-rule'],
      ['flush-chain', 'add-rule'],
    ],
  },
  { name: 'one element is indivisible', whole: [elements(1)], parts: undefined },
  { name: 'one chain is indivisible', whole: [flush('a'), rule('a')], parts: undefined },
  { name: 'one operation is indivisible', whole: [table], parts: undefined },
]

for (const { name, whole, parts } of cases) {
  test(name, () => assert.deepEqual(splitTransaction(whole)?.map(words), parts))
}
