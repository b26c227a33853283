import type { FieldError } from './contract.ts'
import { duplicate, invalid, notSupported, required } from './field-error.ts'
import { findFamily, validateAddress } from './ip-rules.ts'
import type { Service } from './types.ts'

type Spec = Service['spec']

const ipFamilies = ['IPv4', 'IPv6'] as const
const ipFamilyPolicies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'] as const

/** clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy together (`ValidateServiceClusterIPsRelatedFields` upstream). */
export function validateServiceAddresses(spec: Spec): FieldError[] {
  if (spec.type === 'ExternalName') return []
  const { clusterIP, clusterIPs = [], ipFamilyPolicy } = spec
  const errors: FieldError[] = []
  if (clusterIP && clusterIPs.length === 0) errors.push(required('spec.clusterIPs'))
  else if (clusterIP && clusterIPs[0] !== clusterIP)
    errors.push(invalid('spec.clusterIPs', clusterIPs, 'first value must match `clusterIP`'))
  else if (!clusterIP && clusterIPs.length > 0)
    errors.push(invalid('spec.clusterIPs', clusterIPs, 'must be empty when `clusterIP` is not specified'))
  errors.push(...validateFamilies(spec))
  if (ipFamilyPolicy !== undefined && !ipFamilyPolicies.includes(ipFamilyPolicy))
    errors.push(notSupported('spec.ipFamilyPolicy', ipFamilyPolicy, ipFamilyPolicies))
  const malformed = validateClusterIPs(clusterIPs)
  errors.push(...malformed)
  if (clusterIPs.length > 2) errors.push(invalid('spec.clusterIPs', clusterIPs, 'may only hold up to 2 values'))
  // What follows would only repeat what is wrong with a malformed address.
  if (malformed.length > 0) return errors
  return [...errors, ...validateStacks(spec)]
}

function validateFamilies({ ipFamilies: given = [] }: Spec): FieldError[] {
  return given.flatMap((family, index) => {
    const path = `spec.ipFamilies[${index}]`
    const errors: FieldError[] = []
    if (!ipFamilies.includes(family)) errors.push(notSupported(path, family, ipFamilies))
    if (given.indexOf(family) < index) errors.push(duplicate(path, family))
    return errors
  })
}

function validateClusterIPs(clusterIPs: readonly string[]): FieldError[] {
  return clusterIPs.flatMap((ip, index) => {
    if (index > 0 || ip !== 'None') return validateAddress(`spec.clusterIPs[${index}]`, ip)
    return clusterIPs.length > 1
      ? [invalid('spec.clusterIPs', clusterIPs, "'None' must be the first and only value")]
      : []
  })
}

function validateStacks({ clusterIPs = [], ipFamilies: given = [] }: Spec): FieldError[] {
  const errors: FieldError[] = []
  if (clusterIPs.length > 1 && new Set(clusterIPs.map(findFamily)).size < 2)
    errors.push(invalid('spec.clusterIPs', clusterIPs, 'may specify no more than one IP for each IP family'))
  if (clusterIPs[0] === 'None') return errors
  for (const [index, family] of given.entries()) {
    const ip = clusterIPs[index]
    if (ip !== undefined && `IPv${findFamily(ip)}` !== family)
      errors.push(
        invalid(
          `spec.clusterIPs[${index}]`,
          ip,
          `expected an ${family} value as indicated by \`ipFamilies[${index}]\``,
        ),
      )
  }
  return errors
}

/** What an update may do to addresses and families: keep the primary, add a secondary, or release it under SingleStack. */
export function validateChangedAddresses(spec: Spec, old: Spec): FieldError[] {
  if (spec.type === 'ExternalName' || old.type === 'ExternalName') return []
  return [...validateChangedClusterIPs(spec, old), ...validateChangedFamilies(spec, old)]
}

function validateChangedClusterIPs(spec: Spec, old: Spec): FieldError[] {
  const now = spec.clusterIPs ?? []
  const before = old.clusterIPs ?? []
  if (now[0] === 'None' && before[0] === 'None') return []
  const errors: FieldError[] = []
  if (now.length === 0 && before.length > 0)
    errors.push(invalid('spec.clusterIPs[0]', now, 'primary clusterIP can not be unset'))
  for (const [index, ip] of before.entries())
    if (now[index] !== undefined && now[index] !== ip)
      errors.push(invalid(`spec.clusterIPs[${index}]`, now, 'may not change once set'))
  if (before.length > now.length && now.length === 1 && spec.ipFamilyPolicy !== 'SingleStack')
    errors.push(
      invalid(
        'spec.ipFamilyPolicy',
        spec.ipFamilyPolicy,
        "must be set to 'SingleStack' when releasing the secondary clusterIP",
      ),
    )
  return errors
}

function validateChangedFamilies(spec: Spec, old: Spec): FieldError[] {
  const now = spec.ipFamilies ?? []
  const before = old.ipFamilies ?? []
  const headless = (clusterIPs: Spec['clusterIPs']) => clusterIPs?.[0] === 'None'
  // A headless Service without selector may change its families as it likes.
  if (headless(spec.clusterIPs) && headless(old.clusterIPs) && !spec.selector && !old.selector) return []
  const errors: FieldError[] = []
  if (now.length === 0 && before.length > 0)
    errors.push(invalid('spec.ipFamilies[0]', now, 'primary ipFamily can not be unset'))
  for (const [index, family] of before.entries())
    if (now[index] !== undefined && now[index] !== family)
      errors.push(invalid(`spec.ipFamilies[${index}]`, now, 'may not change once set'))
  if (before.length > now.length && now.length === 1 && spec.ipFamilyPolicy !== 'SingleStack')
    errors.push(
      invalid(
        'spec.ipFamilyPolicy',
        spec.ipFamilyPolicy,
        "must be set to 'SingleStack' when releasing the secondary ipFamily",
      ),
    )
  return errors
}
