import type { FieldError } from './contract.ts'
import { complaints, invalid, notSupported, required } from './field-error.ts'
import { validateAddress } from './ip-rules.ts'
import { dnsSearchPath } from './names.ts'
import type { PodSpec } from './types.ts'

const policies = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None']

const maxNameservers = 3
const maxSearches = 32
const maxSearchChars = 2048

/** dnsPolicy and dnsConfig of a pod. */
export function validatePodDns({ dnsPolicy = '' as 'None', dnsConfig }: PodSpec, path: string): FieldError[] {
  const at = `${path}.dnsConfig`
  if (!policies.includes(dnsPolicy)) return [notSupported(`${path}.dnsPolicy`, dnsPolicy, policies)]
  if (dnsConfig === undefined)
    return dnsPolicy === 'None' ? [required(at, 'must provide `dnsConfig` when `dnsPolicy` is None')] : []
  const { nameservers = [], searches = [], options = [] } = dnsConfig
  const errors: FieldError[] = []
  if (dnsPolicy === 'None' && nameservers.length === 0)
    errors.push(required(`${at}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'))
  if (nameservers.length > maxNameservers)
    errors.push(invalid(`${at}.nameservers`, nameservers, `must not have more than ${maxNameservers} nameservers`))
  errors.push(...nameservers.flatMap((ip, index) => validateAddress(`${at}.nameservers[${index}]`, ip)))
  if (searches.length > maxSearches)
    errors.push(invalid(`${at}.searches`, searches, `must not have more than ${maxSearches} search paths`))
  if (searches.join(' ').length > maxSearchChars)
    errors.push(
      invalid(
        `${at}.searches`,
        searches,
        `must not have more than ${maxSearchChars} characters (including spaces) in the search list`,
      ),
    )
  for (const [index, search] of searches.entries()) {
    const name = search.replace(/\.$/, '')
    if (search !== '.') errors.push(...complaints(`${at}.searches[${index}]`, search, dnsSearchPath(name)))
  }
  for (const [index, option] of options.entries())
    if (!option.name) errors.push(required(`${at}.options[${index}]`, 'must not be empty'))
  return errors
}
