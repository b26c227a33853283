import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Address, parseAddress } from '../addr/index.ts'
import type { AddressClaim } from '../cluster/index.ts'
import { maximumWants } from './election.ts'
import { partitions } from './partitions.fixture.ts'
import { rankNodes } from './rank.ts'
import { Simulation, settleMs } from './simulation.fixture.ts'
import { defaultTiming } from './timing.ts'
import { encodeMessage } from './wire.ts'

const address = parseAddress('192.0.2.1')
const quiet = { lossRate: 0, doubleRate: 0, slowRate: 0, slowMs: 0 }

function claim(
  eligible: readonly string[],
  preference?: ReadonlyMap<string, number>,
  of: Address = address,
): AddressClaim {
  const because = { object: 'service/a/b', field: 'spec.type', value: 'LoadBalancer' }
  return { address: of, eligible, use: 'LoadBalancer', because, ...(preference && { preference }) }
}

function start(
  count: number,
  claims?: (names: string[]) => AddressClaim[],
): { simulation: Simulation; names: string[] } {
  const simulation = new Simulation(
    Array.from({ length: count }, () => ({ offset: 0, rate: 1 })),
    quiet,
    1,
  )
  const names = simulation.machines.map(({ name }) => name)
  simulation.setClaims(claims?.(names) ?? [claim(names)])
  simulation.run(settleMs)
  return { simulation, names }
}

test('in 1,000 random partitions no address ever has two holders, and afterwards each has one', () => {
  fc.assert(partitions, { numRuns: 1000 })
})

test('the best of the nodes takes an address, all know it, and preference goes before the hash', () => {
  const { simulation, names } = start(5)
  const [best = ''] = rankNodes(claim(names))
  assert.deepEqual(simulation.holders(address), [best])
  for (const name of names) assert.equal(simulation.owners(name).get(address), best)
  for (const name of names)
    assert.deepEqual(start(5, () => [claim(names, new Map([[name, 50]]))]).simulation.holders(address), [name])
})

test('a crash is made good within a lease and a moment, and the old holder coming back changes nothing', () => {
  const { simulation } = start(3)
  const [old = ''] = simulation.holders(address)
  simulation.crash(old)
  const crashedAt = simulation.now
  simulation.run(crashedAt + defaultTiming.leaseMs + 20)
  const [next = ''] = simulation.holders(address)
  assert.ok(next !== '' && next !== old, `${next} took over from ${old}`)
  simulation.restart(old)
  simulation.run(simulation.now + settleMs)
  assert.deepEqual(simulation.holders(address), [next])
})

test('whenever the holder is cut off, nothing that others say keeps the next one waiting', () => {
  const { simulation, names } = start(3)
  for (let round = 0; round < 200; round++) {
    const [old = ''] = simulation.holders(address)
    const link = (isUp: boolean): void => {
      for (const other of names)
        for (const [from, to] of [[old, other] as const, [other, old] as const]) simulation.link(from, to, isUp)
    }
    link(false)
    simulation.run(simulation.now + defaultTiming.leaseMs + 20)
    const [next = ''] = simulation.holders(address)
    assert.ok(next !== '' && next !== old, `round ${round}`)
    simulation.run(simulation.now + 400)
    link(true)
    simulation.run(simulation.now + 1000 + round)
  }
})

test('a node that is stopped and goes on does not hold what another has taken', () => {
  const { simulation } = start(3)
  const [old = ''] = simulation.holders(address)
  simulation.pause(old, true)
  simulation.run(simulation.now + 5000)
  simulation.pause(old, false)
  assert.equal(simulation.holders(address).length, 1)
  assert.ok(!simulation.holders(address).includes(old))
})

test('what was won too late to be announced is taken again when votes come again', () => {
  const { simulation } = start(3)
  const [holder = ''] = simulation.holders(address)
  simulation.act(holder, (election) => {
    election.missed(address)
    return []
  })
  assert.deepEqual(simulation.holders(address), [])
  simulation.run(simulation.now + 2 * defaultTiming.intervalMs)
  assert.deepEqual(simulation.holders(address), [holder])
})

test('a planned move and a drain take a few messages', () => {
  const { simulation, names } = start(3)
  const [old = ''] = simulation.holders(address)
  const to = names.find((name) => name !== old) ?? ''
  simulation.act(old, (election, now) => election.move(address, to, now).effects)
  simulation.run(simulation.now + 40)
  assert.deepEqual(simulation.holders(address), [to])
  simulation.act(to, (election, now) => election.setDraining(true, now))
  simulation.run(simulation.now + 40)
  const [third = ''] = simulation.holders(address)
  assert.ok(third !== '' && third !== to)
})

