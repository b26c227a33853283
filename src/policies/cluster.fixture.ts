import fc from 'fast-check'
import type {
  ClusterNetworkPolicy,
  KubeObject,
  LabelSelector,
  Namespace,
  NetworkPolicy,
  Node,
  Pod,
} from '../objects/index.ts'

/** Pod addresses of node 1 are 10.244.1.N, of node 2 10.244.2.N; IPv6 alike. */
export function podObject(
  name: string,
  options: {
    readonly namespace?: string
    readonly labels?: Record<string, string>
    readonly node?: number
    readonly index?: number
    readonly ports?: readonly { name: string; port: number; protocol?: 'TCP' | 'UDP' | 'SCTP' }[]
    readonly hostNetwork?: boolean
    readonly phase?: 'Running' | 'Succeeded'
  } = {},
): Pod {
  const { namespace = 'ns', labels = {}, node = 1, index, ports = [], hostNetwork, phase = 'Running' } = options
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: {
      nodeName: `node-${node}`,
      ...(hostNetwork === undefined ? {} : { hostNetwork }),
      containers: [
        {
          name: 'main',
          ports: ports.map((one) => ({
            name: one.name,
            containerPort: one.port,
            ...(one.protocol === undefined ? {} : { protocol: one.protocol }),
          })),
        },
      ],
    },
    status: {
      phase,
      ...(index === undefined
        ? {}
        : { podIPs: [{ ip: `10.244.${node}.${index}` }, { ip: `fd00:244:0:${node}::${index.toString(16)}` }] }),
    },
  }
}

/** A node with its pod prefixes and addresses. */
export function nodeObject(index: number, labels: Record<string, string> = {}): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `node-${index}`, labels },
    spec: { podCIDRs: [`10.244.${index}.0/24`, `fd00:244:0:${index}::/64`] },
    status: {
      addresses: [`172.30.0.1${index}`, `fd00:30::1${index}`].map((address) => ({ type: 'InternalIP', address })),
    },
  }
}

export function namespaceObject(name: string, labels: Record<string, string> = {}): Namespace {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }
}

export function policyObject(name: string, spec: NetworkPolicy['spec'], namespace = 'ns'): NetworkPolicy {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace },
    ...(spec === undefined ? {} : { spec }),
  }
}

export function clusterPolicyObject(name: string, spec: ClusterNetworkPolicy['spec']): ClusterNetworkPolicy {
  return { apiVersion: 'policy.networking.k8s.io/v1alpha2', kind: 'ClusterNetworkPolicy', metadata: { name }, spec }
}

const label = fc.record({ app: fc.constantFrom('a', 'b', 'c') }, { requiredKeys: [] })
const selector: fc.Arbitrary<LabelSelector> = fc.oneof(
  fc.constant({}),
  label.map((matchLabels) => ({ matchLabels: matchLabels as Record<string, string> })),
  fc
    .record({
      key: fc.constantFrom('app', 'tier'),
      operator: fc.constantFrom('In' as const, 'NotIn' as const, 'Exists' as const, 'DoesNotExist' as const),
    })
    .map((one) => ({
      matchExpressions: [one.operator === 'In' || one.operator === 'NotIn' ? { ...one, values: ['a', 'b'] } : one],
    })),
)
const block = fc.constantFrom(
  { cidr: '0.0.0.0/0' },
  { cidr: '0.0.0.0/0', except: ['10.0.0.0/8', '203.0.113.10/32'] },
  { cidr: '10.0.0.0/8', except: ['10.244.1.0/24'] },
  { cidr: '10.244.1.0/24' },
  { cidr: '10.244.1.2/31', except: ['10.244.1.3/32'] },
  { cidr: '203.0.113.0/24' },
  { cidr: '172.30.0.0/24' },
  { cidr: '::/0', except: ['fd00:244::/56'] },
  { cidr: 'fd00:244:0:1::/64' },
  { cidr: 'fd00:244::/56', except: ['fd00:244:0:1::2/127', 'fd00:244:0:2::/64'] },
)
const peer = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector: selector }),
  fc.record({ namespaceSelector: selector, podSelector: selector }),
  fc.record({ ipBlock: block }),
)
const port = fc.oneof(
  fc.record({ port: fc.constantFrom(80, 8080, 'http', 'dns', 'nobody'), protocol: fc.constantFrom('TCP', 'UDP') }),
  fc.constantFrom(
    { port: 1000, endPort: 2000 },
    { port: 8000, endPort: 9000, protocol: 'UDP' },
    { protocol: 'SCTP' },
    { protocol: 'TCP' },
    { port: 80, endPort: 80 },
    { port: 65535 },
  ),
)
const maybe = <T>(list: fc.Arbitrary<T>) => fc.option(fc.array(list, { maxLength: 3 }), { nil: undefined })
const drop = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T

/** Any NetworkPolicy spec that the API takes: empty, absent and full lists, every kind of peer and port. */
export const arbitrarySpec: fc.Arbitrary<NonNullable<NetworkPolicy['spec']>> = fc
  .record({
    podSelector: selector,
    policyTypes: fc.constantFrom(undefined, ['Ingress'], ['Egress'], ['Ingress', 'Egress'], []),
    ingress: maybe(fc.record({ from: maybe(peer), ports: maybe(port) }).map(drop)),
    egress: maybe(fc.record({ to: maybe(peer), ports: maybe(port) }).map(drop)),
  })
  .map((spec) => drop(spec) as NonNullable<NetworkPolicy['spec']>)

