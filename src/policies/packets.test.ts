import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { parse } from 'yaml'
import { type Address, contains, familyOf, parseAddress, parsePrefix } from '../addr/index.ts'
import { ChangeFeed, LiveSnapshot, type Snapshot, snapshotOf } from '../cluster/index.ts'
import type { KubeObject, NetworkPolicy } from '../objects/index.ts'
import { arbitraryChange, namespaceObject, podObject } from './cluster.fixture.ts'
import { explainPolicies } from './explain.ts'
import { PolicyTables, recipes } from './index.ts'
import { buildWire, type Probe, type Wire } from './wire.fixture.ts'

const prefixes = [parsePrefix('10.244.1.0/24'), parsePrefix('fd00:244:0:1::/64')]
const isOwn = (address: Address): boolean => prefixes.some((prefix) => contains(prefix, address))
/** Random clusters; the long run asks for more. */
const runs = Number(process.env.PLUMB_RUNS ?? 100)
let wire: Wire

before(() => {
  wire = buildWire()
})
after(() => wire.close())

/** Replaces the tables by those of a node that has known nothing else. */
async function restart(tables: PolicyTables): Promise<void> {
  const drop = (['ip', 'ip6'] as const).flatMap((family) => [
    { kind: 'add-table', family, table: 'plumb-policies' } as const,
    { kind: 'delete-table', family, table: 'plumb-policies' } as const,
  ])
  await wire.node.network.commit([...drop, ...tables.full().operations])
  wire.node.network.setSysctl('net.netfilter.nf_conntrack_checksum', 0)
}

function isDenied(snapshot: Snapshot, tables: PolicyTables, probe: Probe): boolean {
  const { source, destination } = probe
  if ([source, destination].some((one) => isOwn(one) && !tables.knows(one))) return true
  const { sides } = explainPolicies(snapshot, probe)
  return source !== destination && sides.some(({ address, verdict }) => isOwn(address) && verdict.kind === 'deny')
}

const addresses = [
  ...[2, 3, 4, 5, 7].flatMap((i) => {
    const node = i < 5 ? 1 : 2
    return [`10.244.${node}.${i}`, `fd00:244:0:${node}::${i}`]
  }),
  ...['203.0.113.10', '172.30.0.12', '10.244.1.99', '2001:db8:113::10', 'fd00:30::12'],
].map(parseAddress)
const questions = [
  ['tcp', 80],
  ['tcp', 8080],
  ['udp', 8080],
  ['tcp', 1500],
  ['sctp', 9],
  ['icmp', 0],
] as const
const probes: readonly Probe[] = addresses.flatMap((source) =>
  addresses.flatMap((destination) => {
    const asked = familyOf(source) === familyOf(destination) && (isOwn(source) || isOwn(destination))
    return asked ? questions.map(([protocol, port]) => ({ source, destination, protocol, port })) : []
  }),
)

test('random clusters, change by change: real packets meet what is explained', { timeout: 3_600_000 }, async (t) => {
  let packets = 0
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryChange, { minLength: 5, maxLength: 14 }), async (changes) => {
      const feed = new ChangeFeed()
      const snapshot = new LiveSnapshot(feed)
      const tables = new PolicyTables('node-1')
      tables.setOwnPrefixes(prefixes)
      tables.update(snapshot)
      await restart(tables)
      for (const { kind, key, object } of changes) {
        snapshot.put(kind as 'pods', key, object as never)
        await wire.node.network.commit(tables.update(snapshot, feed.take()).operations)
      }
      const passed = await wire.passed(probes)
      packets += probes.length
      const wrong = probes.filter((probe, index) => isDenied(snapshot, tables, probe) === passed.has(index))
      assert.deepEqual(wrong, [])
    }),
    { numRuns: runs },
  )
  t.diagnostic(`${packets} packets`)
})

interface RecipeCase {
  readonly open: readonly string[]
  readonly closed: readonly string[]
}

