import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parsePrefix } from '../addr/index.ts'
import type { Finding } from '../cluster/index.ts'
import type { IPAddressPool, Service } from '../objects/index.ts'
import { findAddressRange, rangeSize } from './address-range.ts'
import type { Allocation } from './address-request.ts'
import { AddressLedger, compilePools, poolStatuses, rangeOf, serviceRequest } from './index.ts'

function pool(
  name: string,
  addresses: string[],
  spec: Partial<IPAddressPool['spec']> = {},
  created = name,
): IPAddressPool {
  const metadata = { name, creationTimestamp: created }
  return { apiVersion: 'plumb.network/v1alpha1', kind: 'IPAddressPool', metadata, spec: { addresses, ...spec } }
}

interface Extra {
  readonly spec?: Partial<Service['spec']>
  readonly annotations?: Record<string, string>
  readonly labels?: Record<string, string>
  readonly namespace?: string
  readonly held?: readonly string[]
  readonly created?: string
}

function service(name: string, extra: Extra = {}): Service {
  const { spec, annotations = {}, labels = {}, namespace = 'shop', held = [], created = name } = extra
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, annotations, labels, creationTimestamp: created },
    spec: { type: 'LoadBalancer', ipFamilies: ['IPv4'], ports: [{ port: 80, protocol: 'TCP' }], ...spec },
    status: { loadBalancer: { ingress: held.map((ip) => ({ ip })) } },
  }
}

/** A ledger with pools and Services; Services that ask for what cannot be answer their finding. */
function settle(pools: IPAddressPool[], services: Service[], ledger = new AddressLedger()): Record<string, string> {
  ledger.setPools(compilePools(pools, []))
  const findings: Record<string, string> = {}
  for (const one of services) {
    const request = serviceRequest(one, { team: one.metadata.namespace ?? '' })
    if (request === undefined) continue
    if ('code' in request) findings[request.object] = request.code
    else ledger.put(request)
  }
  ledger.settle()
  const told = [...ledger.allocations].map(([key, allocation]): [string, string] => [key, render(allocation)])
  return Object.fromEntries([...told, ...Object.entries(findings)].map(([key, text]) => [key.split('/')[2], text]))
}

function render(allocation: Allocation): string {
  return allocation.kind === 'refused' ? allocation.finding.code : allocation.addresses.join(' ')
}

const dual: Partial<Service['spec']> = { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'PreferDualStack' }
const both: Partial<Service['spec']> = { ...dual, ipFamilyPolicy: 'RequireDualStack' }
const small = pool('small', ['192.0.2.1-192.0.2.2'])
const shared = (key: string, port: number, spec: Partial<Service['spec']> = {}): Extra => ({
  annotations: { 'metallb.io/allow-shared-ip': key },
  spec: { ports: [{ port, protocol: 'TCP' }], ...spec },
})