const podsPeer = fc.oneof(
  fc.record({ namespaces: selector }),
  fc.record({ pods: fc.record({ namespaceSelector: selector, podSelector: selector }) }),
)
const clusterPeer = fc.oneof(
  { weight: 4, arbitrary: podsPeer },
  { weight: 2, arbitrary: fc.record({ nodes: selector }) },
  {
    weight: 3,
    arbitrary: fc.record({
      networks: fc.uniqueArray(
        fc.constantFrom(
          '0.0.0.0/0',
          '::/0',
          '10.244.1.0/24',
          '203.0.113.10/32',
          '172.30.0.0/24',
          'fd00:244:0:1::2/127',
        ),
        { minLength: 1, maxLength: 3 },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom({ domainNames: ['example.com'] }, {}) },
)
const transportPort = fc.constantFrom(
  {},
  { destinationPort: { number: 80 } },
  { destinationPort: { number: 8080 } },
  { destinationPort: { range: { start: 1000, end: 2000 } } },
)
const protocol = fc.oneof(
  fc.record({ tcp: transportPort }),
  fc.record({ udp: transportPort }),
  fc.record({ sctp: transportPort }),
  fc.record({ destinationNamedPort: fc.constantFrom('http', 'dns', 'nobody') }),
)
const action = fc.constantFrom('Accept', 'Deny', 'Pass')
const some = <T>(list: fc.Arbitrary<T>) => fc.array(list, { minLength: 1, maxLength: 2 })

/** Any ClusterNetworkPolicy spec that the API takes, and a few that a newer API might. */
export const arbitraryClusterSpec: fc.Arbitrary<ClusterNetworkPolicy['spec']> = fc
  .record({
    tier: fc.constantFrom('Admin', 'Baseline'),
    priority: fc.integer({ min: 0, max: 2 }),
    subject: podsPeer,
    ingress: maybe(fc.record({ action, from: some(podsPeer), protocols: maybe(protocol) }).map(drop)),
    egress: maybe(fc.record({ action, to: some(clusterPeer), protocols: maybe(protocol) }).map(drop)),
  })
  .map((spec) => drop(spec) as ClusterNetworkPolicy['spec'])

/** One change of a small cluster of two nodes, two namespaces, six pods and four policies. */
export type Change = { readonly key: string; readonly kind: string; readonly object: KubeObject | undefined }

const podChange: fc.Arbitrary<Change> = fc
  .record({
    index: fc.integer({ min: 2, max: 7 }),
    gone: fc.boolean(),
    labels: label,
    hostNetwork: fc.constantFrom(false, false, false, true),
    phase: fc.constantFrom('Running' as const, 'Running' as const, 'Succeeded' as const),
    http: fc.constantFrom(80, 8080),
  })
  .map(({ index, gone, labels, hostNetwork, phase, http }) => {
    const namespace = index % 2 === 0 ? 'ns' : 'other'
    const object = podObject(`p${index}`, {
      namespace,
      labels: labels as Record<string, string>,
      node: index < 5 ? 1 : 2,
      ...(hostNetwork ? { hostNetwork } : { index }),
      phase,
      ports: [
        { name: 'http', port: http },
        { name: 'dns', port: 8080, protocol: 'UDP' },
      ],
    })
    return { kind: 'pods', key: `${namespace}/p${index}`, object: gone ? undefined : object }
  })
const policyChange: fc.Arbitrary<Change> = fc
  .record({
    name: fc.constantFrom('x', 'y'),
    namespace: fc.constantFrom('ns', 'other'),
    gone: fc.constantFrom(false, false, true),
    audit: fc.constantFrom(false, false, true),
    spec: arbitrarySpec,
  })
  .map(({ name, namespace, gone, audit, spec }) => {
    const policy = policyObject(name, spec, namespace)
    const annotations = { 'plumb.network/audit': 'true' }
    const object = audit ? { ...policy, metadata: { ...policy.metadata, annotations } } : policy
    return { kind: 'policies', key: `${namespace}/${name}`, object: gone ? undefined : object }
  })
const namespaceChange: fc.Arbitrary<Change> = fc
  .record({ name: fc.constantFrom('ns', 'other'), labels: label })
  .map(({ name, labels }) => {
    return { kind: 'namespaces', key: name, object: namespaceObject(name, labels as Record<string, string>) }
  })

const clusterPolicyChange: fc.Arbitrary<Change> = fc
  .record({
    name: fc.constantFrom('u', 'v', 'w'),
    gone: fc.constantFrom(false, false, true),
    audit: fc.constantFrom(false, false, false, true),
    spec: arbitraryClusterSpec,
  })
  .map(({ name, gone, audit, spec }) => {
    const policy = clusterPolicyObject(name, spec)
    const annotations = { 'plumb.network/audit': 'true' }
    const object = audit ? { ...policy, metadata: { ...policy.metadata, annotations } } : policy
    return { kind: 'clusterPolicies', key: name, object: gone ? undefined : object }
  })
const nodeChange: fc.Arbitrary<Change> = fc
  .record({ index: fc.constantFrom(1, 2), gone: fc.constantFrom(false, false, true), labels: label })
  .map(({ index, gone, labels }) => {
    const object = gone ? undefined : nodeObject(index, labels as Record<string, string>)
    return { kind: 'nodes', key: `node-${index}`, object }
  })

export const arbitraryChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: podChange },
  { weight: 4, arbitrary: policyChange },
  { weight: 1, arbitrary: namespaceChange },
  { weight: 3, arbitrary: clusterPolicyChange },
  { weight: 1, arbitrary: nodeChange },
)
