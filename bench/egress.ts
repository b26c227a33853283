import { parsePrefix } from '../src/addr/index.ts'
import { host } from '../src/agent/rig.fixture.ts'
import { ChangeFeed, LiveSnapshot } from '../src/cluster/index.ts'
import { EgressTables } from '../src/egress/index.ts'
import type { Egress, Node, Pod } from '../src/objects/index.ts'
import { nodeAddresses } from '../src/pods/index.ts'
import type { Row } from './row.ts'

const nodes = 60
const egresses = 1000
const pods = 10_000
const changes = 300
const around = {
  cluster: ['10.244.0.0/16', '10.96.0.0/16', 'fd00:244::/48'].map(parsePrefix),
  own: ['10.244.0.0/23', 'fd00:244::/64'].map(parsePrefix),
  addressesOf: nodeAddresses,
}

/** What Egresses cost a node of a large cluster: all of them at once, one of its pods, a pod elsewhere, an address that moves. */
export async function bench(): Promise<Row[]> {
  const rows: Row[] = []
  const row = (metric: string, value: number, unit: string): void =>
    void rows.push({ bench: 'egress', metric, value, unit })
  const feed = new ChangeFeed()
  const snapshot = new LiveSnapshot(feed)
  fill(snapshot)
  const tables = new EgressTables('node-0')
  const owners = new Map(Array.from({ length: egresses }, (_, i) => [addressOf(i), `node-${i % nodes}`] as const))
  tables.setOwners(owners as never)
  const namespace = host.createNamespace()
  try {
    const begun = performance.now()
    tables.update(snapshot, around, undefined)
    row('compile 10k pods × 1k Egress on one of 60 nodes', performance.now() - begun, 'ms')
    const committed = performance.now()
    await namespace.network.commit(tables.full())
    row('load it into the kernel', performance.now() - committed, 'ms')
    feed.take()
    /** The time of one change, and of processors for it: on a machine that is busy with other work the two differ. */
    const round = async (change: () => void): Promise<readonly [number, number]> => {
      change()
      const start = performance.now()
      const before = process.cpuUsage()
      const { operations } = tables.update(snapshot, around, feed.take())
      if (operations.length > 0) await namespace.network.commit(operations)
      const { user, system } = process.cpuUsage(before)
      return [performance.now() - start, (user + system) / 1000]
    }
    for (const [what, change] of [
      ['one pod of the node added', (i: number) => snapshot.put('pods', `ns/new-${i}`, pod(`new-${i}`, i, 0, 200 + i))],
      ['one pod elsewhere added', (i: number) => snapshot.put('pods', `ns/far-${i}`, pod(`far-${i}`, i, 1, 200 + i))],
      [
        'one address of its pods moves',
        (i: number) =>
          tables.setOwners(new Map([...owners, [addressOf((i % 10) * nodes), `node-${i % nodes}`]]) as never),
      ],
      ['one Egress of 1k changes', (i: number) => snapshot.put('egresses', 'e7', egress(7, `192.0.${i % 250}.0/24`))],
    ] as const) {
      const rounds: (readonly [number, number])[] = []
      for (let i = 0; i < changes; i++) rounds.push(await round(() => change(i)))
      for (const [at, name] of ['to the kernel', 'CPU'].entries()) {
        const sorted = rounds.map((one) => one[at] ?? 0).sort((a, b) => a - b)
        row(`${what}, ${name}, p50`, sorted[changes / 2] ?? 0, 'ms')
        row(`${what}, ${name}, p99`, sorted[changes * 0.99 - 1] ?? 0, 'ms')
      }
    }
  } finally {
    namespace.close()
  }
  return rows
}

function fill(snapshot: LiveSnapshot): void {
  for (let i = 0; i < nodes; i++) snapshot.put('nodes', `node-${i}`, node(i))
  snapshot.put('namespaces', 'ns', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ns' } })
  for (let i = 0; i < egresses; i++) snapshot.put('egresses', `e${i}`, egress(i))
  for (let i = 0; i < pods; i++) snapshot.put('pods', `ns/p${i}`, pod(`p${i}`, i, i % nodes, Math.floor(i / nodes)))
}

function addressOf(egress: number): string {
  return `203.0.${100 + Math.floor(egress / 250)}.${1 + (egress % 250)}`
}

function node(index: number): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `node-${index}`, annotations: { 'plumb.network/egress-index': String(index) } },
    status: { addresses: [{ type: 'InternalIP', address: `172.30.0.${10 + index}` }] },
  }
}

function egress(index: number, excluded = '198.51.100.0/24'): Egress {
  return {
    apiVersion: 'plumb.network/v1alpha1',
    kind: 'Egress',
    metadata: { name: `e${index}`, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      appliedTo: { podSelector: { matchLabels: { app: `a${index}` } } },
      egressIPs: [addressOf(index), `2001:db8::${(index + 1).toString(16)}`],
      excludedCIDRs: [excluded],
    },
  }
}

function pod(name: string, app: number, on: number, host: number): Pod {
  const address = `10.244.${on * 2 + (host >> 8)}.${host & 255}`
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'ns', labels: { app: `a${app % egresses}` } },
    spec: { nodeName: `node-${on}`, containers: [{ name: 'main' }] },
    status: {
      phase: 'Running',
      podIPs: [{ ip: address }, { ip: `fd00:244:0:${on.toString(16)}::${host.toString(16)}` }],
    },
  }
}