const cases: readonly [string, IPAddressPool[], Service[], Record<string, string>][] = [
  ['the older first', [small], [service('b'), service('a')], { a: '192.0.2.1', b: '192.0.2.2' }],
  [
    'exhaustion',
    [small],
    [service('a'), service('b'), service('c')],
    { a: '192.0.2.1', b: '192.0.2.2', c: 'Exhausted' },
  ],
  [
    'held stays, whoever is older',
    [small],
    [service('a'), service('b', { held: ['192.0.2.1'] })],
    { a: '192.0.2.2', b: '192.0.2.1' },
  ],
  [
    'two hold the same: the older keeps it',
    [small],
    [service('a', { held: ['192.0.2.2'] }), service('b', { held: ['192.0.2.2'] })],
    { a: '192.0.2.2', b: '192.0.2.1' },
  ],
  ['pool shrunk under its user', [small], [service('a', { held: ['192.0.2.9'] })], { a: '192.0.2.1' }],
  ['no pool', [], [service('a', { held: ['192.0.2.9'] })], { a: 'NoPool' }],
  [
    'asked for, before who takes any',
    [small],
    [service('a'), service('b', { annotations: { 'plumb.network/loadBalancerIPs': '192.0.2.1' } })],
    { a: '192.0.2.2', b: '192.0.2.1' },
  ],
  [
    'asked for in MetalLB’s words',
    [small],
    [service('a', { annotations: { 'metallb.io/loadBalancerIPs': '192.0.2.2' } })],
    { a: '192.0.2.2' },
  ],
  ['asked for in the spec', [small], [service('a', { spec: { loadBalancerIP: '192.0.2.2' } })], { a: '192.0.2.2' }],
  [
    'asked for twice',
    [small],
    [
      service('a', {
        spec: { loadBalancerIP: '192.0.2.2' },
        annotations: { 'metallb.io/loadBalancerIPs': '192.0.2.2' },
      }),
    ],
    { a: 'AskedTwice' },
  ],
  ['asked for nonsense', [small], [service('a', { spec: { loadBalancerIP: '192.0.2' } })], { a: 'BrokenAddress' }],
  [
    'asked for another family',
    [small],
    [service('a', { spec: { loadBalancerIP: '2001:db8::1' } })],
    { a: 'FamilyMismatch' },
  ],
  [
    'asked for what no pool has',
    [small],
    [service('a', { spec: { loadBalancerIP: '192.0.2.3' } })],
    { a: 'NotInPool' },
  ],
  [
    'asked for what another has',
    [small],
    [
      service('a'),
      service('b', { spec: { loadBalancerIP: '192.0.2.1' }, created: '0' }),
      service('c', { spec: { loadBalancerIP: '192.0.2.1' } }),
    ],
    { a: '192.0.2.2', b: '192.0.2.1', c: 'AddressInUse' },
  ],
  [
    'asks for another than it holds',
    [small],
    [service('a', { held: ['192.0.2.1'], spec: { loadBalancerIP: '192.0.2.2' } })],
    { a: '192.0.2.2' },
  ],
  [
    'a pool by name, without autoAssign',
    [pool('manual', ['198.51.100.7/32'], { autoAssign: false }), small],
    [service('a', { annotations: { 'metallb.io/address-pool': 'manual' } }), service('b')],
    { a: '198.51.100.7', b: '192.0.2.1' },
  ],
  [
    'a pool that is not there',
    [small],
    [service('a', { annotations: { 'plumb.network/address-pool': 'x' } })],
    { a: 'NoSuchPool' },
  ],
  [
    'moves to the pool that is named',
    [small, pool('b', ['198.51.100.0/32'])],
    [service('a', { held: ['192.0.2.1'], annotations: { 'metallb.io/address-pool': 'b' } })],
    { a: '198.51.100.0' },
  ],
  [
    'priority: lower first, none last',
    [
      pool('a', ['192.0.2.1/32']),
      pool('b', ['192.0.2.2/32'], { serviceAllocation: { priority: 20 } }),
      pool('c', ['192.0.2.3/32'], { serviceAllocation: { priority: 10 } }),
    ],
    [service('1'), service('2'), service('3')],
    { 1: '192.0.2.3', 2: '192.0.2.2', 3: '192.0.2.1' },
  ],
  [
    'pinned pools before the others',
    [
      pool('a', ['192.0.2.1/32'], { serviceAllocation: { priority: 1 } }),
      pool('b', ['192.0.2.2/32'], { serviceAllocation: { namespaces: ['shop'], priority: 9 } }),
    ],
    [service('1'), service('2', { namespace: 'x' })],
    { 1: '192.0.2.2', 2: '192.0.2.1' },
  ],
  [
    'namespaces and Services must both match',
    [
      pool('a', ['192.0.2.0/28'], {
        serviceAllocation: {
          namespaceSelectors: [{ matchLabels: { team: 'shop' } }],
          serviceSelectors: [{ matchLabels: { app: 'web' } }],
        },
      }),
    ],
    [service('a', { labels: { app: 'web' } }), service('b'), service('c', { labels: { app: 'web' }, namespace: 'x' })],
    { a: '192.0.2.0', b: 'NoPool', c: 'NoPool' },
  ],
  [
    'a pool that others have reserved',
    [pool('a', ['192.0.2.0/28'], { serviceAllocation: { namespaces: ['x'] } })],
    [service('a', { spec: { loadBalancerIP: '192.0.2.3' } })],
    { a: 'PoolNotAllowed' },
  ],
  [
    'for Egress alone',
    [pool('a', ['192.0.2.0/28'], { usage: ['Egress'] })],
    [service('a'), service('b', { spec: { loadBalancerIP: '192.0.2.3' } })],
    { a: 'NoPool', b: 'PoolUsage' },
  ],
  [
    'buggy addresses',
    [pool('a', ['192.0.2.254-192.0.3.1'], { avoidBuggyIPs: true })],
    [service('a'), service('b'), service('c')],
    { a: '192.0.2.254', b: '192.0.3.1', c: 'Exhausted' },
  ],
  [
    'the younger of two that overlap gives nothing',
    [pool('a', ['192.0.2.0/30']), pool('b', ['192.0.2.3-192.0.2.9'])],
    [service('a', { spec: { loadBalancerIP: '192.0.2.8' } }), service('b', { held: ['192.0.2.9'] })],
    { a: 'Overlaps', b: '192.0.2.9' },
  ],
  [
    'sharing',
    [small],
    [
      service('a', shared('k', 80)),
      service('b', shared('k', 443)),
      service('c', shared('k', 80)),
      service('d', shared('other', 22)),
    ],
    { a: '192.0.2.1', b: '192.0.2.1', c: '192.0.2.2', d: 'Exhausted' },
  ],
  [
    'sharing, asked for',
    [small],
    [
      service('a', shared('k', 80, { loadBalancerIP: '192.0.2.2' })),
      service('b', shared('k', 80, { loadBalancerIP: '192.0.2.2' })),
      service('c', shared('k', 81, { loadBalancerIP: '192.0.2.2' })),
    ],
    { a: '192.0.2.2', b: 'AddressInUse', c: '192.0.2.2' },
  ],
  [
    'sharing with Local needs the same endpoints',
    [small],
    [
      service('a', shared('k', 80, { externalTrafficPolicy: 'Local', selector: { a: '1' } })),
      service('b', shared('k', 81, { externalTrafficPolicy: 'Local', selector: { a: '1' } })),
      service('c', shared('k', 82, { externalTrafficPolicy: 'Local', selector: { a: '2' } })),
    ],
    { a: '192.0.2.1', b: '192.0.2.1', c: '192.0.2.2' },
  ],
  ['one family of two where there is one', [small], [service('a', { spec: dual })], { a: '192.0.2.1' }],
  [
    'both from one pool',
    [small, pool('two', ['192.0.2.8/30', '2001:db8::/127'])],
    [service('a', { spec: dual })],
    { a: '192.0.2.8 2001:db8::' },
  ],
  [
    'the second family out of the first’s pool',
    [small, pool('two', ['192.0.2.8/30', '2001:db8::/127'])],
    [service('a', { spec: dual, held: ['192.0.2.9'] }), service('b', { spec: dual, held: ['192.0.2.1'] })],
    { a: '192.0.2.9 2001:db8::', b: '192.0.2.1' },
  ],
  ['both are required', [small], [service('a', { spec: both })], { a: 'NoSuchFamily' }],
  ['a family that no pool has', [small], [service('a', { spec: { ipFamilies: ['IPv6'] } })], { a: 'NoSuchFamily' }],
  [
    'IPv6 first',
    [pool('two', ['192.0.2.8/30', '2001:db8::1-2001:db8::2'])],
    [service('a', { spec: { ...both, ipFamilies: ['IPv6', 'IPv4'] } })],
    { a: '2001:db8::1 192.0.2.8' },
  ],
  [
    'another class, another type',
    [small],
    [
      service('a', { spec: { loadBalancerClass: 'example.com/lb' } }),
      service('b', { spec: { type: 'NodePort' } }),
      service('c', { spec: { loadBalancerClass: 'plumb.network/l2' } }),
    ],
    { c: '192.0.2.1' },
  ],
]
for (const [name, pools, services, expected] of cases) {
  test(name, () => assert.deepEqual(settle(pools, services), expected))
}

