import type { Family } from '../addr/index.ts'
import { movedMark } from '../cluster/index.ts'
import type { Expression, Operation, Rule, SetDeclaration, Statement } from '../nft/index.ts'

/** Leads what was made at a former holder of an address there. */
export const movedTable = 'plumb-moved'

/** nft's words for each family. */
export const words = {
  4: { family: 'ip', type: 'ipv4_addr', destination: 'ip daddr' },
  6: { family: 'ip6', type: 'ipv6_addr', destination: 'ip6 daddr' },
} as const

export function setsOf(family: Family): { readonly former: SetDeclaration; readonly self: SetDeclaration } {
  const key = [words[family].type]
  return {
    former: {
      name: 'former',
      key,
      value: ['mark'],
      flags: ['timeout'],
      comment: 'address : mark of the node that had it before',
    },
    self: { name: 'self', key, value: [words[family].type], comment: 'address : itself' },
  }
}

export function createTable(family: Family): Operation[] {
  const at = { family: words[family].family, table: movedTable }
  const { former, self } = setsOf(family)
  const chain = (name: string, type: 'filter' | 'nat', priority: number): Operation => ({
    kind: 'add-chain',
    ...at,
    chain: { name, hook: { type, hook: 'prerouting', priority, policy: 'accept' } },
  })
  return [
    { kind: 'add-table', ...at, comment: 'connections of before a planned move of an external address' },
    { kind: 'add-set', ...at, set: former },
    { kind: 'add-set', ...at, set: self },
    // Behind conntrack (-200), which knows what is new here, and before the tables that translate (-100).
    chain('lead', 'filter', -150),
    chain('keep', 'nat', -101),
    ...leadRules(family).map((rule): Operation => ({ kind: 'add-rule', ...at, chain: 'lead', rule })),
    { kind: 'add-rule', ...at, chain: 'keep', rule: keepRule(family) },
  ]
}

const mark: Expression = { kind: 'meta', key: 'mark' }
const connectionMark: Expression = { kind: 'ct', key: 'mark' }

function isLed(of: Expression): Statement {
  const left: Expression = { kind: 'bitwise', of, mask: movedMark.mask, xor: 0 }
  return { kind: 'match', left, operator: '==', right: `0x${movedMark.base.toString(16)}` }
}

function leadRules(family: Family): Rule[] {
  const destination: Expression = { kind: 'payload', field: words[family].destination }
  const state = (right: string | { of: readonly string[] }): Statement => {
    return { kind: 'match', left: { kind: 'ct', key: 'state' }, operator: '==', right }
  }
  // What begins in the middle is new to conntrack, or invalid where it may not pick connections up (nf_conntrack_tcp_loose=0).
  const isUnknown = state({ of: ['new', 'invalid'] })
  const isTcp: Statement = { kind: 'match', left: { kind: 'meta', key: 'l4proto' }, operator: '==', right: 'tcp' }
  const begins: Statement = {
    kind: 'match',
    left: { kind: 'payload', field: 'tcp flags' },
    operator: '==',
    right: 'syn',
  }
  return [
    {
      comment: 'led before',
      statements: [isLed(connectionMark), { kind: 'set', target: 'meta mark', value: connectionMark }],
    },
    { statements: [isUnknown, isTcp, begins, { kind: 'verdict', verdict: { kind: 'return' } }] },
    {
      comment: 'made at the former holder',
      statements: [
        isUnknown,
        isTcp,
        { kind: 'set', target: 'meta mark', value: { kind: 'lookup', key: destination, map: 'former' } },
      ],
    },
    { statements: [state('new'), isLed(mark), { kind: 'set', target: 'ct mark', value: mark }] },
  ]
}

/** A translation into itself is one, so that no later chain makes another. */
function keepRule(family: Family): Rule {
  const key: Expression = { kind: 'payload', field: words[family].destination }
  return {
    statements: [isLed(mark), { kind: 'dnat', family, to: { kind: 'lookup', key, map: 'self' }, withPort: false }],
  }
}
