import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type Element,
  FakeNftables,
  makeState,
  plan,
  planElements,
  type Rule,
  type SetDeclaration,
  type State,
} from './index.ts'
import { stateOf } from './testdata/states.ts'

/** By name, because the order in which sets and chains were made does not matter. */
function sorted(state: State): unknown {
  return [...state]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([key, { table, elements }]) => ({
      key,
      comment: table.comment,
      sets: table.sets.toSorted((a, b) => a.name.localeCompare(b.name)),
      chains: table.chains.toSorted((a, b) => a.name.localeCompare(b.name)),
      elements: table.sets
        .map(({ name }) => [name, [...(elements.get(name)?.values() ?? [])].sort((a, b) => a.key.localeCompare(b.key))])
        .sort(),
    }))
}

test('a plan is taken whole, leads to what is desired, and leaves nothing to plan', () => {
  fc.assert(
    fc.property(fc.array(stateOf, { minLength: 1, maxLength: 4 }), (states) => {
      const fake = new FakeNftables()
      // The last state is empty and leaves nothing behind.
      for (const desired of [...states, makeState([])]) {
        fake.apply(plan(fake.state(), desired))
        assert.deepEqual(sorted(fake.state()), sorted(desired))
        assert.deepEqual(plan(fake.state(), desired), [])
      }
      assert.deepEqual(fake.tables, [])
    }),
    { numRuns: 300 },
  )
})

test('a changed element is deleted and added, the rest is left alone', () => {
  const set: SetDeclaration = { name: 's', key: ['mark'], value: ['mark'] }
  const element = (key: string, value: string): Element => ({ key, value })
  assert.deepEqual(
    planElements('ip', 't', set, [
      { key: '1', before: element('1', '1'), after: element('1', '2') },
      { key: '2', before: element('2', '1'), after: element('2', '1') },
      { key: '3', after: element('3', '1') },
      { key: '4', before: element('4', '1') },
    ]).map((operation) => [operation.kind, 'elements' in operation && operation.elements.map(({ key }) => key)]),
    [
      ['delete-elements', ['1', '4']],
      ['add-elements', ['1', '3']],
    ],
  )
})

test('one more rule at the end is added without writing the chain anew', () => {
  const rule = (mark: string): Rule => ({
    statements: [{ kind: 'set', target: 'meta mark', value: { kind: 'constant', text: mark } }],
  })
  const state = (...rules: Rule[]) =>
    makeState([{ table: { family: 'ip', name: 't', sets: [], chains: [{ name: 'c', rules }] } }])
  assert.deepEqual(
    plan(state(rule('1')), state(rule('1'), rule('2'))).map(({ kind }) => kind),
    ['add-rule'],
  )
  assert.deepEqual(
    plan(state(rule('1')), state(rule('2'))).map(({ kind }) => kind),
    ['flush-chain', 'add-rule'],
  )
})