test('a node that may not hold it any more hands it over; a claim that is gone is let go', () => {
  const { simulation, names } = start(3)
  const [old = ''] = simulation.holders(address)
  const others = names.filter((name) => name !== old)
  simulation.setClaims([claim(others)])
  simulation.run(simulation.now + 40)
  assert.ok(others.includes(simulation.holders(address)[0] ?? ''))
  simulation.setClaims([])
  assert.deepEqual(simulation.holders(address), [])
})

test('an address that cannot be announced is let go at once and taken by another', () => {
  const { simulation } = start(3)
  const [old = ''] = simulation.holders(address)
  simulation.act(old, (election, now) => election.setBlocked(new Set([address]), now))
  assert.deepEqual(simulation.holders(address), [])
  simulation.run(simulation.now + 4 * defaultTiming.leaseMs)
  const [next = ''] = simulation.holders(address)
  assert.ok(next !== '' && next !== old)
})

test('the smaller side of a partition lets go before the larger takes', () => {
  const { simulation, names } = start(5)
  const [old = ''] = simulation.holders(address)
  const small = [old, names.find((name) => name !== old) ?? '']
  for (const from of names)
    for (const to of names) simulation.link(from, to, small.includes(from) === small.includes(to))
  simulation.run(simulation.now + defaultTiming.leaseMs + 250)
  const [next = ''] = simulation.holders(address)
  assert.ok(next !== '' && !small.includes(next), `${next} holds it, not ${small}`)
})

test('of two nodes the one that the API server votes for goes on; without it neither takes the other’s', () => {
  for (const apiUp of [true, false]) {
    const { simulation, names } = start(2)
    const [old = ''] = simulation.holders(address)
    const other = names.find((name) => name !== old) ?? ''
    simulation.apiUp = apiUp
    simulation.crash(old)
    simulation.run(simulation.now + settleMs)
    assert.deepEqual(simulation.holders(address), apiUp ? [other] : [])
  }
})

test('an address stays where it is while one of seven messages is lost', () => {
  const clocks = [0, 1, 2].map((offset) => ({ offset, rate: 1 }))
  const simulation = new Simulation(clocks, { ...quiet, lossRate: 0.15 }, 1)
  simulation.setClaims([claim(simulation.machines.map(({ name }) => name))])
  simulation.run(settleMs)
  const before = simulation.holders(address)
  assert.equal(before.length, 1)
  const takeovers = simulation.taken.length
  simulation.run(settleMs + 600_000)
  assert.deepEqual(simulation.holders(address), before)
  assert.equal(simulation.taken.length, takeovers)
})

test('a single node holds everything, with the API server or without', () => {
  const { simulation } = start(1)
  simulation.apiUp = false
  simulation.run(simulation.now + settleMs)
  assert.deepEqual(simulation.holders(address), ['n1'])
})

test('of many addresses a node’s loss moves its own alone', () => {
  const many = Array.from({ length: 60 }, (_, i) => parseAddress(`192.0.2.${i + 1}`))
  const { simulation } = start(4, (names) => many.map((one) => claim(names, undefined, one)))
  const before = new Map(many.map((one) => [one, simulation.holders(one)[0]]))
  assert.equal(new Set(before.values()).size, 4, 'they are spread over all nodes')
  simulation.crash('n1')
  simulation.run(simulation.now + settleMs)
  for (const one of many) {
    const [now] = simulation.holders(one)
    if (before.get(one) === 'n1') assert.ok(now !== undefined && now !== 'n1', `${one} has a new holder`)
    else assert.equal(now, before.get(one))
  }
})

test('a node holds as many addresses as one heartbeat can name, and no more', () => {
  const many = Array.from({ length: 1000 }, (_, i) =>
    parseAddress(`2001:db8:1111:2222:3333:4444:5555:${(0x1000 + i).toString(16)}`),
  )
  const { simulation } = start(1, (names) => many.map((one) => claim(names, undefined, one)))
  assert.equal(many.filter((one) => simulation.holders(one).length === 1).length, maximumWants)
  const wants = many.slice(0, maximumWants).map((one) => ({ address: one, held: false }))
  const rest = { from: 'n'.repeat(253), boot: 'x'.repeat(16), sequence: 1e9, leaseMs: 600, members: 100, able: true }
  assert.ok(encodeMessage({ kind: 'heartbeat', ...rest, wants }, Buffer.from('key')).length < 65_507)
})
