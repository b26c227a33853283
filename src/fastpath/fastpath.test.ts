import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { encodeTransaction, FakeNftables, makeState, type Packet, plan, renderTable, trace } from '../nft/index.ts'
import { extendFastPath, fastPathTable, makeFastPath, replaceFastPath } from './index.ts'

test('the table as nft lists it', () => {
  const golden = readFileSync(join(import.meta.dirname, 'testdata/fastpath.nft'), 'utf8')
  assert.equal(renderTable(makeFastPath(['eth0', 'pod1'])), golden)
})

test('it is made, extended, made again and taken away', () => {
  const fake = new FakeNftables()
  fake.apply(replaceFastPath(['eth0']))
  assert.deepEqual(fake.state(), makeState([{ table: makeFastPath(['eth0']) }]))
  fake.apply(extendFastPath(['pod1', 'pod2']))
  assert.deepEqual(fake.state(), makeState([{ table: makeFastPath(['eth0', 'pod1', 'pod2']) }]))
  fake.apply(replaceFastPath(['eth1']))
  assert.deepEqual(fake.state(), makeState([{ table: makeFastPath(['eth1']) }]))
  fake.apply(plan(fake.state(), new Map()))
  assert.equal(fake.tables.length, 0)
})

test('more devices than one message may name are several messages', () => {
  const devices = Array.from({ length: 600 }, (_, i) => `pod${i}`)
  const one = encodeTransaction(extendFastPath(devices.slice(0, 256)))
  const three = encodeTransaction(extendFastPath(devices))
  // BATCH_BEGIN and BATCH_END are sources too.
  assert.deepEqual([one.sources.length, three.sources.length], [3, 5])
})

const long: Packet = {
  family: 4,
  protocol: 'tcp',
  source: parseAddress('10.244.1.2'),
  destination: parseAddress('10.244.2.2'),
  sourcePort: 4711,
  destinationPort: 8080,
  conntrack: { state: 'established', packets: 21 },
}
const { conntrack } = long

const asked = (port: number) => ({ ...conntrack, original: { ...long, destinationPort: port } })

for (const [what, packet, adds] of [
  ['the 21st packet', long, true],
  ['UDP', { ...long, protocol: 'udp' }, true],
  ['the 20th packet', { ...long, conntrack: { ...conntrack, packets: 20 } }, false],
  ['where nothing is counted', { ...long, conntrack: { state: 'established' } }, false],
  ['where nobody answered yet', { ...long, conntrack: { ...conntrack, state: 'new' } }, false],
  ['SCTP', { ...long, protocol: 'sctp' }, false],
  ['DNS', { ...long, conntrack: asked(53) }, false],
  ['a packet with a mark', { ...long, mark: 1 }, false],
  ['a connection with a mark', { ...long, conntrack: { ...conntrack, mark: 1 } }, false],
] as const satisfies readonly (readonly [string, Packet, boolean])[]) {
  test(`${what}: ${adds ? 'takes the fast path' : 'goes the ordinary way'}`, () => {
    const fake = new FakeNftables()
    fake.apply(replaceFastPath(['eth0']))
    const { steps } = trace(fake, packet, { from: 'wire', route: () => ({ outputInterface: 'eth0' }) })
    assert.equal(
      steps.some(
        ({ table, rule }) => table === `${fastPathTable.family} ${fastPathTable.table}` && /flow add/.test(rule),
      ),
      adds,
      JSON.stringify(steps),
    )
  })
}
