import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Address, familyOf, parseAddress } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import type { NetworkPolicy } from '../objects/index.ts'
import { inRanges, mergeRanges, subtractRanges } from './address-ranges.ts'
import { arbitrarySpec, namespaceObject, podObject, policyObject } from './cluster.fixture.ts'
import { explainPolicies } from './explain.ts'
import { compilePolicy } from './index.ts'

type Spec = NonNullable<NetworkPolicy['spec']>
const web = { podSelector: { matchLabels: { app: 'web' } } }
const client = { podSelector: { matchLabels: { app: 'client' } } }
const world = [
  namespaceObject('ns'),
  namespaceObject('other', { team: 'x' }),
  podObject('web', { labels: { app: 'web' }, index: 2, ports: [{ name: 'http', port: 8080 }] }),
  podObject('client', { labels: { app: 'client' }, index: 3, node: 2 }),
  podObject('stranger', { namespace: 'other', labels: { app: 'client' }, index: 4, node: 2 }),
]
const at = { web: '10.244.1.2', client: '10.244.2.3', stranger: '10.244.2.4', outside: '203.0.113.10' } as const

interface Case {
  readonly spec: Spec
  /** `FROM>TO PROTOCOL/PORT`, allowed. */
  readonly allowed: readonly string[]
  readonly denied: readonly string[]
}

const cases: Readonly<Record<string, Case>> = {
  'no rules deny all, in the direction that is listed alone': {
    spec: { ...web, policyTypes: ['Ingress'] },
    allowed: ['web>client tcp/1', 'web>outside udp/53', 'stranger>client tcp/1'],
    denied: ['client>web tcp/8080', 'outside>web icmp/0'],
  },
  'policyTypes: Egress is the default only with egress rules': {
    spec: { ...web, egress: [{ to: [client] }] },
    allowed: ['web>client tcp/1'],
    denied: ['client>web tcp/1', 'web>outside tcp/1', 'web>stranger tcp/1'],
  },
  'an empty egress list does not isolate by default': {
    spec: { ...web, egress: [] },
    allowed: ['web>outside tcp/1'],
    denied: ['client>web tcp/1'],
  },
  'policyTypes Egress makes ingress rules mean nothing': {
    spec: { ...web, policyTypes: ['Egress'], ingress: [] },
    allowed: ['client>web tcp/1'],
    denied: ['web>client tcp/1'],
  },
  'one empty rule allows all, ICMP too': {
    spec: { ...web, ingress: [{}] },
    allowed: ['client>web icmp/0', 'outside>web sctp/9'],
    denied: [],
  },
  'a pod selector alone is for the policy’s namespace': {
    spec: { ...web, ingress: [{ from: [client] }] },
    allowed: ['client>web udp/7'],
    denied: ['stranger>web udp/7', 'outside>web udp/7'],
  },
  'both selectors in one item are AND, two items are OR': {
    spec: { ...web, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'x' } }, ...client }] }] },
    allowed: ['stranger>web tcp/1'],
    denied: ['client>web tcp/1'],
  },
  'the label kubernetes.io/metadata.name is on every namespace': {
    spec: {
      ...web,
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } } }] }],
    },
    allowed: ['stranger>web tcp/1'],
    denied: ['client>web tcp/1'],
  },
  'an empty namespace selector is every pod, and nobody outside': {
    spec: { ...web, ingress: [{ from: [{ namespaceSelector: {} }] }] },
    allowed: ['client>web tcp/1', 'stranger>web tcp/1'],
    denied: ['outside>web tcp/1'],
  },
  'except belongs to its own block': {
    spec: {
      ...web,
      ingress: [
        {
          from: [
            { ipBlock: { cidr: '10.0.0.0/8', except: ['10.244.2.0/24'] } },
            { ipBlock: { cidr: '10.244.2.4/32' } },
          ],
        },
      ],
    },
    allowed: ['stranger>web tcp/1'],
    denied: ['client>web tcp/1', 'outside>web tcp/1'],
  },
  'a named port is the one of the destination pod': {
    spec: { ...web, ingress: [{ ports: [{ port: 'http' }] }] },
    allowed: ['client>web tcp/8080', 'outside>web tcp/8080'],
    denied: ['client>web tcp/80', 'client>web udp/8080', 'client>web icmp/0'],
  },
  'a name on egress never means somebody outside': {
    spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{ ports: [{ port: 'http' }] }] },
    allowed: ['client>web tcp/8080'],
    denied: ['client>web tcp/80', 'client>outside tcp/8080', 'web>client tcp/8080'],
  },
  'SCTP alone closes TCP': {
    spec: { ...web, ingress: [{ ports: [{ protocol: 'SCTP' }] }] },
    allowed: ['client>web sctp/9'],
    denied: ['client>web tcp/9'],
  },
  'a range of a thousand ports has both its ends': {
    spec: { ...web, ingress: [{ ports: [{ port: 1000, endPort: 2000 }] }] },
    allowed: ['client>web tcp/1000', 'client>web tcp/2000'],
    denied: ['client>web tcp/999', 'client>web tcp/2001', 'client>web udp/1500'],
  },
}

