import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { FakeNftables, type Journey, makeState, type Packet, plan, trace } from './index.ts'
import { cases } from './testdata/everything.ts'

const at = parseAddress
const pod = at('10.244.0.5')

function load(...names: string[]): FakeNftables {
  const fake = new FakeNftables()
  fake.apply(plan(new Map(), makeState(names.map((name) => cases[name]!))))
  return fake
}

const journey: Journey = { from: 'wire', route: () => ({ outputInterface: 'eth1' }) }

function packet(change: Partial<Packet> = {}): Packet {
  return {
    family: 4,
    protocol: 'tcp',
    source: pod,
    destination: at('10.96.0.10'),
    sourcePort: 40000,
    destinationPort: 53,
    inputInterface: 'veth0',
    tcpFlags: 'syn',
    conntrack: { state: 'new' },
    ...change,
  }
}

describe('a packet to a Service', () => {
  for (const [choice, address] of ['10.96.0.101', '10.96.0.102'].entries()) {
    test(`takes endpoint ${choice}`, () => {
      const result = trace(load('services-ip'), packet(), { ...journey, choose: () => choice })
      assert.deepEqual(result.dnat, { address, port: 5353 })
      assert.equal(result.packet.destination, address)
      assert.equal(result.packet.priority, 'fe5:2')
      assert.deepEqual(
        result.steps.slice(0, 5).map(({ chain, verdict, found }) => [chain, verdict, ...found]),
        [
          ['nat-prerouting', 'jump services'],
          ['services', undefined, 'meta priority = fe5:2'],
          ['services', 'goto lb-2', 'fe5:2 → goto lb-2'],
          ['lb-2', `goto ep-${choice}`, `${choice} → goto ep-${choice}`],
          [`ep-${choice}`, `dnat to ${address} . 5353`],
        ],
      )
      // The endpoints of this table lie among its cluster IPs, of which none is forwarded.
      assert.equal(result.outcome.kind, 'rejected')
      assert.match(
        result.outcome.kind === 'rejected' ? result.outcome.by.rule : '',
        /^ct state new ip daddr @cluster-ips reject$/,
      )
    })
  }

  test('from an established connection passes no NAT chain', () => {
    const { steps, dnat } = trace(load('services-ip'), packet({ conntrack: { state: 'established' } }), journey)
    assert.equal(dnat, undefined)
    assert.ok(steps.every(({ hook }) => hook === 'forward'))
  })

  test('whose port has no class goes on to the next rules', () => {
    const { dnat } = trace(load('services-ip'), packet({ protocol: 'udp', destinationPort: 99 }), journey)
    assert.deepEqual(dnat, { address: '10.96.0.7' })
  })
})

test('masquerading follows the original destination', () => {
  const fake = load('services-ip')
  fake.apply([{ kind: 'flush-chain', family: 'ip', table: 'plumb-services', chain: 'filter-forward' }])
  const result = trace(fake, packet(), journey)
  assert.equal(result.outcome.kind, 'sent')
  assert.equal(result.snat, 'masquerade')
  assert.equal(
    result.steps.find(({ verdict }) => verdict === 'masquerade')?.rule,
    'ct original ip daddr @cluster-ips masquerade',
  )
})

test('a hairpin is found by the addresses after NAT', () => {
  const fake = load('services-ip')
  fake.apply([{ kind: 'flush-chain', family: 'ip', table: 'plumb-services', chain: 'filter-forward' }])
  const result = trace(fake, packet({ source: at('10.96.0.101') }), journey)
  assert.equal(
    result.steps.find(({ verdict }) => verdict === 'masquerade')?.rule,
    'ct status dnat ip saddr . ip daddr @hairpin masquerade fully-random',
  )
})

test('a process of the host reaches a Service through the output hook', () => {
  const { steps, dnat, outcome } = trace(load('services-ip'), packet(), { ...journey, from: 'host' })
  assert.equal(steps[0]?.hook, 'output')
  assert.deepEqual(dnat, { address: '10.96.0.101', port: 5353 })
  assert.equal(outcome.kind, 'sent')
})

test('no route is an outcome', () => {
  assert.equal(trace(load('services-ip'), packet(), { ...journey, route: () => undefined }).outcome.kind, 'unroutable')
})

test('a verdict map of pods decides, and the deciding rule is named', () => {
  const fake = load('policies-inet')
  const change = [
    { kind: 'flush-chain', family: 'inet', table: 'plumb-policies', chain: 'filter-forward' },
    { kind: 'flush-chain', family: 'inet', table: 'plumb-policies', chain: 'nat-prerouting' },
    {
      kind: 'add-rule',
      family: 'inet',
      table: 'plumb-policies',
      chain: 'filter-forward',
      rule: { statements: [{ kind: 'vmap', key: { kind: 'payload', field: 'ip saddr' }, map: 'pods' }] },
    },
  ] as const
  fake.apply(change)
  const denied = trace(fake, packet(), journey)
  assert.equal(denied.outcome.kind, 'dropped')
  assert.deepEqual(denied.outcome.kind === 'dropped' && [denied.outcome.by.table, denied.outcome.by.chain], [
    'inet plumb-policies',
    'deny',
  ])
  assert.equal(trace(fake, packet({ source: at('10.244.0.4') }), journey).outcome.kind, 'sent')
  // Nobody decided: the policy of the base chain does.
  const other = trace(fake, packet({ source: at('10.244.0.77') }), journey)
  assert.equal(other.outcome.kind === 'dropped' && other.outcome.by.rule, 'policy drop')
})
