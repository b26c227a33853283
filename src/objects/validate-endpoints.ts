import type { FieldError } from './contract.ts'
import {
  complaints,
  duplicate,
  immutable,
  invalid,
  nonNegative,
  notSupported,
  required,
  tooMany,
} from './field-error.ts'
import { findFamily, validateReachable } from './ip-rules.ts'
import { dns1123Label, dns1123Subdomain, labelValueRule, portNumber, qualifiedNameRule } from './names.ts'
import type { Endpoint, EndpointPort, EndpointSlice, Endpoints } from './types.ts'
import { protocols } from './validate-service-ports.ts'

// Limits of discovery.k8s.io/v1 (KEP-752).
const maxEndpoints = 1000
const maxPorts = 100
const maxAddresses = 100
const maxHints = 8
const addressTypes = ['FQDN', 'IPv4', 'IPv6']

/** Upstream's `ValidateEndpointSlice` and its update. */
export function validateEndpointSlice(slice: EndpointSlice, old: EndpointSlice | undefined): FieldError[] {
  const { addressType, endpoints = [], ports = [] } = slice
  const errors: FieldError[] = []
  if (!addressType) errors.push(required('addressType'))
  else if (!addressTypes.includes(addressType)) errors.push(notSupported('addressType', addressType, addressTypes))
  if (endpoints.length > maxEndpoints) errors.push(tooMany('endpoints', endpoints.length, maxEndpoints))
  else
    errors.push(
      ...endpoints.flatMap((endpoint, index) => validateEndpoint(endpoint, `endpoints[${index}]`, addressType)),
    )
  errors.push(...validateSlicePorts(ports))
  if (old !== undefined && old.addressType !== addressType) errors.push(immutable('addressType', addressType))
  return errors
}

function validateEndpoint(endpoint: Endpoint, path: string, addressType: EndpointSlice['addressType']): FieldError[] {
  const { addresses = [], hostname, nodeName, zone, hints } = endpoint
  const errors: FieldError[] = []
  if (addresses.length === 0) errors.push(required(`${path}.addresses`, 'must contain at least 1 address'))
  if (addresses.length > maxAddresses) errors.push(tooMany(`${path}.addresses`, addresses.length, maxAddresses))
  for (const [index, address] of addresses.entries())
    errors.push(...validateEndpointAddress(address, `${path}.addresses[${index}]`, addressType))
  if (nodeName !== undefined) errors.push(...complaints(`${path}.nodeName`, nodeName, dns1123Subdomain(nodeName)))
  if (hostname !== undefined) errors.push(...complaints(`${path}.hostname`, hostname, dns1123Label(hostname)))
  if (zone !== undefined) errors.push(...complaints(`${path}.zone`, zone, labelValueRule(zone)))
  for (const kind of ['forZones', 'forNodes'] as const) {
    const list = hints?.[kind] ?? []
    const at = `${path}.hints.${kind}`
    if (list.length > maxHints) errors.push(tooMany(at, list.length, maxHints))
    for (const [index, { name }] of list.entries())
      if (list.findIndex((item) => item.name === name) < index) errors.push(duplicate(`${at}[${index}].name`, name))
  }
  return errors
}

function validateEndpointAddress(
  address: string,
  field: string,
  addressType: EndpointSlice['addressType'],
): FieldError[] {
  if (addressType === 'FQDN') return complaints(field, address, dns1123Subdomain(address.replace(/\.$/, '')))
  if (addressType !== 'IPv4' && addressType !== 'IPv6') return []
  const family = findFamily(address)
  if (family !== undefined && `IPv${family}` !== addressType)
    return [invalid(field, address, `must be an ${addressType} address`)]
  return validateReachable(field, address)
}

function validateSlicePorts(ports: readonly EndpointPort[]): FieldError[] {
  if (ports.length > maxPorts) return [tooMany('ports', ports.length, maxPorts)]
  const names = new Set<string>()
  return ports.flatMap(({ name = '', protocol, port, appProtocol }, index) => {
    const path = `ports[${index}]`
    const errors = name === '' ? [] : complaints(`${path}.name`, name, dns1123Label(name))
    if (names.has(name)) errors.push(duplicate(`${path}.name`, name))
    names.add(name)
    if (protocol === undefined) errors.push(required(`${path}.protocol`))
    else if (!protocols.includes(protocol)) errors.push(notSupported(`${path}.protocol`, protocol, protocols))
    if (port !== undefined) errors.push(...nonNegative(`${path}.port`, port))
    if (appProtocol !== undefined)
      errors.push(...complaints(`${path}.appProtocol`, appProtocol, qualifiedNameRule(appProtocol)))
    return errors
  })
}

/** Upstream's `ValidateEndpoints`. */
export function validateEndpoints({ subsets = [] }: Endpoints): FieldError[] {
  return subsets.flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }, index) => {
    const path = `subsets[${index}]`
    const errors: FieldError[] = []
    if (addresses.length + notReadyAddresses.length === 0)
      errors.push(required(path, 'must specify `addresses` or `notReadyAddresses`'))
    for (const [kind, list] of Object.entries({ addresses, notReadyAddresses }))
      for (const [at, { ip = '', hostname, nodeName }] of list.entries()) {
        const here = `${path}.${kind}[${at}]`
        errors.push(...validateReachable(`${here}.ip`, ip))
        if (hostname) errors.push(...complaints(`${here}.hostname`, hostname, dns1123Label(hostname)))
        if (nodeName) errors.push(...complaints(`${here}.nodeName`, nodeName, dns1123Subdomain(nodeName)))
      }
    for (const [at, port] of ports.entries()) {
      const here = `${path}.ports[${at}]`
      if (port.name) errors.push(...complaints(`${here}.name`, port.name, dns1123Label(port.name)))
      else if (ports.length > 1) errors.push(required(`${here}.name`))
      errors.push(...complaints(`${here}.port`, port.port ?? 0, portNumber(port.port ?? 0)))
      if (!port.protocol) errors.push(required(`${here}.protocol`))
      else if (!protocols.includes(port.protocol))
        errors.push(notSupported(`${here}.protocol`, port.protocol, protocols))
    }
    return errors
  })
}
