import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress, parsePrefix } from '../addr/index.ts'
import type { Route, Rule } from './contract.ts'
import { makePair } from './testing.ts'

const plumb = { protocol: 0x50, table: 254 }

const cases: readonly { name: string; route: Route; listed: Partial<Route> }[] = [
  {
    name: 'via a gateway',
    route: { destination: parsePrefix('10.1.0.0/16'), gateway: parseAddress('192.0.2.2'), mtu: 1300, metric: 7 },
    listed: {
      gateway: parseAddress('192.0.2.2'),
      link: 'eth0',
      kind: 'unicast',
      scope: 'global',
      mtu: 1300,
      metric: 7,
    },
  },
  {
    name: 'to a pod: scope link with a source',
    route: { destination: parsePrefix('10.2.0.7/32'), link: 'eth0', source: parseAddress('192.0.2.1') },
    listed: { link: 'eth0', kind: 'unicast', scope: 'link', source: parseAddress('192.0.2.1') },
  },
  {
    name: 'a gateway on the link that no prefix covers',
    route: { destination: parsePrefix('0.0.0.0/0'), gateway: parseAddress('169.254.1.1'), link: 'eth0', onlink: true },
    listed: { gateway: parseAddress('169.254.1.1'), link: 'eth0', kind: 'unicast', scope: 'global', onlink: true },
  },
  {
    name: 'IPv6 via a gateway',
    route: { destination: parsePrefix('fd00:1::/64'), gateway: parseAddress('2001:db8::2'), link: 'eth0' },
    listed: { gateway: parseAddress('2001:db8::2'), link: 'eth0', kind: 'unicast', scope: 'global', metric: 1024 },
  },
  {
    name: 'IPv4 via an IPv6 gateway (RFC 8950)',
    route: { destination: parsePrefix('10.3.0.0/16'), gateway: parseAddress('2001:db8::2'), link: 'eth0' },
    listed: { gateway: parseAddress('2001:db8::2'), link: 'eth0', kind: 'unicast', scope: 'global' },
  },
  {
    name: 'blackhole',
    route: { destination: parsePrefix('10.4.0.0/16'), kind: 'blackhole' },
    listed: { kind: 'blackhole', scope: 'global' },
  },
  {
    name: 'unreachable for IPv6',
    route: { destination: parsePrefix('fd00:2::/64'), kind: 'unreachable' },
    listed: { kind: 'unreachable', scope: 'global', link: 'lo', metric: 1024 },
  },
  {
    name: 'local, in a table above 255',
    route: { destination: parsePrefix('10.5.0.0/16'), kind: 'local', link: 'lo', table: 7000, protocol: 99 },
    listed: { kind: 'local', scope: 'host', link: 'lo', table: 7000, protocol: 99 },
  },
]

for (const { name, route, listed } of cases) {
  test(`a route ${name} is set, listed and deleted`, (t) => {
    const network = makePair(t)?.left.network
    if (network === undefined) return
    network.setRoute(route)
    network.setRoute(route)
    const found = () => network.routes().filter(({ destination }) => destination === route.destination)
    assert.deepEqual(found(), [{ destination: route.destination, ...plumb, ...listed }])
    network.deleteRoute(route)
    assert.deepEqual(found(), [])
    assert.throws(() => network.deleteRoute(route), { code: 'missing', step: /^delete route / })
  })
}

test('routes are filtered by family, table and owner', (t) => {
  const network = makePair(t)?.left.network
  if (network === undefined) return
  for (const destination of ['10.1.0.0/16', 'fd00:1::/64'] as const) {
    network.setRoute({ destination: parsePrefix(destination), link: 'eth0', table: 100 })
  }
  const listed = (filter: Parameters<typeof network.routes>[0]) =>
    network.routes(filter).map(({ destination }) => destination)
  assert.deepEqual(listed({ table: 100 }), ['10.1.0.0/16', 'fd00:1::/64'])
  assert.deepEqual(listed({ family: 6, protocol: 0x50 }), ['fd00:1::/64'])
  assert.deepEqual(listed({ table: 101 }), [])
  assert.deepEqual(listed({ family: 4, table: 254 }), ['192.0.2.0/24'])
})