for (const [name, { spec, allowed, denied }] of Object.entries(cases)) {
  test(name, () => {
    const snapshot = snapshotOf([...world, policyObject('p', spec)])
    const ask = (text: string): string => {
      const [, from = '', to = '', protocol = '', port = ''] = /^(\w+)>(\w+) (\w+)\/(\d+)$/.exec(text) ?? []
      const address = (who: string): Address => parseAddress(at[who as keyof typeof at])
      const { denied: side } = explainPolicies(snapshot, {
        source: address(from),
        destination: address(to),
        protocol: protocol as 'tcp',
        port: Number(port),
      })
      return side === undefined ? 'allowed' : 'denied'
    }
    for (const text of allowed) assert.equal(ask(text), 'allowed', text)
    for (const text of denied) assert.equal(ask(text), 'denied', text)
  })
}

test('what cannot be read allows nobody, and is told with field and remedy', () => {
  const wrong: readonly [string, Spec, string, string][] = [
    [
      'cidr',
      { ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/33' } }] }] },
      'BrokenPrefix',
      'spec.ingress[0].from[0].ipBlock.cidr',
    ],
    [
      'except of another family',
      { ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['fd00::/8'] } }] }] },
      'BrokenPrefix',
      'spec.ingress[0].from[0].ipBlock.except[0]',
    ],
    [
      'two kinds',
      { ingress: [{ from: [{ ipBlock: { cidr: '::/0' }, podSelector: {} }] }] },
      'PeerOfTwoKinds',
      'spec.ingress[0].from[0]',
    ],
    ['empty peer', { ingress: [{ from: [{}] }] }, 'EmptyPeer', 'spec.ingress[0].from[0]'],
    [
      'endPort of a name',
      { ingress: [{ ports: [{ port: 'http', endPort: 99 }] }] },
      'EndPortOfName',
      'spec.ingress[0].ports[0].endPort',
    ],
    [
      'endPort below',
      { ingress: [{ ports: [{ port: 80, endPort: 79 }] }] },
      'BrokenPort',
      'spec.ingress[0].ports[0].port',
    ],
    [
      'protocol',
      { ingress: [{ ports: [{ protocol: 'QUIC' }] }] },
      'UnknownProtocol',
      'spec.ingress[0].ports[0].protocol',
    ],
    ['rules without type', { policyTypes: ['Egress'], ingress: [{}] }, 'RulesWithoutType', 'spec.ingress'],
    ['type', { policyTypes: ['Ingress', 'Both'] }, 'UnknownPolicyType', 'spec.policyTypes[1]'],
  ]
  for (const [name, spec, code, field] of wrong) {
    const { findings } = compilePolicy(policyObject('p', spec))
    assert.deepEqual(
      findings.map((one) => [one.code, one.field]),
      [[code, field]],
      name,
    )
    const snapshot = snapshotOf([...world, policyObject('p', spec)])
    const question = {
      source: parseAddress(at.client),
      destination: parseAddress(at.web),
      protocol: 'tcp',
      port: 80,
    } as const
    if (spec.policyTypes?.[0] !== 'Egress') assert.notEqual(explainPolicies(snapshot, question).denied, undefined, name)
  }
})

test('ended pods and pods of the node’s network are nobody’s peers', () => {
  const policy = policyObject('p', { ...web, ingress: [{ from: [{ namespaceSelector: {} }] }] })
  const question = {
    source: parseAddress(at.client),
    destination: parseAddress(at.web),
    protocol: 'tcp',
    port: 80,
  } as const
  for (const change of [{ phase: 'Succeeded' as const }, { hostNetwork: true }]) {
    const pod = podObject('client', { labels: { app: 'client' }, index: 3, node: 2, ...change })
    const snapshot = snapshotOf([...world.filter(({ metadata }) => metadata.name !== 'client'), pod, policy])
    assert.equal(explainPolicies(snapshot, question).denied?.pod, 'ns/web')
  }
})

test('ranges: merging and taking out keep exactly the addresses that they should', () => {
  const range = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 12 })).map(([low, length]) => {
    return { low: BigInt(low), high: BigInt(low + length) }
  })
  fc.assert(
    fc.property(range, fc.array(range), (whole, holes) => {
      const kept = subtractRanges(whole, holes)
      const has = (ranges: readonly { low: bigint; high: bigint }[], value: bigint): boolean =>
        ranges.some(({ low, high }) => value >= low && value <= high)
      for (let i = 0n; i < 80n; i++) {
        assert.equal(has(kept, i), has([whole], i) && !has(holes, i))
        assert.equal(has(mergeRanges(holes), i), has(holes, i))
      }
      for (const some of [kept, mergeRanges(holes)]) {
        for (const [index, one] of some.slice(1).entries()) assert.ok(one.low > some[index]!.high + 1n)
      }
    }),
  )
  assert.equal(inRanges(6, [{ low: 0n, high: 10n }], parseAddress('0.0.0.5')), false)
  assert.equal(familyOf(parseAddress('::5')), 6)
})

test('any spec compiles, and says why it isolates', () => {
  fc.assert(
    fc.property(arbitrarySpec, (spec) => {
      const { ingress, egress } = compilePolicy(policyObject('p', spec))
      for (const one of [ingress, egress]) assert.match(one.because.field, /^spec\.policyTypes$/)
    }),
  )
})
