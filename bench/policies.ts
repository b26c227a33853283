import { once } from 'node:events'
import { Socket } from 'node:net'
import { parsePrefix } from '../src/addr/index.ts'
import { buildRig, host, serveTcp } from '../src/agent/rig.fixture.ts'
import { ChangeFeed, LiveSnapshot, snapshotOf } from '../src/cluster/index.ts'
import { reach, settingOf } from '../src/explain/index.ts'
import type { KubeObject, Namespace, NetworkPolicy, Pod } from '../src/objects/index.ts'
import { analyse, PolicyTables } from '../src/policies/index.ts'
import type { Row } from './row.ts'

/**
 * What policies cost: the meaning of a whole large cluster, the worst case of all selecting all, full reachability, one pod's
 * way to the kernel, and a new connection's through the rules with one policy and with ten thousand.
 */
export async function bench(): Promise<Row[]> {
  const rows: Row[] = []
  const row = (metric: string, value: number, unit: string, peer?: string, ratio?: number): void => {
    rows.push({
      bench: 'policies',
      metric,
      value,
      unit,
      ...(peer === undefined ? {} : { peer }),
      ...(ratio === undefined ? {} : { ratio }),
    })
  }
  row('compile 100k pods / 75k policies / 25k namespaces', timeCompile(...largeCluster()), 'ms')
  row('resident memory after it, objects included', process.memoryUsage().rss / 2 ** 20, 'MiB')
  row('compile 10k policies that each select 10k pods', timeCompile(...allSelectAll()), 'ms')
  row('reachability of 10k pods × 1k policies', timeReach(), 'ms')
  for (const [percentile, ms] of await onePod())
    row(`one pod of 10k × 10k policies added, to the kernel, ${percentile}`, ms, 'ms')
  const one = await connectLatency(1)
  const many = await connectLatency(10_000)
  row('connect to a guarded pod, 1 policy, p50', one, 'µs')
  row('connect to a guarded pod, 10k policies, p50', many, 'µs', '1 policy', many / one)
  return rows
}

type Cluster = readonly [readonly Pod[], readonly Namespace[], readonly NetworkPolicy[]]

function timeCompile(
  pods: readonly Pod[],
  namespaces: readonly Namespace[],
  policies: readonly NetworkPolicy[],
): number {
  const begun = performance.now()
  analyse(pods, namespaces, policies)
  return performance.now() - begun
}

function timeReach(): number {
  const pods = Array.from({ length: 10_000 }, (_, i) =>
    pod(`p${i}`, `ns${i % 100}`, { app: `a${i % 50}`, pod: `${i}` }, i),
  )
  const policies = Array.from({ length: 1000 }, (_, i) =>
    policy(`q${i}`, `ns${i % 100}`, { app: `a${i % 50}` }, { app: `a${(i + 7) % 50}` }, 80 + (i % 20)),
  )
  const begun = performance.now()
  reach(settingOf([...pods, ...policies]))
  return performance.now() - begun
}

/** Antrea's controller benchmark has these numbers: four pods and three policies in each of 25,000 namespaces. */
function largeCluster(): Cluster {
  const names = Array.from({ length: 25_000 }, (_, i) => `ns${i}`)
  return [
    names.flatMap((name, i) =>
      [0, 1, 2, 3].map((k) => pod(`p${k}`, name, { app: `a${k % 2}`, [`n${i}`]: 'x' }, i * 4 + k)),
    ),
    names.map(
      (name): Namespace => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { team: name } } }),
    ),
    names.flatMap((name) => [
      policy('deny', name, {}, undefined, undefined),
      policy('a', name, { app: 'a0' }, { app: 'a1' }, 80),
      policy('b', name, { app: 'a1' }, { app: 'a0' }, 443),
    ]),
  ]
}

function allSelectAll(): Cluster {
  return [
    Array.from({ length: 10_000 }, (_, i) => pod(`p${i}`, 'ns', { app: 'a', pod: `${i}` }, i)),
    [],
    Array.from({ length: 10_000 }, (_, i) => policy(`q${i}`, 'ns', {}, { app: 'a' }, 1 + (i % 60_000))),
  ]
}

