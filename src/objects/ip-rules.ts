import { type Family, familyOf, findAddress, findPrefix } from '../addr/index.ts'
import type { FieldError } from './contract.ts'
import { invalid } from './field-error.ts'

/** Complaints about a value that must be an IP address. */
export function validateAddress(field: string, value: string): FieldError[] {
  if (findAddress(value) !== undefined) return []
  return [invalid(field, value, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')]
}

/** Complaints about a value that must be an IP prefix; host bits are tolerated, as upstream does. */
export function validatePrefix(field: string, value: string): FieldError[] {
  if (findPrefix(value, true) !== undefined) return []
  return [invalid(field, value, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')]
}

/** The family of an address, undefined when the text is none. */
export function findFamily(value: string): Family | undefined {
  const address = findAddress(value)
  return address === undefined ? undefined : familyOf(address)
}

/** Addresses that can be no Service's or endpoint's: unspecified, loopback, link-local. */
export function validateReachable(field: string, value: string): FieldError[] {
  const wrong = validateAddress(field, value)
  if (wrong.length > 0) return wrong
  const address = findAddress(value) as string
  const errors: FieldError[] = []
  if (address === '0.0.0.0' || address === '::')
    errors.push(invalid(field, value, `may not be unspecified (${address})`))
  if (address.startsWith('127.') || address === '::1')
    errors.push(invalid(field, value, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'))
  if (address.startsWith('169.254.') || /^fe[89ab]/.test(address))
    errors.push(invalid(field, value, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'))
  if (address.startsWith('224.0.0.') || /^ff02:/.test(address))
    errors.push(invalid(field, value, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'))
  return errors
}
