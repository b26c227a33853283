import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeNftables, NftError, type Operation, type SetDeclaration } from './index.ts'

const at = { family: 'ip', table: 't' } as const
const verdicts: SetDeclaration = { name: 'verdicts', key: ['ipv4_addr'], value: ['verdict'] }
const blocks: SetDeclaration = { name: 'blocks', key: ['ipv4_addr'], flags: ['interval'] }
const base: Operation[] = [
  { kind: 'add-table', ...at },
  { kind: 'add-set', ...at, set: verdicts },
  { kind: 'add-set', ...at, set: blocks },
  { kind: 'add-chain', ...at, chain: { name: 'to' } },
  { kind: 'add-chain', ...at, chain: { name: 'from' } },
  { kind: 'add-elements', ...at, set: verdicts, elements: [{ key: '10.0.0.1', value: 'goto to' }] },
  { kind: 'add-elements', ...at, set: blocks, elements: [{ key: '10.0.0.0/8' }] },
  {
    kind: 'add-rule',
    ...at,
    chain: 'from',
    rule: { statements: [{ kind: 'vmap', key: { kind: 'payload', field: 'ip saddr' }, map: 'verdicts' }] },
  },
]

const refused: readonly (readonly [string, NftError['errno'], Operation])[] = [
  ['a set in use', 'EBUSY', { kind: 'delete-set', ...at, set: 'verdicts' }],
  ['a chain that an element goes to', 'EBUSY', { kind: 'delete-chain', ...at, chain: 'to' }],
  ['a chain with rules', 'EBUSY', { kind: 'delete-chain', ...at, chain: 'from' }],
  [
    'an element that is not there',
    'ENOENT',
    { kind: 'delete-elements', ...at, set: verdicts, elements: [{ key: '10.0.0.2' }] },
  ],
  [
    'a second value',
    'EEXIST',
    { kind: 'add-elements', ...at, set: verdicts, elements: [{ key: '10.0.0.1', value: 'drop' }] },
  ],
  ['an overlap', 'EEXIST', { kind: 'add-elements', ...at, set: blocks, elements: [{ key: '10.1.0.0/16' }] }],
  [
    'a verdict to nowhere',
    'ENOENT',
    { kind: 'add-elements', ...at, set: verdicts, elements: [{ key: '10.0.0.2', value: 'goto x' }] },
  ],
  ['another type for a set', 'EEXIST', { kind: 'add-set', ...at, set: { ...blocks, key: ['ipv6_addr'] } }],
  ['a key of another type', 'EINVAL', { kind: 'add-elements', ...at, set: blocks, elements: [{ key: 'fd00::1' }] }],
  ['a table that is not there', 'ENOENT', { kind: 'delete-table', family: 'ip6', table: 't' }],
]

for (const [name, errno, operation] of refused) {
  test(`refuses ${name}, and takes nothing of the transaction`, () => {
    const fake = new FakeNftables()
    fake.apply(base)
    const before = fake.state()
    const harmless: Operation = { kind: 'add-elements', ...at, set: blocks, elements: [{ key: '192.168.0.1' }] }
    assert.throws(
      () => fake.apply([harmless, { kind: 'flush-chain', ...at, chain: 'to' }, operation]),
      (error) => error instanceof NftError && error.errno === errno && error.operation === 2,
    )
    assert.deepEqual(fake.state(), before)
  })
}

test('refuses a loop of chains that a packet can get into', () => {
  const fake = new FakeNftables()
  fake.apply(base)
  const jump = (chain: string, to: string): Operation => ({
    kind: 'add-rule',
    ...at,
    chain,
    rule: { statements: [{ kind: 'verdict', verdict: { kind: 'jump', chain: to } }] },
  })
  const hook = { type: 'filter', hook: 'input', priority: 0, policy: 'accept' } as const
  const loop = [
    jump('to', 'from'),
    { kind: 'add-chain', ...at, chain: { name: 'in', hook } },
    jump('in', 'to'),
  ] as const
  assert.throws(() => fake.apply(loop), { errno: 'EMLINK' })
  fake.apply(loop.slice(0, 2))
})

test('takes the same element and the same set again', () => {
  const fake = new FakeNftables()
  fake.apply(base)
  const before = fake.state()
  fake.apply(base.filter(({ kind }) => kind !== 'add-rule'))
  assert.deepEqual(fake.state(), before)
})
