import fc from 'fast-check'
import { type Element, makeState, type Rule, type SetDeclaration, type Table } from '../index.ts'

const setNames = ['a', 'b', 'c'] as const
const chainNames = ['x', 'y', 'z'] as const

const elementOf = fc.record(
  {
    key: fc.integer({ min: 1, max: 6 }).map((n) => `10.0.0.${n}`),
    comment: fc.constantFrom('one', 'two'),
    chain: fc.constantFrom(...chainNames),
  },
  { requiredKeys: ['key', 'chain'] },
)

/** Tables with sets, verdict maps that go to chains, chains that jump to one another, and base chains, all of which change. */
const tableOf = fc.record({
  comment: fc.option(fc.constantFrom('first', 'second'), { nil: undefined }),
  sets: fc.uniqueArray(
    fc.record({
      name: fc.constantFrom(...setNames),
      verdicts: fc.boolean(),
      comment: fc.boolean(),
      elements: fc.array(elementOf, { maxLength: 5 }),
    }),
    { selector: ({ name }) => name, maxLength: 3 },
  ),
  chains: fc.subarray([...chainNames]),
  chainComment: fc.boolean(),
  base: fc.option(
    fc.record({ priority: fc.constantFrom(0, 10), policy: fc.constantFrom('accept' as const, 'drop' as const) }),
    { nil: undefined },
  ),
  rules: fc.array(
    fc.record({
      chain: fc.constantFrom('base', ...chainNames),
      set: fc.constantFrom(...setNames),
      to: fc.constantFrom(...chainNames),
    }),
    { maxLength: 6 },
  ),
})

type Draft = typeof tableOf extends fc.Arbitrary<infer T> ? T : never

function build(name: string, draft: Draft): { table: Table; elements: Record<string, Element[]> } {
  const chains = new Set<string>(draft.chains)
  const declared = new Map<string, SetDeclaration>()
  const elements: Record<string, Element[]> = {}
  for (const { name: set, verdicts, comment, elements: list } of draft.sets) {
    declared.set(set, {
      name: set,
      key: ['ipv4_addr'],
      ...(verdicts ? { value: ['verdict'] as const } : {}),
      ...(comment ? { comment: 'a comment' } : {}),
    })
    const byKey = new Map<string, Element>()
    for (const { key, comment: note, chain } of list) {
      const value = chains.has(chain) ? `goto ${chain}` : 'drop'
      byKey.set(key, { key, ...(note === undefined ? {} : { comment: note }), ...(verdicts ? { value } : {}) })
    }
    elements[set] = [...byKey.values()]
  }
  const rulesOf = (chain: string): Rule[] =>
    draft.rules.flatMap(({ chain: from, set, to }, i): Rule[] => {
      if (from !== chain) return []
      const known = declared.get(set)
      const key = { kind: 'payload', field: 'ip saddr' } as const
      // Only from the base chain, because what the map goes to may be the chain itself.
      if (known?.value !== undefined && chain === 'base') return [{ statements: [{ kind: 'vmap', key, map: set }] }]
      if (known !== undefined && known.value === undefined)
        return [{ statements: [{ kind: 'match', left: key, operator: '==', right: { set } }, { kind: 'counter' }] }]
      if (chains.has(to) && from < to)
        return [{ statements: [{ kind: 'verdict', verdict: { kind: 'jump', chain: to } }], comment: `rule ${i}` }]
      return [{ statements: [{ kind: 'counter' }] }]
    })
  return {
    table: {
      family: 'ip',
      name,
      ...(draft.comment === undefined ? {} : { comment: draft.comment }),
      sets: [...declared.values()],
      chains: [
        ...draft.chains.map((chain) => ({
          name: chain,
          ...(draft.chainComment ? { comment: 'noted' } : {}),
          rules: rulesOf(chain),
        })),
        ...(draft.base === undefined
          ? []
          : [
              {
                name: 'base',
                hook: { type: 'filter' as const, hook: 'forward' as const, ...draft.base },
                rules: rulesOf('base'),
              },
            ]),
      ],
    },
    elements,
  }
}

/** States of two tables. */
export const stateOf = fc
  .record({ one: fc.option(tableOf, { nil: undefined }), two: fc.option(tableOf, { nil: undefined }) })
  .map(({ one, two }) =>
    makeState([...(one === undefined ? [] : [build('one', one)]), ...(two === undefined ? [] : [build('two', two)])]),
  )
