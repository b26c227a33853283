import { type Address, familyOf, findAddress } from '../addr/index.ts'
import type { FieldError, Service } from '../objects/index.ts'

type Spec = Service['spec']
export type IpFamily = 'IPv4' | 'IPv6'

/** Whether the Service gets ClusterIPs. */
export function needsClusterIp({ type }: Spec): boolean {
  return type !== 'ExternalName'
}

/** Whether the Service gets node ports. */
export function needsNodePort({ type }: Spec): boolean {
  return type === 'NodePort' || type === 'LoadBalancer'
}

/** Whether the Service gets a health check node port. */
export function needsHealthCheckPort({ type, externalTrafficPolicy }: Spec): boolean {
  return type === 'LoadBalancer' && externalTrafficPolicy === 'Local'
}

/** `None`: no ClusterIP by the user's wish. */
export function isHeadless({ clusterIP, clusterIPs }: Spec): boolean {
  return clusterIP === 'None' || clusterIPs?.[0] === 'None'
}

/** The Kubernetes name of an address's family. */
export function ipFamilyOf(address: Address): IpFamily {
  return familyOf(address) === 4 ? 'IPv4' : 'IPv6'
}

function sameList(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return JSON.stringify(a ?? []) === JSON.stringify(b ?? [])
}

function reduced(now: readonly string[] | undefined, before: readonly string[] | undefined): boolean {
  return (before?.length ?? 0) > 1 && now?.length === 1 && now[0] === before?.[0]
}

function bad(field: string, value: unknown, message: string): FieldError {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${message}` }
}

/** A PreferDualStack Service keeps what it has when the cluster gains or loses a family. */
export function keepsFamilies(spec: Spec, old: Spec | undefined): boolean {
  return (
    old !== undefined &&
    spec.ipFamilyPolicy === 'PreferDualStack' &&
    old.ipFamilyPolicy === 'PreferDualStack' &&
    needsClusterIp(old) &&
    sameList(spec.clusterIPs, old.clusterIPs) &&
    sameList(spec.ipFamilies, old.ipFamilies)
  )
}

/**
 * Fills in `ipFamilyPolicy` and `ipFamilies` from the request, the old object and the families that the cluster has
 * (its first is the default), as upstream's allocator does; returns what it refuses.
 */
export function fillFamilies(spec: Spec, old: Spec | undefined, cluster: readonly IpFamily[]): FieldError[] {
  if (!needsClusterIp(spec) || keepsFamilies(spec, old)) return []
  const bare = isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0
  spec.ipFamilyPolicy ??= old?.ipFamilyPolicy ?? (bare ? 'RequireDualStack' : 'SingleStack')
  const errors = [...checkReduction(spec, old), ...checkCounts(spec), ...inferFamilies(spec, cluster)]
  if (errors.length > 0) return errors
  if (bare) {
    if (!spec.ipFamilies?.length) spec.ipFamilies = [cluster[0]!]
    if (spec.ipFamilyPolicy !== 'SingleStack') addOtherFamily(spec)
    return []
  }
  if (spec.ipFamilyPolicy === 'RequireDualStack' && cluster.length < 2)
    errors.push(
      bad('spec.ipFamilyPolicy', spec.ipFamilyPolicy, 'this cluster is not configured for dual-stack services'),
    )
  for (const [index, family] of (spec.ipFamilies ?? []).entries()) {
    if (!cluster.includes(family))
      errors.push(bad(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster'))
  }
  if (errors.length > 0) return errors
  if (!spec.ipFamilies?.length) spec.ipFamilies = [cluster[0]!]
  if (spec.ipFamilyPolicy !== 'SingleStack' && cluster.length === 2) addOtherFamily(spec)
  return []
}

function addOtherFamily(spec: Spec): void {
  if (spec.ipFamilies?.length === 1)
    spec.ipFamilies = [spec.ipFamilies[0]!, spec.ipFamilies[0] === 'IPv4' ? 'IPv6' : 'IPv4']
}

function checkReduction(spec: Spec, old: Spec | undefined): FieldError[] {
  if (old === undefined) return []
  if (spec.ipFamilyPolicy === 'SingleStack') {
    if (sameList(spec.clusterIPs, old.clusterIPs) && (spec.clusterIPs?.length ?? 0) > 1)
      spec.clusterIPs = [spec.clusterIPs![0]!]
    if (sameList(spec.ipFamilies, old.ipFamilies) && (spec.ipFamilies?.length ?? 0) > 1)
      spec.ipFamilies = [spec.ipFamilies![0]!]
    return []
  }
  const errors: FieldError[] = []
  const policy = spec.ipFamilyPolicy
  if (reduced(spec.clusterIPs, old.clusterIPs))
    errors.push(bad('spec.ipFamilyPolicy', policy, "must be 'SingleStack' to release the secondary cluster IP"))
  if (reduced(spec.ipFamilies, old.ipFamilies))
    errors.push(bad('spec.ipFamilyPolicy', policy, "must be 'SingleStack' to release the secondary IP family"))
  return errors
}

function checkCounts(spec: Spec): FieldError[] {
  if (spec.ipFamilyPolicy !== 'SingleStack') return []
  const errors: FieldError[] = []
  const must = "must be 'RequireDualStack' or 'PreferDualStack' when multiple"
  if (spec.clusterIPs?.length === 2)
    errors.push(bad('spec.ipFamilyPolicy', 'SingleStack', `${must} cluster IPs are specified`))
  if (spec.ipFamilies?.length === 2)
    errors.push(bad('spec.ipFamilyPolicy', 'SingleStack', `${must} IP families are specified`))
  return errors
}

function inferFamilies(spec: Spec, cluster: readonly IpFamily[]): FieldError[] {
  const errors: FieldError[] = []
  for (const [index, text] of (spec.clusterIPs ?? []).entries()) {
    const address = findAddress(text)
    if (text === 'None' || address === undefined || index < (spec.ipFamilies?.length ?? 0)) continue
    const family = ipFamilyOf(address)
    if (cluster.includes(family)) spec.ipFamilies = [...(spec.ipFamilies ?? []), family]
    else errors.push(bad(`spec.clusterIPs[${index}]`, spec.clusterIPs, `${family} is not configured on this cluster`))
  }
  return errors
}