test('what is lacking is told by family, and a pool of one family lacks nothing to whom either will do', () => {
  const lacks = (pools: IPAddressPool[], ...services: Service[]): (string | undefined)[] => {
    const ledger = new AddressLedger()
    settle(pools, services, ledger)
    return [...ledger.allocations.values()].map((one) => (one.kind === 'refused' ? one.finding.says : one.lacks?.says))
  }
  assert.deepEqual(lacks([small], service('a', { spec: dual })), [undefined])
  assert.deepEqual(lacks([small], service('a', { spec: both })), [
    'no available IPs: pool "small" has no IPv6 addresses',
  ])
  const narrow = pool('narrow', ['192.0.2.8/30', '2001:db8::/128'])
  assert.deepEqual(lacks([narrow], service('a', { spec: dual }), service('b', { spec: dual })), [
    undefined,
    'no available IPs: pool "narrow" has no free IPv6 address left',
  ])
})

test('pools with addresses of the cluster are refused by name, and tell it', () => {
  const because = { object: 'node/node-1', field: 'status.addresses[0]', value: '172.30.0.11' }
  const range = rangeOf(parsePrefix('172.30.0.11/32'))
  const pools = compilePools(
    [pool('a', ['172.30.0.0/24', 'x']), pool('b', ['x', '192.0.2.1/32'])],
    [{ range, because }],
  )
  const [a, b] = [...poolStatuses(pools, []).values()].map(({ conditions }) => conditions[0])
  assert.equal(a?.status, 'False')
  assert.equal(a?.reason, 'InUseByCluster')
  assert.match(a?.message ?? '', /contains 172\.30\.0\.11, which is status\.addresses\[0\] of node\/node-1/)
  assert.deepEqual([b?.status, b?.reason], ['True', 'InvalidRange'])
})

