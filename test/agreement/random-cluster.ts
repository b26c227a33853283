// Random objects of one cluster of three nodes: what `world.ts` builds for real and `traced.ts` lowers.

import fc from 'fast-check'
import { type Address, type Family, parseAddress } from '../../src/addr/index.ts'
import type { ClusterNetworkPolicy, Egress, NetworkPolicy, Service } from '../../src/objects/index.ts'
import {
  arbitraryClusterSpec,
  arbitrarySpec,
  clusterPolicyObject,
  policyObject,
} from '../../src/policies/cluster.fixture.ts'

export const podNames = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2'] as const
/** A pod with its node's network, on node-2. */
export const hostPod = 'h2'
const serviceNames = ['s0', 's1', 's2'] as const
export const exits: Readonly<Record<Family, readonly Address[]>> = {
  4: ['172.30.0.220', '172.30.0.221'].map(parseAddress),
  6: ['fd00:30::220', 'fd00:30::221'].map(parseAddress),
}

/** The addresses that are a Service's, or would be. */
export function clusterIp(index: number, family: Family): Address {
  return parseAddress(family === 4 ? `10.96.0.${index + 1}` : `fd00:96::${index + 1}`)
}
export function externalIp(index: number, family: Family): Address {
  return parseAddress(family === 4 ? `172.30.0.${200 + index}` : `fd00:30::${200 + index}`)
}
export const nodePort = (index: number): number => 30080 + index

const app = fc.constantFrom('a', 'b', 'c', undefined)
const policy = fc.constantFrom('Cluster' as const, 'Cluster' as const, 'Local' as const)
const service = fc.record({
  app: fc.constantFrom('a', 'b', 'c'),
  type: fc.constantFrom('ClusterIP' as const, 'NodePort' as const, 'LoadBalancer' as const),
  internal: policy,
  external: policy,
  affinity: fc.boolean(),
  distribution: fc.constantFrom(undefined, 'PreferSameZone', 'PreferSameNode'),
  externalIPs: fc.boolean(),
  ranges: fc.constantFrom<string[]>([], [], ['203.0.113.0/24', '2001:db8:113::/64'], ['192.0.2.0/24', '10.244.1.0/24']),
  targetPort: fc.constantFrom<(string | number)[]>(8080, 8080, 'web', 9),
  hasUdp: fc.boolean(),
  hasSctp: fc.boolean(),
})
const egress = fc.record({
  app: fc.constantFrom('a', 'b', 'c'),
  destinations: fc.constantFrom(undefined, ['203.0.113.0/24'], ['2001:db8:113::/64'], ['192.0.2.0/24']),
  onUnavailable: fc.constantFrom('Drop' as const, 'Node' as const),
  owners: fc.tuple(fc.constantFrom(1, 2, 3, undefined), fc.constantFrom(1, 2, 3, undefined)),
})
const pod = fc.record({ app, ready: fc.constantFrom(true, true, true, false) })

/** What varies of a cluster. */
export const arbitraryCluster = fc.record({
  pods: fc.tuple(pod, pod, pod, pod, pod, pod, pod),
  services: fc.tuple(...serviceNames.map(() => fc.option(service, { freq: 6, nil: undefined }))),
  egresses: fc.tuple(fc.option(egress, { nil: undefined }), fc.option(egress, { nil: undefined })),
  policies: fc.array(arbitrarySpec, { maxLength: 2 }),
  clusterPolicies: fc.array(arbitraryClusterSpec, { maxLength: 1 }),
})
export type RandomCluster = typeof arbitraryCluster extends fc.Arbitrary<infer T> ? T : never
type RandomService = NonNullable<RandomCluster['services'][number]>
type RandomEgress = NonNullable<RandomCluster['egresses'][number]>

export function servicesOf({ services }: RandomCluster): readonly Service[] {
  return services.flatMap((one, index) => (one === undefined ? [] : [buildService(index, one)]))
}

