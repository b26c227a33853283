import { findAddress, findPrefix } from '../addr/index.ts'
import type { FieldError } from './contract.ts'
import { complaints, forbidden, immutable, invalid, notSupported, required } from './field-error.ts'
import { findFamily, validateAddress, validatePrefix } from './ip-rules.ts'
import { labelValueRule, qualifiedNameRule } from './names.ts'
import { sameMeaning } from './same-meaning.ts'
import type { KubeObject, Lease, Node } from './types.ts'

const effects = ['NoExecute', 'NoSchedule', 'PreferNoSchedule']

/** Upstream's `ValidateNode` and its update. */
export function validateNode({ spec = {} }: Node, old: Node | undefined): FieldError[] {
  const { taints = [], podCIDRs = [], podCIDR } = spec
  const errors: FieldError[] = []
  const seen = new Set<string>()
  for (const [index, { key, value = '', effect }] of taints.entries()) {
    const path = `spec.taints[${index}]`
    errors.push(...complaints(`${path}.key`, key ?? '', qualifiedNameRule(key ?? '')))
    errors.push(...complaints(`${path}.value`, value, labelValueRule(value)))
    if (!effect) errors.push(required(`${path}.effect`))
    else if (!effects.includes(effect)) errors.push(notSupported(`${path}.effect`, effect, effects))
    const id = `${key}:${effect}`
    if (seen.has(id))
      errors.push({
        ...invalid(path, { key, value, effect }, 'taints must be unique by key and effect pair'),
        reason: 'FieldValueDuplicate',
      })
    seen.add(id)
  }
  errors.push(...validatePodCIDRs(podCIDRs, podCIDR))
  if (old === undefined) return errors
  const before = old.spec?.podCIDRs ?? []
  if (before.length > 0 && !sameMeaning(before, podCIDRs))
    errors.push(forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'))
  if (old.spec?.providerID && old.spec.providerID !== spec.providerID)
    errors.push(forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'))
  return errors
}

function validatePodCIDRs(podCIDRs: readonly string[], podCIDR: string | undefined): FieldError[] {
  const errors = podCIDRs.flatMap((prefix, index) => validatePrefix(`spec.podCIDRs[${index}]`, prefix))
  if (podCIDR && podCIDRs.length > 0 && podCIDRs[0] !== podCIDR)
    errors.push(invalid('spec.podCIDRs[0]', podCIDRs[0], 'must match spec.podCIDR'))
  const families = new Set(podCIDRs.map((prefix) => findFamily(prefix.split('/')[0] as string)))
  if (podCIDRs.length > 1 && families.size < podCIDRs.length)
    errors.push(invalid('spec.podCIDRs', podCIDRs, 'may specify no more than one CIDR for each IP family'))
  return errors
}

/** Upstream's defaults of a Node: `podCIDRs` follows `podCIDR`, and back. */
export function defaultNode(node: Node): void {
  node.spec ??= {}
  const { spec } = node
  if (spec.podCIDR && !spec.podCIDRs?.length) spec.podCIDRs = [spec.podCIDR]
  if (!spec.podCIDR && spec.podCIDRs?.[0]) spec.podCIDR = spec.podCIDRs[0]
}

/** Upstream's `ValidateLeaseSpec`; a holder who gives the lease up writes an empty name. */
export function validateLease({ spec = {} }: Lease): FieldError[] {
  const { leaseDurationSeconds, leaseTransitions } = spec
  const errors: FieldError[] = []
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0)
    errors.push(invalid('spec.leaseDurationSeconds', leaseDurationSeconds, 'must be greater than 0'))
  if (leaseTransitions !== undefined && leaseTransitions < 0)
    errors.push(invalid('spec.leaseTransitions', leaseTransitions, 'must be greater than or equal to 0'))
  return errors
}

/** A ServiceCIDR as its validation reads it. */
export interface ServiceCIDR extends KubeObject {
  spec?: { cidrs?: string[] }
}

/** Upstream's `ValidateServiceCIDR` and its update. */
export function validateServiceCIDR({ spec = {} }: ServiceCIDR, old: ServiceCIDR | undefined): FieldError[] {
  const { cidrs = [] } = spec
  const path = 'spec.cidrs'
  if (cidrs.length === 0) return [required(path, 'at least one CIDR required')]
  if (cidrs.length > 2) return [invalid(path, cidrs, 'may only hold up to 2 values')]
  const errors = cidrs.flatMap((prefix, index) =>
    findPrefix(prefix) === prefix
      ? []
      : [invalid(`${path}[${index}]`, prefix, 'must be a valid CIDR value in canonical form, with no host bits set')],
  )
  const families = new Set(cidrs.map((prefix) => findFamily(prefix.split('/')[0] as string)))
  if (errors.length === 0 && families.size < cidrs.length)
    errors.push(
      invalid(path, cidrs, 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/96'),
    )
  if (old !== undefined && !sameMeaning(old.spec?.cidrs, cidrs)) errors.push(immutable(path, cidrs))
  return errors
}

/** An IPAddress as its validation reads it. */
export interface IPAddress extends KubeObject {
  spec?: { parentRef?: { group?: string; resource?: string; namespace?: string; name?: string } }
}

/** Upstream's `ValidateIPAddress` and its update: the name is the address, in canonical form. */
export function validateIPAddress({ metadata, spec = {} }: IPAddress, old: IPAddress | undefined): FieldError[] {
  const errors = validateAddress('metadata.name', metadata.name)
  if (errors.length === 0 && findAddress(metadata.name) !== metadata.name)
    errors.push(invalid('metadata.name', metadata.name, 'not a valid address in canonical format'))
  const { parentRef } = spec
  if (parentRef === undefined) return [...errors, required('spec.parentRef')]
  if (!parentRef.resource) errors.push(required('spec.parentRef.resource'))
  if (!parentRef.name) errors.push(required('spec.parentRef.name'))
  if (old !== undefined && !sameMeaning(parentRef, old.spec?.parentRef))
    errors.push(immutable('spec.parentRef', parentRef))
  return errors
}
