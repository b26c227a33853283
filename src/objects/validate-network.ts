import { findPrefix } from '../addr/index.ts'
import type { FieldError } from './contract.ts'
import type { NetworkPolicy, Peer, PolicyPort } from './defaults-network.ts'
import { complaints, forbidden, invalid, notSupported, required } from './field-error.ts'
import { validatePrefix } from './ip-rules.ts'
import { dns1035Label, dns1123Subdomain, portName, portNumber, wildcardSubdomain } from './names.ts'
import type { KubeObject } from './types.ts'
import { validateSelector } from './validate-selector.ts'
import { protocols } from './validate-service-ports.ts'

/** Upstream's `ValidateNetworkPolicy`. */
export function validateNetworkPolicy({ spec }: NetworkPolicy): FieldError[] {
  if (spec === undefined) return []
  const errors = validateSelector(spec.podSelector, 'spec.podSelector')
  for (const [index, { from = [], ports = [] }] of (spec.ingress ?? []).entries()) {
    const path = `spec.ingress[${index}]`
    errors.push(...ports.flatMap((port, at) => validatePolicyPort(port, `${path}.ports[${at}]`)))
    errors.push(...from.flatMap((peer, at) => validatePeer(peer, `${path}.from[${at}]`)))
  }
  for (const [index, { to = [], ports = [] }] of (spec.egress ?? []).entries()) {
    const path = `spec.egress[${index}]`
    errors.push(...ports.flatMap((port, at) => validatePolicyPort(port, `${path}.ports[${at}]`)))
    errors.push(...to.flatMap((peer, at) => validatePeer(peer, `${path}.to[${at}]`)))
  }
  const types = spec.policyTypes ?? []
  if (types.length > 2) errors.push(invalid('spec.policyTypes', types, 'may not specify more than two policyTypes'))
  else
    for (const [index, type] of types.entries())
      if (type !== 'Ingress' && type !== 'Egress')
        errors.push(notSupported(`spec.policyTypes[${index}]`, type, ['Egress', 'Ingress']))
  return errors
}

function validatePolicyPort({ protocol, port, endPort }: PolicyPort, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (protocol !== undefined && !(protocols as readonly string[]).includes(protocol))
    errors.push(notSupported(`${path}.protocol`, protocol, protocols))
  if (typeof port === 'number') errors.push(...complaints(`${path}.port`, port, portNumber(port)))
  if (typeof port === 'string') errors.push(...complaints(`${path}.port`, port, portName(port)))
  if (endPort === undefined) return errors
  if (port === undefined) errors.push(required(`${path}.port`, 'must be specified when `endPort` is specified'))
  if (typeof port === 'string')
    errors.push(forbidden(`${path}.endPort`, '`port` must be an integer when `endPort` is specified'))
  if (typeof port === 'number' && endPort < port)
    errors.push(invalid(`${path}.endPort`, endPort, 'must be greater than or equal to `port`'))
  return [...errors, ...complaints(`${path}.endPort`, endPort, portNumber(endPort))]
}

function validatePeer({ podSelector, namespaceSelector, ipBlock }: Peer, path: string): FieldError[] {
  if (podSelector === undefined && namespaceSelector === undefined && ipBlock === undefined)
    return [required(path, 'must specify a peer')]
  const errors = [
    ...validateSelector(podSelector, `${path}.podSelector`),
    ...validateSelector(namespaceSelector, `${path}.namespaceSelector`),
  ]
  if (ipBlock === undefined) return errors
  if (podSelector !== undefined || namespaceSelector !== undefined)
    return [forbidden(path, 'may not specify both ipBlock and another peer')]
  return [...errors, ...validateIpBlock(ipBlock, `${path}.ipBlock`)]
}

function validateIpBlock({ cidr = '', except = [] }: NonNullable<Peer['ipBlock']>, path: string): FieldError[] {
  if (cidr === '') return [required(`${path}.cidr`)]
  const errors = validatePrefix(`${path}.cidr`, cidr)
  const block = findPrefix(cidr, true)
  for (const [index, value] of except.entries()) {
    const at = `${path}.except[${index}]`
    errors.push(...validatePrefix(at, value))
    const hole = findPrefix(value, true)
    if (block === undefined || hole === undefined) continue
    if (!isStrictlyInside(hole, block)) errors.push(invalid(at, value, 'must be a strict subset of `cidr`'))
  }
  return errors
}

