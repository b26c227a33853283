import { type Address, type Family, familyOf, findAddress } from '../addr/index.ts'
import { type Because, type Finding, keyOf, type Labels } from '../cluster/index.ts'
import type { Service } from '../objects/index.ts'
import type { AddressRequest, Sharing } from './address-request.ts'

/** Prefixes under which the annotations are read, ours first; the others are those that MetalLB's users have in their manifests. */
const prefixes = ['plumb.network', 'metallb.io', 'metallb.universe.tf']

/** What a Service asks for; undefined when it is none of ours, a finding when it asks for what cannot be. */
export function serviceRequest(
  service: Service,
  namespaceLabels: Labels | undefined,
): AddressRequest | Finding | undefined {
  const { spec, metadata } = service
  if (!isOurs(service)) return undefined
  const object = `service/${keyOf(service)}`
  const wanted = wantedAddresses(service, object)
  if ('code' in wanted) return wanted
  const pool = annotation(service, 'address-pool')
  const families = familiesOf(service)
  const chosen =
    wanted.addresses.length > 0 ? families.filter((family) => hasFamily(wanted.addresses, family)) : families
  if (wanted.addresses.length > 0 && (chosen.length < wanted.addresses.length || chosen.length === 0))
    return {
      code: 'FamilyMismatch',
      ...wanted.where,
      says: `"${wanted.addresses.join(', ')}" does not fit the Service's families (IPv${families.join(', IPv')})`,
      try: 'ask for one address of each family that spec.ipFamilies has',
    }
  return {
    key: object,
    use: 'LoadBalancer',
    created: metadata.creationTimestamp ?? '',
    families: chosen,
    need: spec.ipFamilyPolicy === 'RequireDualStack' ? 'all' : 'any',
    because: pool === undefined ? wanted.where : { object, field: pool.field, value: pool.value },
    held: (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '' }) => findAddress(ip) ?? []),
    namespace: metadata.namespace ?? '',
    namespaceLabels,
    labels: metadata.labels,
    sharing: sharingOf(service),
    ...(wanted.addresses.length > 0 && { wanted: wanted.addresses }),
    ...(pool !== undefined && { pool: pool.value }),
  }
}

/** Whether a Service's addresses are ours to give: no class, or one of `plumb.network/…`. */
function isOurs({ spec, metadata }: Service): boolean {
  const { type, loadBalancerClass = '', clusterIP } = spec
  if (type !== 'LoadBalancer' || metadata.deletionTimestamp !== undefined || clusterIP === 'None') return false
  return loadBalancerClass === '' || loadBalancerClass.startsWith('plumb.network/')
}

function familiesOf({ spec }: Service): Family[] {
  const named = (spec.ipFamilies ?? []).map((family): Family => (family === 'IPv6' ? 6 : 4))
  if (named.length > 0) return [...new Set(named)]
  const own = (spec.clusterIPs ?? [spec.clusterIP ?? '']).flatMap((text) => findAddress(text) ?? []).map(familyOf)
  return own.length > 0 ? [...new Set(own)] : [4]
}

function hasFamily(addresses: readonly Address[], family: Family): boolean {
  return addresses.some((address) => familyOf(address) === family)
}

function wantedAddresses(
  service: Service,
  object: string,
): { readonly addresses: readonly Address[]; readonly where: Because } | Finding {
  const told = annotation(service, 'loadBalancerIPs')
  const { loadBalancerIP = '' } = service.spec
  if (told !== undefined && loadBalancerIP !== '')
    return {
      code: 'AskedTwice',
      object,
      field: 'spec.loadBalancerIP',
      says: `"${loadBalancerIP}" is asked for here and "${told.value}" in ${told.field}`,
      try: 'take spec.loadBalancerIP away',
    }
  const { field, value } = told ?? { field: 'spec.loadBalancerIP', value: loadBalancerIP }
  const texts = value.split(',').map((text) => text.trim())
  const addresses = value === '' ? [] : texts.map(findAddress)
  const wrong = addresses.indexOf(undefined)
  if (wrong >= 0)
    return {
      code: 'BrokenAddress',
      object,
      field,
      says: `"${texts[wrong]}" is not an IP address`,
      try: 'write an IP address',
    }
  const nothing: Because = { object, field: 'spec.type', value: 'LoadBalancer' }
  return {
    addresses: [...new Set(addresses as Address[])],
    where: value === '' ? nothing : { object, field, value },
  }
}

function annotation({ metadata }: Service, name: string): { field: string; value: string } | undefined {
  for (const prefix of prefixes) {
    const value = metadata.annotations?.[`${prefix}/${name}`]
    if (value !== undefined && value !== '') return { field: `metadata.annotations[${prefix}/${name}]`, value }
  }
  return undefined
}

function sharingOf(service: Service): Sharing | undefined {
  const key = annotation(service, 'allow-shared-ip')?.value
  if (key === undefined) return undefined
  const { ports = [], externalTrafficPolicy, selector = {} } = service.spec
  const pairs = Object.entries(selector).sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    key,
    ports: ports.map(({ protocol = 'TCP', port }) => `${protocol}/${port}`),
    backend: externalTrafficPolicy === 'Local' ? JSON.stringify([service.metadata.namespace, pairs]) : '',
  }
}
