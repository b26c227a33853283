import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAddress } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { namespaceObject, nodeObject, podObject } from '../policies/cluster.fixture.ts'
import { explainPolicies } from '../policies/index.ts'
import { foldAddresses } from './fold-addresses.ts'
import { type SeenFlow, suggest } from './suggest.ts'

const hashed = (labels: Record<string, string>, hash: string) => ({ ...labels, 'pod-template-hash': hash })
const world: readonly KubeObject[] = [
  nodeObject(1),
  nodeObject(2),
  namespaceObject('ns'),
  namespaceObject('kube-system'),
  podObject('web-1', { labels: hashed({ app: 'web' }, 'a'), index: 2 }),
  podObject('web-2', { labels: hashed({ app: 'web' }, 'b'), node: 2, index: 2 }),
  podObject('canary', { labels: { app: 'web', track: 'canary' }, index: 3 }),
  podObject('db', { labels: { app: 'db' }, node: 2, index: 4 }),
  podObject('bare', { index: 5 }),
  podObject('dns', { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' }, index: 6 }),
  podObject('other', { namespace: 'other', labels: { app: 'client' }, index: 7 }),
]
const address: Readonly<Record<string, string>> = {
  'web-1': '10.244.1.2',
  'web-2': '10.244.2.2',
  canary: '10.244.1.3',
  db: '10.244.2.4',
  bare: '10.244.1.5',
  dns: '10.244.1.6',
  other: '10.244.1.7',
  'node-1': '172.30.0.11',
  'node-2': '172.30.0.12',
}
const flow = (text: string): SeenFlow => {
  const [, from = '', to = '', protocol = '', port] = /^(\S+)>(\S+) (\w+)\/(\d+)$/.exec(text) ?? []
  return {
    source: parseAddress(address[from] ?? from),
    destination: parseAddress(address[to] ?? to),
    protocol: protocol as 'tcp',
    port: Number(port),
  }
}

test('one policy for pods of one workload, by labels that stay, with DNS over both and outsiders as prefixes', () => {
  const seen = [
    'web-1>db tcp/5432',
    'web-2>dns udp/53',
    'other>web-1 tcp/80',
    'web-1>203.0.113.5 tcp/443',
    'node-1>web-1 tcp/8080',
  ]
  const { policies, findings, denied } = suggest(snapshotOf(world), 'ns', seen.map(flow))
  assert.deepEqual(denied, [])
  assert.deepEqual(
    findings.map(({ object, code }) => [object, code]),
    [['pod/ns/bare', 'NoLabels']],
  )
  assert.deepEqual(
    policies.map(({ spec }) => spec?.podSelector),
    [
      { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'track', operator: 'DoesNotExist' }] },
      { matchLabels: { app: 'web', track: 'canary' } },
      { matchLabels: { app: 'db' } },
    ],
  )
  assert.deepEqual(
    policies.map(({ metadata }) => metadata.name),
    ['suggested-web', 'suggested-web-2', 'suggested-db'],
  )
  const [web, canary] = policies
  assert.deepEqual(canary?.spec?.ingress, [])
  const other = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } } }
  assert.deepEqual(web?.spec?.ingress, [
    { from: [{ ...other, podSelector: { matchLabels: { app: 'client' } } }], ports: [{ protocol: 'TCP', port: 80 }] },
  ])
  assert.deepEqual(
    web?.spec?.egress?.map(({ ports }) => ports),
    [
      [
        { protocol: 'TCP', port: 53 },
        { protocol: 'UDP', port: 53 },
      ],
      [{ protocol: 'TCP', port: 443 }],
      [{ protocol: 'TCP', port: 5432 }],
    ],
  )
  assert.deepEqual(web?.spec?.egress?.[1]?.to, [{ ipBlock: { cidr: '203.0.113.5/32' } }])
})

test('what was not seen is denied', () => {
  const { policies } = suggest(snapshotOf(world), 'ns', [flow('web-1>db tcp/5432')])
  const snapshot = snapshotOf([...world, ...policies])
  const open = (text: string) => explainPolicies(snapshot, flow(text)).denied === undefined
  assert.deepEqual(
    [
      'web-1>db tcp/5432',
      'web-2>db tcp/5432',
      'canary>db tcp/5432',
      'web-1>db tcp/80',
      'web-1>db udp/5432',
      'db>web-1 tcp/5432',
      'other>db tcp/5432',
    ].map(open),
    [true, true, false, false, false, false, false],
  )
})

test('ICMP is told, not silently allowed with every port', () => {
  const { findings, denied } = suggest(snapshotOf(world), 'ns', [flow('web-1>db icmp/0')])
  assert.ok(findings.some(({ code }) => code === 'IcmpSeen'))
  assert.equal(denied.length, 1)
})

test('every flow that was seen is allowed by what is suggested, whoever talks with whom', () => {
  const names = ['web-1', 'web-2', 'canary', 'db', 'dns', 'other', 'node-1', 'node-2', '203.0.113.5', '203.0.113.77']
  const one = fc
    .record({
      from: fc.constantFrom(...names),
      to: fc.constantFrom(...names),
      protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
      port: fc.constantFrom(53, 80, 443, 65535),
    })
    .filter(({ from, to }) => from !== to)
  fc.assert(
    fc.property(fc.array(one, { maxLength: 12 }), (list) => {
      const seen = list.map(({ from, to, protocol, port }) => flow(`${from}>${to} ${protocol}/${port}`))
      assert.deepEqual(suggest(snapshotOf(world), 'ns', seen).denied, [])
    }),
  )
})

test('addresses: few of a network each alone, many as the network', () => {
  const few = ['203.0.113.1', '203.0.113.1', '2001:db8::1'].map(parseAddress)
  assert.deepEqual(foldAddresses(few), ['2001:db8::1/128', '203.0.113.1/32'])
  const many = [1, 2, 3, 4, 5].map((i) => parseAddress(`203.0.113.${i}`))
  assert.deepEqual(foldAddresses(many), ['203.0.113.0/24'])
})