function isStrictlyInside(inner: string, outer: string): boolean {
  const [address = '', length = ''] = inner.split('/')
  const outerLength = outer.split('/')[1] as string
  return Number(length) > Number(outerLength) && findPrefix(`${address}/${outerLength}`, true) === outer
}

/** An Ingress as its validation and columns read it. */
export interface Ingress extends KubeObject {
  spec?: {
    ingressClassName?: string
    defaultBackend?: IngressBackend
    tls?: { hosts?: string[]; secretName?: string }[]
    rules?: { host?: string; http?: { paths?: { path?: string; pathType?: string; backend?: IngressBackend }[] } }[]
  }
  status?: { loadBalancer?: { ingress?: { ip?: string; hostname?: string }[] } }
}

interface IngressBackend {
  service?: { name?: string; port?: { name?: string; number?: number } }
  resource?: { kind?: string; name?: string }
}

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix']

/** Upstream's `ValidateIngress`. */
export function validateIngress({ spec = {} }: Ingress): FieldError[] {
  const { rules = [], defaultBackend, ingressClassName } = spec
  const errors: FieldError[] = []
  if (rules.length === 0 && defaultBackend === undefined)
    errors.push(invalid('spec', [], 'either `defaultBackend` or `rules` must be specified'))
  if (defaultBackend !== undefined) errors.push(...validateBackend(defaultBackend, 'spec.defaultBackend'))
  if (ingressClassName !== undefined)
    errors.push(...complaints('spec.ingressClassName', ingressClassName, dns1123Subdomain(ingressClassName)))
  for (const [index, { host, http }] of rules.entries()) {
    const path = `spec.rules[${index}]`
    if (host) errors.push(...validateHost(host, `${path}.host`))
    if (http === undefined) continue
    if (!http.paths?.length) errors.push(required(`${path}.http.paths`))
    for (const [at, { path: url = '', pathType, backend = {} }] of (http.paths ?? []).entries()) {
      const here = `${path}.http.paths[${at}]`
      errors.push(...validatePath(url, pathType, here), ...validateBackend(backend, `${here}.backend`))
    }
  }
  return errors
}

function validateHost(host: string, field: string): FieldError[] {
  if (/^[\d.]+$/.test(host)) return [invalid(field, host, 'must be a DNS name, not an IP address')]
  return complaints(field, host, host.startsWith('*') ? wildcardSubdomain(host) : dns1123Subdomain(host))
}

function validatePath(url: string, pathType: string | undefined, path: string): FieldError[] {
  if (pathType === undefined) return [required(`${path}.pathType`, 'pathType must be specified')]
  if (!pathTypes.includes(pathType)) return [notSupported(`${path}.pathType`, pathType, pathTypes)]
  if (pathType === 'ImplementationSpecific' && url === '') return []
  if (!url.startsWith('/')) return [invalid(`${path}.path`, url, 'must be an absolute path')]
  if (pathType === 'ImplementationSpecific') return []
  return ['//', '/./', '/../', '%2f', '%2F']
    .filter((bad) => url.includes(bad))
    .map((bad) => invalid(`${path}.path`, url, `must not contain '${bad}'`))
}

function validateBackend({ service, resource }: IngressBackend, path: string): FieldError[] {
  if (resource !== undefined && service !== undefined)
    return [invalid(path, '', 'cannot set both resource and service backends')]
  if (resource !== undefined) return []
  if (service === undefined) return [required(path, 'resource or service backend is required')]
  const { name = '', port = {} } = service
  const errors =
    name === '' ? [required(`${path}.service.name`)] : complaints(`${path}.service.name`, name, dns1035Label(name))
  if (port.name && port.number) errors.push(invalid(path, '', 'cannot set both port name & port number'))
  else if (port.name) errors.push(...complaints(`${path}.service.port.name`, port.name, portName(port.name)))
  else if (port.number) errors.push(...complaints(`${path}.service.port.number`, port.number, portNumber(port.number)))
  else errors.push(required(path, 'port name or number is required'))
  return errors
}
