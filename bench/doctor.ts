import { parseAddress, parsePrefix } from '../src/addr/index.ts'
import { snapshotOf } from '../src/cluster/index.ts'
import { diagnose, ladder, subjectsOf } from '../src/doctor/index.ts'
import { explainConnection } from '../src/explain/index.ts'
import type { EndpointSlice, KubeObject, Node, Pod, Service } from '../src/objects/index.ts'
import type { Row } from './row.ts'

const services = 5000
const endpointsEach = 10
const nodes = 50
const facts = {
  clusterDomain: 'cluster.local',
  servicePrefixes: [parsePrefix('10.96.0.0/12')],
}

/** What an answer costs in a large cluster, once its objects are read: a connection explained, a ladder planned and judged. */
export async function* bench(): AsyncIterable<Row> {
  const snapshot = snapshotOf(cluster())
  const from = { kind: 'pod', namespace: 'ns', name: 'pod-0' } as const
  const row = (metric: string, value: number): Row => ({ bench: 'doctor', metric, value, unit: 'ms' })
  const byName = (at: number) =>
    explainConnection(
      snapshot,
      { from, to: { kind: 'service', namespace: 'ns', name: `svc-${at}` }, transport: 'tcp', port: 80 },
      facts,
    )
  const byAddress = (at: number) =>
    explainConnection(
      snapshot,
      { from, to: { kind: 'address', address: parseAddress(vip(at)) }, transport: 'tcp', port: 80 },
      facts,
    )
  yield row(
    `why to a Service's name, first of ${services}`,
    time(1, () => byName(1)),
  )
  yield row(`why to a Service's name, of ${services}, p50`, time(50, byName))
  yield row(`why to an address, of ${services}, p50`, time(50, byAddress))
  const subjects = subjectsOf(snapshot, snapshot.services.get('ns/svc-7')!, {})
  if (typeof subjects === 'string') throw new Error(subjects)
  const subject = subjects[0]!
  const stand = { client: 'ns/pod-0', outside: [], clusterDomain: facts.clusterDomain }
  yield row(
    'ladder planned',
    time(20, () => ladder(snapshot, subject, stand)),
  )
  const results = ladder(snapshot, subject, stand).map((probe) => ({
    probe,
    tries: [{ outcome: { kind: 'silence' } as const, ms: 1, wire: undefined }],
  }))
  const rest = { kernel: new Map(), sockets: new Map(), nodes: [], controls: [] }
  yield row(
    'everything silent, judged',
    time(5, () => diagnose({ snapshot, subject, stand, facts, results, ...rest })),
  )
}

/** The middle of so many runs, in milliseconds. */
function time(runs: number, work: (at: number) => unknown): number {
  const all = Array.from({ length: runs }, (_, at) => {
    const started = performance.now()
    work(at + 2)
    return performance.now() - started
  })
  return all.sort((a, b) => a - b)[Math.floor(runs / 2)] ?? 0
}

function vip(at: number): string {
  return `10.96.${at >> 8}.${at & 255}`
}

function* cluster(): Iterable<KubeObject> {
  for (let at = 0; at < nodes; at++) {
    const node: Node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: `node-${at}` },
      spec: { podCIDRs: [`10.244.${at}.0/24`] },
      status: { addresses: [{ type: 'InternalIP', address: `172.30.0.${at + 10}` }] },
    }
    yield node
  }
  for (let at = 0; at < nodes * 100; at++) {
    const pod: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `pod-${at}`, namespace: 'ns', labels: { app: `app-${at % services}` } },
      spec: { nodeName: `node-${at % nodes}`, containers: [{ name: 'c', ports: [{ containerPort: 8080 }] }] },
      status: {
        phase: 'Running',
        podIPs: [{ ip: `10.244.${at % nodes}.${Math.floor(at / nodes) + 2}` }],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    }
    yield pod
  }
  for (let at = 0; at < services; at++) {
    const service: Service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: `svc-${at}`, namespace: 'ns' },
      spec: {
        type: 'ClusterIP',
        selector: { app: `app-${at}` },
        clusterIP: vip(at),
        clusterIPs: [vip(at)],
        ports: [{ port: 80, targetPort: 8080 }],
      },
    }
    yield service
    const slice: EndpointSlice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `svc-${at}`, namespace: 'ns', labels: { 'kubernetes.io/service-name': `svc-${at}` } },
      addressType: 'IPv4',
      ports: [{ name: '', port: 8080, protocol: 'TCP' }],
      endpoints: Array.from({ length: endpointsEach }, (_, one) => {
        const pod = (at * endpointsEach + one) % (nodes * 100)
        return {
          addresses: [`10.244.${pod % nodes}.${Math.floor(pod / nodes) + 2}`],
          conditions: { ready: true },
          nodeName: `node-${pod % nodes}`,
        }
      }),
    }
    yield slice
  }
}
