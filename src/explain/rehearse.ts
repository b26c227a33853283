import { findAddress } from '../addr/index.ts'
import { type LiveSnapshot, snapshotOf } from '../cluster/index.ts'
import { compileEndpointSlices } from '../endpoints/index.ts'
import type { GatewayModel, Sources } from '../gateways/index.ts'
import type { KubeObject, Node, Pod, Service } from '../objects/index.ts'
import { nodeAddresses } from '../pods/index.ts'
import { rehearseEgresses } from './rehearse-egresses.ts'
import { rehearseGateways } from './rehearse-gateways.ts'
import { castOf } from './workloads.ts'

/** Manifests as the cluster that they would become, and what had to be taken for granted for that. */
export interface Rehearsal {
  readonly snapshot: LiveSnapshot
  readonly gateways: GatewayModel
  /** What the gateways are compiled from. */
  readonly sources: Sources
  /** `deployment/shop/web` by the key of its pod. */
  readonly nameOf: ReadonlyMap<string, string>
  readonly assumptions: readonly string[]
}

const node: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node-1' },
  spec: { podCIDRs: ['10.244.0.0/16'] },
  status: { addresses: [{ type: 'InternalIP', address: '172.30.0.11' }] },
}

/**
 * Gives manifests what a cluster would: a pod for each workload that wants any, Ready on a node, and addresses and
 * EndpointSlices. What the manifests say themselves stays, so that objects out of a cluster are taken as they are.
 */
export function rehearse(manifests: readonly KubeObject[]): Rehearsal {
  const broken = manifests.filter((one) => needsSpec.has(one.kind) && !('spec' in one && one.spec))
  const objects = manifests.filter((one) => !broken.includes(one))
  const idle = ({ spec }: KubeObject & { spec?: { replicas?: unknown } }): boolean => spec?.replicas === 0
  const cast = castOf(objects.filter((object) => !idle(object)))
  const others = objects.filter(({ kind }) => kind !== 'Pod').map(placed)
  const snapshot = snapshotOf(others)
  const assumptions = ['the manifests alone are asked: no kernel was looked at, and no packet was sent']
  for (const { kind, metadata } of broken)
    assumptions.push(`${kind.toLowerCase()}/${metadata.name} has no spec and is left out`)
  if (snapshot.nodes.size === 0) {
    snapshot.put('nodes', 'node-1', node)
    assumptions.push('all pods run on one node, for the manifests have no Node')
  }
  const [[host, { spec }] = ['node-1', node]] = snapshot.nodes
  const taken = new Set(cast.pods.flatMap(({ status }) => status?.podIPs?.map(({ ip }) => ip) ?? []))
  const podAddress = fresh(spec?.podCIDRs?.find((text) => !text.includes(':')) ?? '10.244.0.0/16', taken)
  const given = cast.pods.map((pod) => started(pod, snapshot.nodes.get(pod.spec.nodeName ?? host), host, podAddress))
  const nameOf = new Map<string, string>()
  for (const [at, pod] of given.entries()) {
    const key = `${pod.metadata.namespace}/${pod.metadata.name}`
    snapshot.put('pods', key, pod)
    const whose = cast.nameOf.get(`${pod.metadata.namespace}/${cast.pods[at]?.metadata.name}`)
    if (whose !== undefined) nameOf.set(key, whose)
  }
  if (!snapshot.services.has('kube-system/kube-dns'))
    assumptions.push('names are resolved, for the manifests have no Service kube-system/kube-dns')
  if (given.some((pod, at) => pod.status !== cast.pods[at]?.status))
    assumptions.push('each workload has one pod, which is Ready; addresses that are not in the manifests are made up')
  const used = new Set([...snapshot.services.values()].flatMap(({ spec: { clusterIP } }) => clusterIP ?? []))
  const serviceAddress = fresh('10.96.0.0/16', used)
  for (const [key, service] of [...snapshot.services]) {
    const addressed = withAddress(service, serviceAddress)
    snapshot.put('services', key, addressed)
    if (snapshot.slicesOf(key).length > 0) continue
    for (const [index, slice] of compileEndpointSlices(addressed, given, snapshot.nodes, []).create.entries()) {
      const name = `${service.metadata.name}-${index + 1}`
      const metadata = { ...slice.metadata, name }
      snapshot.put('slices', `${service.metadata.namespace}/${name}`, { ...slice, metadata })
    }
  }
  assumptions.push(...rehearseEgresses(snapshot))
  const gateways = rehearseGateways(others, snapshot)
  assumptions.push(...gateways.assumptions)
  return { snapshot, gateways: gateways.model, sources: gateways.sources, nameOf, assumptions }
}

const needsSpec: ReadonlySet<string> = new Set(['Service', 'Pod', 'NetworkPolicy'])

const clusterWide: ReadonlySet<string> = new Set([
  ...['Node', 'Namespace', 'Egress', 'IPAddressPool', 'L2Advertisement'],
  ...['ClusterNetworkPolicy', 'AdminNetworkPolicy', 'BaselineAdminNetworkPolicy', 'GatewayClass', 'IngressClass'],
])

function placed(object: KubeObject): KubeObject {
  if (clusterWide.has(object.kind)) return object
  return { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? 'default' } }
}

/** A pod of a manifest as it is once it runs; one that has an address already stays as it is. */
function started(pod: Pod, on: Node | undefined, host: string, nextAddress: () => string): Pod {
  if (pod.status?.podIPs?.some(({ ip }) => findAddress(ip) !== undefined)) return pod
  const shared = pod.spec.hostNetwork === true && on !== undefined ? Object.values(nodeAddresses(on)) : []
  const addresses = shared.length > 0 ? shared : [nextAddress()]
  const [kind, name] = pod.metadata.name.split('/')
  return {
    ...pod,
    metadata: { ...pod.metadata, name: name === undefined ? (kind ?? '') : `${name}-${kind}` },
    spec: { ...pod.spec, nodeName: pod.spec.nodeName ?? host },
    status: {
      phase: 'Running',
      podIPs: addresses.map((ip) => ({ ip })),
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  }
}

function withAddress(service: Service, nextAddress: () => string): Service {
  const { spec } = service
  if (spec.clusterIPs !== undefined || spec.type === 'ExternalName') return service
  const address = spec.clusterIP || nextAddress()
  const families = spec.ipFamilies ?? [address.includes(':') ? 'IPv6' : 'IPv4']
  return { ...service, spec: { ...spec, clusterIP: address, clusterIPs: [address], ipFamilies: families } }
}

/** Addresses of an IPv4 prefix, from the second host on, that nobody has. */
function fresh(prefix: string, taken: ReadonlySet<string>): () => string {
  const octets = (prefix.split('/')[0] ?? '').split('.').map(Number)
  let last = octets.reduce((sum, octet) => sum * 256 + octet, 0) + 1
  return () => {
    let address: string
    do {
      last += 1
      address = [24, 16, 8, 0].map((shift) => Math.floor(last / 2 ** shift) % 256).join('.')
    } while (taken.has(address))
    return address
  }
}