function buildService(index: number, one: RandomService): Service {
  const { type } = one
  const both = [4, 6] as const
  const port = { name: 'web', port: 80, protocol: 'TCP' as const, targetPort: one.targetPort }
  const more = type === 'ClusterIP' ? {} : { nodePort: nodePort(index) }
  const external = type !== 'ClusterIP' || one.externalIPs
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `s${index}`, namespace: 'shop', uid: `uid-s${index}`, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      type,
      selector: { app: one.app },
      clusterIP: clusterIp(index, 4),
      clusterIPs: both.map((family) => clusterIp(index, family)),
      ipFamilies: ['IPv4', 'IPv6'],
      ipFamilyPolicy: 'RequireDualStack',
      internalTrafficPolicy: one.internal,
      ...(external ? { externalTrafficPolicy: one.external } : {}),
      ...(one.affinity ? { sessionAffinity: 'ClientIP' as const } : {}),
      ...(one.distribution === undefined ? {} : { trafficDistribution: one.distribution }),
      ...(one.externalIPs ? { externalIPs: both.map((family) => externalIp(index, family)) } : {}),
      ...(type === 'LoadBalancer' ? { loadBalancerSourceRanges: one.ranges } : {}),
      ports: [
        { ...port, ...more },
        ...(one.hasUdp ? [{ name: 'udp', port: 80, protocol: 'UDP' as const, targetPort: 8080, ...more }] : []),
        ...(one.hasSctp ? [{ name: 'sctp', port: 80, protocol: 'SCTP' as const, targetPort: 8080, ...more }] : []),
      ],
    },
    status:
      type === 'LoadBalancer' && !one.externalIPs
        ? { loadBalancer: { ingress: both.map((family) => ({ ip: externalIp(index, family) })) } }
        : {},
  } as Service
}

/** Egresses with what their owners told, and who that is. */
export function egressesOf({ egresses }: RandomCluster): {
  readonly objects: readonly Egress[]
  readonly owners: ReadonlyMap<Address, string>
} {
  const owners = new Map<Address, string>()
  const objects = egresses.flatMap((one, index) => (one === undefined ? [] : [buildEgress(index, one, owners)]))
  return { objects, owners }
}

function buildEgress(index: number, one: RandomEgress, owners: Map<Address, string>): Egress {
  const held = ([4, 6] as const).flatMap((family, at) => {
    const address = exits[family][index]
    const owner = one.owners[at]
    if (address === undefined || owner === undefined) return []
    owners.set(address, `node-${owner}`)
    return [{ address, node: `node-${owner}` }]
  })
  return {
    apiVersion: 'plumb.network/v1alpha1',
    kind: 'Egress',
    metadata: { name: `e${index}`, creationTimestamp: `2026-01-0${index + 1}T00:00:00Z` },
    spec: {
      appliedTo: { podSelector: { matchLabels: { app: one.app } } },
      egressIPs: [exits[4][index], exits[6][index]] as string[],
      onUnavailable: one.onUnavailable,
      ...(one.destinations === undefined ? {} : { destinationCIDRs: one.destinations }),
    },
    status: { addresses: held },
  } as Egress
}

export function policiesOf({
  policies,
  clusterPolicies,
}: RandomCluster): readonly (NetworkPolicy | ClusterNetworkPolicy)[] {
  return [
    ...policies.map((spec, index) => policyObject(`p${index}`, spec, 'shop')),
    ...clusterPolicies.map((spec, index) => clusterPolicyObject(`c${index}`, spec)),
  ]
}

/** Somebody who asks, somebody who is asked, and how. */
const arbitraryPair = fc.record({
  from: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...podNames) },
    { weight: 2, arbitrary: fc.constantFrom('node-1', 'node-2', 'node-3') },
    { weight: 1, arbitrary: fc.constant(hostPod) },
    { weight: 3, arbitrary: fc.constant('outside') },
  ),
  to: fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('pod' as const), name: fc.constantFrom(...podNames) }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('cluster-ip' as const), index: fc.nat(3) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('node-port' as const),
        index: fc.nat(2),
        node: fc.integer({ min: 1, max: 3 }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('external' as const), index: fc.nat(2) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('node' as const), node: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('outside' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('nobody' as const), node: fc.integer({ min: 1, max: 3 }) }) },
  ),
  family: fc.constantFrom<Family>(4, 4, 6),
  transport: fc.constantFrom('tcp' as const, 'tcp' as const, 'udp' as const, 'icmp' as const, 'sctp' as const),
  /** A port that nobody has, now and then. */
  wrongPort: fc.constantFrom(false, false, false, false, true),
})
export type Asked = typeof arbitraryPair extends fc.Arbitrary<infer T> ? T : never
/** Where the router leads. */
const entries: ReadonlySet<Asked['to']['kind']> = new Set(['node-port', 'external', 'node'])
const arbitraryAsked = arbitraryPair.filter(({ from, to }) => from !== 'outside' || entries.has(to.kind))
export const arbitraryQuestions = (count: number): fc.Arbitrary<Asked[]> =>
  fc.array(arbitraryAsked, { minLength: count, maxLength: count })