test('a lookup tells what the kernel would do', (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const { network } = pair.left
  const gateway = parseAddress('192.0.2.2')
  network.setRoute({ destination: parsePrefix('10.1.0.0/16'), gateway })
  network.setRoute({ destination: parsePrefix('10.2.0.0/16'), kind: 'unreachable' })
  network.setRoute({ destination: parsePrefix('10.3.0.0/16'), kind: 'prohibit' })
  network.setRoute({ destination: parsePrefix('10.4.0.0/16'), kind: 'blackhole' })
  network.setRoute({ destination: parsePrefix('fd00:4::/64'), kind: 'blackhole' })
  network.setRoute({ destination: parsePrefix('10.9.0.0/16'), link: 'eth0', table: 100 })
  network.addRule({ family: 4, priority: 100, table: 100, mark: 5 })
  const look = (to: string, options?: Parameters<typeof network.lookupRoute>[1]) => {
    const found = network.lookupRoute(parseAddress(to), options)
    return (
      found && { kind: found.kind, link: found.link, gateway: found.gateway, source: found.source, table: found.table }
    )
  }
  const from = { source: pair.leftAddress[4] }
  assert.deepEqual(look('10.1.2.3'), { kind: 'unicast', link: 'eth0', gateway, table: 254, ...from })
  assert.deepEqual(look('192.0.2.1')?.kind, 'local')
  assert.deepEqual(look('10.2.0.1')?.kind, 'unreachable')
  assert.deepEqual(look('10.3.0.1')?.kind, 'prohibit')
  assert.deepEqual(look('10.4.0.1')?.kind, 'blackhole')
  assert.deepEqual(look('fd00:4::1')?.kind, 'blackhole')
  assert.deepEqual(look('10.9.0.1'), undefined)
  assert.deepEqual(look('fd00:9::1'), undefined)
  assert.deepEqual(look('10.9.0.1', { mark: 5 })?.table, 100)
  network.setSysctl('net.ipv4.ip_forward', 1)
  network.setSysctl('net.ipv4.conf.all.rp_filter', 0)
  network.setSysctl('net.ipv4.conf.eth0.rp_filter', 0)
  const forwarded = look('10.1.2.3', { source: parseAddress('198.51.100.1'), inputInterface: 'eth0' })
  assert.deepEqual([forwarded?.kind, forwarded?.link], ['unicast', 'eth0'])
})

test('rules of both families are added, listed and deleted', (t) => {
  const network = makePair(t)?.left.network
  if (network === undefined) return
  const rules: Rule[] = [
    { family: 4, priority: 100, table: 7000, from: parsePrefix('10.0.0.0/8'), to: parsePrefix('192.0.2.0/24') },
    { family: 4, priority: 101, table: 100, mark: 0x4000, markMask: 0xf000, inputInterface: 'eth0' },
    { family: 6, priority: 102, table: 100, from: parsePrefix('fd00::/8') },
  ]
  const own = () => network.rules().filter(({ priority }) => priority >= 100 && priority <= 102)
  for (const rule of rules) network.addRule(rule)
  assert.deepEqual(own(), rules)
  assert.throws(() => network.addRule(rules[0]!), { code: 'exists', step: /^add rule 100: from 10\.0\.0\.0\/8 to / })
  for (const rule of rules) network.deleteRule(rule)
  assert.deepEqual(own(), [])
  assert.throws(() => network.deleteRule(rules[0]!), { code: 'missing' })
})

test('neighbours are set, replaced, listed and deleted', (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const { network } = pair.left
  for (const address of [parseAddress('192.0.2.77'), parseAddress('2001:db8::77')]) {
    const found = () => network.neighbours().find((neighbour) => neighbour.address === address)
    network.setNeighbour({ address, link: 'eth0', mac: '02:00:00:00:00:01', state: 'stale' })
    network.setNeighbour({ address, link: 'eth0', mac: '02:00:00:00:00:07', state: 'permanent' })
    assert.deepEqual(found(), { address, link: 'eth0', mac: '02:00:00:00:00:07', state: 'permanent' })
    network.deleteNeighbour(address, 'eth0')
    assert.notEqual(found()?.state, 'permanent')
  }
})