test('counts of assigned and available addresses, bounded for large prefixes', () => {
  const ledger = new AddressLedger()
  settle(
    [pool('a', ['192.0.2.0/24', '2001:db8::/32'], { avoidBuggyIPs: true })],
    [service('x', { spec: dual })],
    ledger,
  )
  const status = poolStatuses(ledger.pools, ledger.allocations.values()).get('a')
  assert.deepEqual(
    [status?.assignedIPv4, status?.availableIPv4, status?.assignedIPv6, status?.availableIPv6],
    [1, 253, 1, Number.MAX_SAFE_INTEGER],
  )
})

test('ranges', () => {
  for (const text of ['', 'x', '192.0.2.1', '192.0.2.2-192.0.2.1', '192.0.2.1-2001:db8::1', '192.0.2.0/33', '1-2-3'])
    assert.equal(findAddressRange(text), undefined, text)
  assert.deepEqual(findAddressRange(' 192.0.2.1 - 192.0.2.3'), findAddressRange('192.0.2.1-192.0.2.3'))
  const naive = fc.property(fc.integer({ min: 0, max: 1200 }), fc.integer({ min: 0, max: 1200 }), (first, length) => {
    const range = { family: 4 as const, first: BigInt(first), last: BigInt(first + length) }
    const count = Array.from({ length: length + 1 }, (_, i) => (first + i) & 255).filter(
      (byte) => byte !== 0 && byte !== 255,
    )
    assert.equal(rangeSize(range, true), BigInt(count.length))
  })
  fc.assert(naive)
})

test('the answer depends neither on the order of telling nor on restarts, and nobody gets what another has', () => {
  const one = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    wanted: fc.option(fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1'), { nil: undefined }),
    held: fc.option(fc.constantFrom('192.0.2.1', '192.0.2.2', '192.0.2.9'), { nil: undefined }),
    sharing: fc.boolean(),
    dual: fc.boolean(),
    port: fc.constantFrom(80, 443),
  })
  const pools = [pool('p', ['192.0.2.1-192.0.2.3', '2001:db8::1/127'])]
  fc.assert(
    fc.property(fc.uniqueArray(one, { selector: ({ name }) => name }), fc.infiniteStream(fc.nat()), (drawn, noise) => {
      const services = drawn.map(({ name, wanted, held, sharing, dual: isDual, port }) =>
        service(name, {
          ...(sharing ? { annotations: { 'metallb.io/allow-shared-ip': 'k' } } : {}),
          spec: {
            ...(isDual ? dual : {}),
            ports: [{ port, protocol: 'TCP' }],
            ...(wanted && { loadBalancerIP: wanted }),
          },
          held: held === undefined ? [] : [held],
        }),
      )
      const first = new AddressLedger()
      const answer = settle(pools, services, first)
      const shuffled = services.map((item) => ({ item, at: noise.next().value })).sort((a, b) => a.at - b.at)
      assert.deepEqual(
        settle(
          pools,
          shuffled.map(({ item }) => item),
        ),
        answer,
      )
      assert.deepEqual(first.settle(), [], 'asking again changes nothing')
      const restarted = services.map((item) => {
        const addresses = answer[item.metadata.name] ?? ''
        return service(item.metadata.name, {
          annotations: item.metadata.annotations ?? {},
          spec: item.spec,
          held: /\d/.test(addresses) ? addresses.split(' ') : [],
        })
      })
      assert.deepEqual(settle(pools, restarted), answer, 'after a restart')
      const users = new Map<string, string[]>()
      for (const item of services) {
        for (const address of (answer[item.metadata.name] ?? '').split(' ').filter((text) => /\d/.test(text))) {
          const sharing = item.metadata.annotations?.['metallb.io/allow-shared-ip'] ?? item.metadata.name
          const id = `${sharing} ${item.spec.ports?.[0]?.port}`
          const others = users.get(address) ?? []
          assert.ok(!others.includes(id) && others.every((other) => other.startsWith('k ') && sharing === 'k'), address)
          users.set(address, [...others, id])
        }
      }
    }),
  )
})

test('findings name object, field and remedy', () => {
  const request = serviceRequest(service('a', { spec: { loadBalancerIP: 'x' } }), {}) as Finding
  assert.deepEqual(request, {
    code: 'BrokenAddress',
    object: 'service/shop/a',
    field: 'spec.loadBalancerIP',
    says: '"x" is not an IP address',
    try: 'write an IP address',
  })
})
