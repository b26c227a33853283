import { sameMeaning } from './same-meaning.ts'
import type { Service } from './types.ts'

type Spec = Service['spec']

const has = {
  clusterIP: ({ type }: Spec) => type !== 'ExternalName',
  nodePort: ({ type }: Spec) => type === 'NodePort' || type === 'LoadBalancer',
  loadBalancer: ({ type }: Spec) => type === 'LoadBalancer',
  healthCheck: ({ type, externalTrafficPolicy }: Spec) => type === 'LoadBalancer' && externalTrafficPolicy === 'Local',
} as const

/** Whether clients outside the cluster reach the Service, so that `externalTrafficPolicy` means something. */
export function externallyAccessible(spec: Spec): boolean {
  return has.nodePort(spec) || (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0)
}

/** A new Service: `clusterIPs` follows `clusterIP`. */
export function prepareNewService({ spec }: Service): void {
  if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP]
}

/**
 * An update: allocated values that the client left out are kept, those that a change of type made meaningless are
 * dropped if the client did not touch them, and `clusterIPs` follows a changed `clusterIP`.
 */
export function prepareChangedService({ spec }: Service, { spec: old }: Service): void {
  keepAllocated(spec, old)
  dropMeaningless(spec, old)
  releaseSecondary(spec, old)
  if (spec.clusterIP !== old.clusterIP && sameMeaning(spec.clusterIPs, old.clusterIPs)) {
    if (spec.clusterIP) spec.clusterIPs = [spec.clusterIP]
    else delete spec.clusterIPs
  }
}

function keepAllocated(spec: Spec, old: Spec): void {
  if (has.clusterIP(spec) && has.clusterIP(old)) {
    if (!spec.clusterIP && old.clusterIP) spec.clusterIP = old.clusterIP
    if (!spec.clusterIPs?.length && old.clusterIPs?.length) spec.clusterIPs = [...old.clusterIPs]
    if (!spec.ipFamilies?.length && old.ipFamilies?.length) spec.ipFamilies = [...old.ipFamilies]
    if (!spec.ipFamilyPolicy && old.ipFamilyPolicy) spec.ipFamilyPolicy = old.ipFamilyPolicy
  }
  if (has.nodePort(spec) && has.nodePort(old)) keepNodePorts(spec, old)
  if (has.healthCheck(spec) && has.healthCheck(old) && !spec.healthCheckNodePort && old.healthCheckNodePort)
    spec.healthCheckNodePort = old.healthCheckNodePort
}

/** By port name: the client may have changed everything else. A number that another port of the new Service claims is not given twice. */
function keepNodePorts(spec: Spec, old: Spec): void {
  const claimed = new Set(spec.ports?.map((port) => port.nodePort))
  const known = new Map(old.ports?.map((port) => [port.name ?? '', port.nodePort]))
  for (const port of spec.ports ?? []) {
    const before = known.get(port.name ?? '')
    if (port.nodePort || !before || claimed.has(before)) continue
    port.nodePort = before
    claimed.add(before)
  }
}

function dropMeaningless(spec: Spec, old: Spec): void {
  if (has.clusterIP(old) && !has.clusterIP(spec))
    dropUnchanged(spec, old, ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy'])
  if (has.loadBalancer(old) && !has.loadBalancer(spec))
    dropUnchanged(spec, old, ['allocateLoadBalancerNodePorts', 'loadBalancerClass'])
  if (externallyAccessible(old) && !externallyAccessible(spec)) dropUnchanged(spec, old, ['externalTrafficPolicy'])
  if (has.healthCheck(old) && !has.healthCheck(spec)) dropUnchanged(spec, old, ['healthCheckNodePort'])
  const nodePorts = (ports: Spec['ports']) => (ports ?? []).map((port) => port.nodePort ?? 0).sort()
  if (has.nodePort(old) && !has.nodePort(spec) && sameMeaning(nodePorts(spec.ports), nodePorts(old.ports)))
    for (const port of spec.ports ?? []) delete port.nodePort
}

/** A change to SingleStack alone means: give up the second address and family. */
function releaseSecondary(spec: Spec, old: Spec): void {
  if (spec.ipFamilyPolicy !== 'SingleStack' || old.ipFamilyPolicy === 'SingleStack') return
  if (spec.clusterIPs && sameMeaning(spec.clusterIPs, old.clusterIPs)) spec.clusterIPs = spec.clusterIPs.slice(0, 1)
  if (spec.ipFamilies && sameMeaning(spec.ipFamilies, old.ipFamilies)) spec.ipFamilies = spec.ipFamilies.slice(0, 1)
}

function dropUnchanged(spec: Spec, old: Spec, keys: readonly (keyof Spec)[]): void {
  for (const key of keys) if (sameMeaning(spec[key], old[key])) delete spec[key]
}
