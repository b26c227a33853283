import fc from 'fast-check'
import { type Address, parseAddress, parsePrefix } from '../addr/index.ts'
import { keyOf, snapshotOf } from '../cluster/index.ts'
import type { EndpointSlice, KubeObject, Node, Pod, Service } from '../objects/index.ts'
import type { Collected } from './examination.ts'
import { findClient, ladder, type Stand } from './ladder.ts'
import type { Outcome, Probe } from './probe.ts'
import { type Subject, subjectsOf } from './subject.ts'

/** What one random cluster is like. */
interface Shape {
  readonly nodes: number
  /** The node of each pod behind the Service, from 0. */
  readonly pods: readonly number[]
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer'
  readonly local: boolean
  readonly dual: boolean
  readonly affinity: boolean
  readonly port: {
    readonly name: string
    readonly number: number
    readonly protocol: 'TCP' | 'UDP'
    readonly appProtocol?: string
  }
  readonly named: boolean
  readonly foreign: boolean
  readonly silentAgent: boolean
}

const portShapes = [
  { name: 'http', number: 80, protocol: 'TCP' },
  { name: 'https', number: 443, protocol: 'TCP' },
  { name: 'grpc', number: 7070, protocol: 'TCP', appProtocol: 'kubernetes.io/h2c' },
  { name: 'sql', number: 5432, protocol: 'TCP' },
  { name: 'dns', number: 53, protocol: 'UDP' },
  { name: 'game', number: 9000, protocol: 'UDP' },
] as const

export const shapes: fc.Arbitrary<Shape> = fc.record({
  nodes: fc.integer({ min: 1, max: 4 }),
  pods: fc.array(fc.nat(3), { minLength: 1, maxLength: 6 }),
  type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'),
  local: fc.boolean(),
  dual: fc.boolean(),
  affinity: fc.boolean(),
  port: fc.constantFrom(...portShapes),
  named: fc.boolean(),
  foreign: fc.boolean(),
  silentAgent: fc.boolean(),
})

/** One of them, to be held still: two pods behind a NodePort, on three nodes. */
export const plain = {
  ...fc.sample(shapes, { numRuns: 1, seed: 1 })[0]!,
  nodes: 3,
  pods: [0, 1],
  type: 'NodePort',
  local: false,
  dual: false,
  foreign: false,
  silentAgent: false,
  port: { name: 'http', number: 80, protocol: 'TCP' },
  named: false,
} as const

/** The objects of a cluster in which everything is as it should be, with a Service `ns/web`. */
export function objectsOf(shape: Shape): KubeObject[] {
  const { nodes, port, dual } = shape
  // Policy Local leaves no node out: that would be a fault.
  const places = shape.local ? [...shape.pods, ...Array.from({ length: nodes }, (_, i) => i)] : shape.pods
  const pods = places.map((node, index) => pod(`web-${index}`, node % nodes, index, shape, 'web'))
  const client = pod('client', 0, 99, shape, 'client')
  const ips = (one: Pod, family: number): string => one.status!.podIPs![family]!.ip
  const slices = (dual ? [0, 1] : [0]).map(
    (family): EndpointSlice => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `web-${family}`,
        namespace: 'ns',
        labels: {
          'kubernetes.io/service-name': 'web',
          'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        },
      },
      addressType: family === 0 ? 'IPv4' : 'IPv6',
      ports: [{ name: port.name, port: 8080, protocol: port.protocol }],
      endpoints: pods.map((one) => ({
        addresses: [ips(one, family)],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: one.spec.nodeName!,
        targetRef: { kind: 'Pod', namespace: 'ns', name: one.metadata.name },
      })),
    }),
  )
  return [...Array.from({ length: nodes }, (_, i) => node(i)), client, ...pods, service(shape), ...slices]
}

function node(index: number): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `node-${index}` },
    spec: { podCIDRs: [`10.244.${index}.0/24`, `fd00:244:0:${index}::/64`] },
    status: {
      addresses: [`172.30.0.1${index}`, `fd00:30::1${index}`].map((address) => ({ type: 'InternalIP', address })),
    },
  }
}

function pod(name: string, on: number, index: number, { port }: Shape, app: string): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'ns', labels: { app } },
    spec: {
      nodeName: `node-${on}`,
      containers: [
        {
          name: 'main',
          ports: app === 'web' ? [{ name: port.name, containerPort: 8080, protocol: port.protocol }] : [],
        },
      ],
    },
    status: {
      phase: 'Running',
      podIPs: [{ ip: `10.244.${on}.${index + 2}` }, { ip: `fd00:244:0:${on}::${index + 2}` }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  }
}

function service({ type, local, dual, affinity, port, named }: Shape): Service {
  const outside = type !== 'ClusterIP'
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'ns' },
    spec: {
      type,
      selector: { app: 'web' },
      clusterIP: '10.96.0.50',
      clusterIPs: dual ? ['10.96.0.50', 'fd00:96::50'] : ['10.96.0.50'],
      ipFamilies: dual ? ['IPv4', 'IPv6'] : ['IPv4'],
      ...(local ? { internalTrafficPolicy: 'Local' as const } : {}),
      ...(local && outside ? { externalTrafficPolicy: 'Local' as const } : {}),
      ...(affinity ? { sessionAffinity: 'ClientIP' as const } : {}),
      ports: [
        {
          name: port.name,
          port: port.number,
          protocol: port.protocol,
          targetPort: named ? port.name : 8080,
          ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
          ...(outside ? { nodePort: 30080 } : {}),
        },
      ],
    },
    ...(type === 'LoadBalancer' ? { status: { loadBalancer: { ingress: [{ ip: '203.0.113.80' }] } } } : {}),
  }
}

const stand: Stand = {
  client: undefined,
  outside: [parseAddress('203.0.113.10'), parseAddress('2001:db8::10')],
  clusterDomain: 'cluster.local',
}

/** What would be collected from that cluster when each probe is answered as `answer` says. */
export function collected(
  shape: Shape,
  answer: (probe: Probe) => Outcome,
  change: (objects: KubeObject[]) => KubeObject[] = (same) => same,
): Collected {
  const snapshot = snapshotOf(change(objectsOf(shape)))
  const subjects = subjectsOf(snapshot, snapshot.services.get('ns/web')!, {})
  const subject = (subjects as readonly Subject[])[0]!
  const client = findClient(snapshot, subject.service)
  const own: Stand = { ...stand, client }
  const sockets = new Map(
    [...snapshot.pods.values()].map((one) => [
      keyOf(one),
      ['0.0.0.0', '::'].map((address) => ({
        transport: subject.transport as 'tcp' | 'udp',
        address: address as Address,
        port: 8080,
      })),
    ]),
  )
  return {
    snapshot,
    subject,
    stand: own,
    facts: {
      clusterDomain: 'cluster.local',
      servicePrefixes: [parsePrefix('10.96.0.0/16'), parsePrefix('fd00:96::/112')],
    },
    results: ladder(snapshot, subject, own).map((probe) => ({
      probe,
      tries: Array.from({ length: probe.tries }, () => ({ outcome: answer(probe), ms: 1, wire: undefined })),
    })),
    controls: [],
    kernel: new Map(),
    sockets,
    nodes: [...snapshot.nodes.keys()].map((name) => ({
      node: name,
      agent: shape.silentAgent ? 'does not answer (ECONNREFUSED)' : 'answers',
      forwarding: { 4: true, 6: true },
      conntrack: { count: 10, max: 1000 },
      foreignTables: shape.foreign ? ['ip filter'] : [],
    })),
  }
}