const names: Readonly<Record<string, string>> = {
  web: '10.244.1.2',
  trusted: '10.244.1.3',
  stranger: '10.244.2.4',
  dns: '10.244.2.5',
  gateway: '10.244.2.6',
  web6: 'fd00:244:0:1::2',
  stranger6: 'fd00:244:0:2::4',
  dns6: 'fd00:244:0:2::5',
  trusted6: 'fd00:244:0:1::3',
}
const world: readonly KubeObject[] = [
  namespaceObject('ns'),
  namespaceObject('other'),
  namespaceObject('kube-system'),
  namespaceObject('gateway-system'),
  podObject('web', { labels: { app: 'web' }, index: 2, ports: [{ name: 'http', port: 8080 }] }),
  podObject('trusted', { labels: { 'api-access': 'true' }, index: 3 }),
  podObject('stranger', { namespace: 'other', node: 2, index: 4 }),
  podObject('dns', { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' }, node: 2, index: 5 }),
  podObject('gateway', { namespace: 'gateway-system', labels: { app: 'gateway' }, node: 2, index: 6 }),
]
const allPorts = (flow: string): string[] => ['tcp/80', 'udp/80', 'sctp/80', 'icmp/0'].map((one) => `${flow} ${one}`)
const cases: Readonly<Record<string, RecipeCase>> = {
  'deny-all': {
    open: [],
    closed: [
      'stranger>web',
      'web>stranger',
      'web>trusted',
      'web>203.0.113.5',
      '203.0.113.5>web',
      'stranger6>web6',
      'web6>stranger6',
    ].flatMap(allPorts),
  },
  'allow-dns': {
    open: [
      'web>dns udp/53',
      'web>dns tcp/53',
      'web6>dns6 udp/53',
      'web6>dns6 tcp/53',
      'web>169.254.20.10 udp/53',
      'web>169.254.20.10 tcp/53',
      ...allPorts('stranger>web'),
    ],
    closed: [
      'web>dns tcp/8080',
      'web>dns sctp/53',
      'web>dns icmp/0',
      'web>stranger udp/53',
      'web6>stranger6 udp/53',
      'web>203.0.113.5 udp/53',
      'web>169.254.20.11 udp/53',
    ],
  },
  'block-apiserver': {
    // Servers in their node's network are 172.30.0.2; behind the Service's own address there is none that a packet could still ask for.
    open: [
      'trusted>172.30.0.2 tcp/6443',
      'trusted6>fd00:30::2 tcp/6443',
      'web>172.30.0.3 tcp/6443',
      ...allPorts('web>stranger'),
      ...allPorts('web6>stranger6'),
      'web>203.0.113.5 tcp/443',
    ],
    closed: [
      ...allPorts('web>172.30.0.2'),
      'web>172.30.0.2 tcp/6443',
      'web>10.96.0.1 tcp/443',
      'web6>fd00:30::2 tcp/6443',
      'web6>fd00:96::1 tcp/443',
    ],
  },
  'from-gateway-only': {
    open: ['gateway>web tcp/8080', ...allPorts('web>stranger'), ...allPorts('stranger>trusted')],
    closed: [
      'gateway>web tcp/8081',
      'gateway>web udp/8080',
      'gateway>web icmp/0',
      'trusted>web tcp/8080',
      'stranger>web tcp/8080',
      '203.0.113.5>web tcp/8080',
      'stranger6>web6 tcp/8080',
    ],
  },
  'egress-cidr-except': {
    open: [...allPorts('web>203.0.113.5'), 'web>203.0.113.127 tcp/1', ...allPorts('stranger>web')],
    closed: [
      ...allPorts('web>203.0.113.128'),
      ...allPorts('web>203.0.113.255'),
      'web>203.0.112.255 tcp/1',
      ...allPorts('web>stranger'),
      ...allPorts('web6>stranger6'),
    ],
  },
  'isolate-namespace': {
    open: [...allPorts('web>trusted'), ...allPorts('trusted>web'), ...allPorts('web6>trusted6')],
    closed: [
      ...allPorts('web>stranger'),
      ...allPorts('stranger>web'),
      'web>dns udp/53',
      '203.0.113.5>web tcp/80',
      'web>203.0.113.5 tcp/80',
      ...allPorts('stranger6>web6'),
    ],
  },
}

function probeOf(flow: string): Probe {
  const [, from = '', to = '', protocol = '', port] = /^(\S+)>(\S+) (\w+)\/(\d+)$/.exec(flow) ?? []
  const [source, destination] = [from, to].map((name) => parseAddress(names[name] ?? name)) as [Address, Address]
  return { source, destination, protocol: protocol as Probe['protocol'], port: Number(port) }
}

for (const { name, yaml } of recipes) {
  test(`recipe ${name}: real packets pass where it says, and nowhere else`, { timeout: 60_000 }, async () => {
    const policy = parse(yaml) as NetworkPolicy
    const objects = [...world, { ...policy, metadata: { ...policy.metadata, namespace: 'ns' } }]
    const tables = new PolicyTables('node-1')
    tables.setOwnPrefixes(prefixes)
    tables.update(snapshotOf(objects))
    await restart(tables)
    const { open, closed } = cases[name]!
    const flows = [...open, ...closed]
    const passed = await wire.passed(flows.map(probeOf))
    assert.deepEqual(
      flows.filter((_, index) => passed.has(index)),
      open,
    )
  })
}

test('without policies everything passes: silence above is the policies’', { timeout: 60_000 }, async () => {
  const tables = new PolicyTables('node-1')
  tables.setOwnPrefixes(prefixes)
  tables.update(snapshotOf(world))
  await restart(tables)
  const flows = [...new Set(Object.values(cases).flatMap(({ open, closed }) => [...open, ...closed]))]
  const passed = await wire.passed(flows.map(probeOf))
  assert.deepEqual(
    flows.filter((_, index) => !passed.has(index)),
    [],
  )
})