async function onePod(): Promise<[string, number][]> {
  const feed = new ChangeFeed()
  const snapshot = new LiveSnapshot(feed)
  const tables = new PolicyTables('node-1', [4])
  for (let i = 0; i < 10_000; i++) {
    snapshot.put('policies', `ns/q${i}`, policy(`q${i}`, 'ns', { app: `a${i % 1000}` }, { role: 'client' }, 1 + i))
    const local = i < 100 ? 'node-1' : 'node-2'
    snapshot.put(
      'pods',
      `ns/p${i}`,
      pod(`p${i}`, 'ns', { app: `a${i % 1000}`, role: i % 3 ? 'client' : 'server' }, i, local),
    )
  }
  const namespace = host.createNamespace()
  try {
    tables.update(snapshot)
    feed.take()
    await namespace.network.commit(tables.full().operations)
    const times: number[] = []
    for (let i = 0; i < 200; i++) {
      const begun = performance.now()
      const key = `new${i}`
      const node = i % 2 ? 'node-1' : 'node-2'
      snapshot.put('pods', `ns/${key}`, pod(key, 'ns', { app: `a${i}`, role: 'client' }, 20_000 + i, node))
      await namespace.network.commit(tables.update(snapshot, feed.take()).operations)
      times.push(performance.now() - begun)
    }
    times.sort((a, b) => a - b)
    return [
      ['p50', times[100]!],
      ['p99', times[198]!],
    ]
  } finally {
    namespace.close()
  }
}

/** Microseconds that a new connection between two guarded pods takes; `count` policies select pods of the same node. */
async function connectLatency(count: number): Promise<number> {
  const rig = buildRig()
  const [backend] = rig.backends
  const server = serveTcp(backend, 4, 8080)
  try {
    const client = rig.client.addresses[4]
    const guarded = (name: string, address: string, labels: Record<string, string>): Pod => {
      const { status: _, ...rest } = pod(name, 'ns', labels, 0, 'node-1')
      return { ...rest, status: { phase: 'Running', podIPs: [{ ip: address }] } }
    }
    const objects: KubeObject[] = [
      guarded('client', client, { app: 'client' }),
      guarded('web', backend.addresses[4], { app: 'web' }),
      policy('web', 'ns', { app: 'web' }, { app: 'client' }, 8080),
    ]
    for (let i = 1; i < count; i++) {
      objects.push(policy(`q${i}`, 'ns', { app: `a${i % 500}` }, { app: `a${i % 499}` }, 1 + (i % 60_000)))
      if (i <= 500) objects.push(pod(`p${i}`, 'ns', { app: `a${i % 500}` }, 5000 + i, 'node-1'))
    }
    const tables = new PolicyTables('node-1', [4])
    tables.setOwnPrefixes([parsePrefix('10.244.0.0/16')])
    tables.update(snapshotOf(objects))
    await rig.node.network.commit(tables.full().operations)
    const times: number[] = []
    for (let i = 0; i < 3000; i++) {
      const begun = performance.now()
      const socket = new Socket({ fd: host.connectTcp(rig.client.namespace, backend.addresses[4], 8080).fd })
      await once(socket, 'data')
      times.push(performance.now() - begun)
      socket.resetAndDestroy()
    }
    return times.slice(500).sort((a, b) => a - b)[1250]! * 1000
  } finally {
    server.close()
    rig.close()
  }
}

function pod(name: string, namespace: string, labels: Record<string, string>, index: number, nodeName = 'node-1'): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: { nodeName, containers: [] },
    status: { phase: 'Running', podIPs: [{ ip: `10.${128 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}` }] },
  }
}

function policy(
  name: string,
  namespace: string,
  subject: Record<string, string>,
  peer: Record<string, string> | undefined,
  port: number | undefined,
): NetworkPolicy {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace },
    spec: {
      podSelector: Object.keys(subject).length === 0 ? {} : { matchLabels: subject },
      policyTypes: ['Ingress'],
      ...(peer === undefined || port === undefined
        ? {}
        : { ingress: [{ from: [{ podSelector: { matchLabels: peer } }], ports: [{ port }] }] }),
    },
  }
}
