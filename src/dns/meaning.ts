import type { Address } from '../addr/index.ts'
import { type Because, splitKey } from '../cluster/index.ts'
import { findLabelAddress, type ServiceRecords } from './service-records.ts'
import type { Zone } from './zone.ts'

/** What a name means within the zone, before the question's type is looked at. */
export interface Meaning {
  readonly exists: boolean
  readonly addresses?: readonly Address[]
  readonly services?: readonly {
    readonly port: number
    readonly weight: number
    readonly target: string
    readonly addresses: readonly Address[]
  }[]
  readonly texts?: readonly string[]
  readonly alias?: string
  readonly apex?: boolean
  readonly because: Because
}

/** The meaning of a name within the zone, from its lower-case labels left of the zone's own. */
export function findMeaning(zone: Zone, labels: readonly string[]): Meaning {
  const object = `zone/${zone.domain}`
  const because = (says: string): Because => ({ object, field: says, value: labels.join('.') })
  const [last, namespace = ''] = [labels.at(-1), labels.at(-2)]
  if (labels.length === 0) return { exists: true, apex: true, because: because('apex') }
  if (last === 'dns-version' && labels.length === 1)
    return { exists: true, texts: ['1.1.0'], because: because('dns-version') }
  if (last === 'dns' && labels.length === 1) return { exists: true, because: because('name servers') }
  if (last === 'dns' && labels.length === 2 && namespace === 'ns') return findNameServer(zone, because('name servers'))
  if (last !== 'svc' && last !== 'pod') return { exists: false, because: because('no such name') }
  if (labels.length === 1) return { exists: true, because: because(last) }
  if (!zone.hasNamespace(namespace))
    return { exists: false, because: { object: `namespace/${namespace}`, field: 'metadata.name', value: '' } }
  const inNamespace = { object: `namespace/${namespace}`, field: 'metadata.name', value: namespace }
  if (labels.length === 2) return { exists: last === 'svc' || zone.podRecords !== 'disabled', because: inNamespace }
  if (last === 'svc') return findServiceMeaning(zone, labels.slice(0, -1), namespace)
  return findPodMeaning(zone, labels.slice(0, -2), namespace)
}

function findNameServer(zone: Zone, because: Because): Meaning {
  return { exists: true, addresses: zone.findService(zone.dnsService)?.addresses ?? [], because }
}

function findPodMeaning(zone: Zone, rest: readonly string[], namespace: string): Meaning {
  const label = rest[0] ?? ''
  const address = rest.length === 1 && zone.podRecords !== 'disabled' ? findLabelAddress(label) : undefined
  const missing = { exists: false, because: { object: `namespace/${namespace}`, field: 'pods', value: label } }
  if (address === undefined) return missing
  if (zone.podRecords === 'insecure')
    return {
      exists: true,
      addresses: [address],
      because: { object: `namespace/${namespace}`, field: 'pod record', value: address },
    }
  const pod = zone.snapshot.findPod(address)
  if (pod?.metadata.namespace !== namespace) return missing
  const because = { object: `pod/${namespace}/${pod.metadata.name}`, field: 'status.podIPs', value: address }
  return { exists: true, addresses: [address], because }
}

/** `labels` ends with the Service's name and the namespace. */
function findServiceMeaning(zone: Zone, labels: readonly string[], namespace: string): Meaning {
  const name = labels.at(-2) ?? ''
  const key = `${namespace}/${name}`
  const object = `service/${key}`
  const service = zone.findService(key)
  if (service === undefined) return { exists: false, because: { object, field: 'metadata.name', value: '' } }
  const rest = labels.slice(0, -2)
  if (service.kind === 'external') {
    const because = { object, field: 'spec.externalName', value: service.externalName ?? '' }
    if (rest.length > 0 || service.externalName === undefined) return { exists: false, because }
    return { exists: true, alias: service.externalName, because }
  }
  if (rest.length === 0) return wholeService(zone, service)
  const [first = '', second = ''] = rest
  if (rest.length === 1 && !first.startsWith('_')) return oneEndpoint(zone, service, first)
  if (rest.length > 2 || !(rest.at(-1) ?? '').startsWith('_'))
    return { exists: false, because: { object, field: 'spec.ports', value: rest.join('.') } }
  const port = rest.length === 2 ? first.slice(1) : undefined
  if (port !== undefined && !first.startsWith('_'))
    return { exists: false, because: { object, field: 'spec.ports', value: rest.join('.') } }
  return servicePort(zone, service, port, (rest.length === 2 ? second : first).slice(1))
}

function wholeService(zone: Zone, service: ServiceRecords): Meaning {
  const object = `service/${service.key}`
  const any = () => true
  if (service.kind === 'cluster') {
    const because = { object, field: 'spec.clusterIPs', value: service.addresses.join(',') }
    return { exists: true, addresses: service.addresses, services: clusterTargets(zone, service, any), because }
  }
  const { all } = zone.endpointsOf(service.key)
  const because = { object, field: 'ready endpoints', value: String(all.length) }
  // The specification answers NXDOMAIN for a headless Service without ready endpoints (2.4.1).
  const addresses = all.map(({ address }) => address)
  return { exists: all.length > 0, addresses, services: endpointTargets(zone, service, any), because }
}

function oneEndpoint(zone: Zone, service: ServiceRecords, label: string): Meaning {
  const endpoints = zone.endpointsOf(service.key).byLabel.get(label) ?? []
  const [endpoint] = endpoints
  if (endpoint === undefined)
    return { exists: false, because: { object: `service/${service.key}`, field: 'ready endpoint', value: label } }
  const because = { object: `endpointslice/${endpoint.slice}`, field: 'endpoints[].hostname', value: label }
  return { exists: true, addresses: endpoints.map(({ address }) => address), because }
}

/** `_port._proto` with its SRV records; `_proto` alone has none, but exists when there is a name below it. */
function servicePort(zone: Zone, service: ServiceRecords, port: string | undefined, protocol: string): Meaning {
  // Unnamed ports have no SRV record of their own (2.3.2).
  const fits = (p: { name?: string; protocol?: string }) =>
    p.name !== undefined &&
    p.name !== '' &&
    (p.protocol ?? 'TCP').toLowerCase() === protocol &&
    (port === undefined || p.name.toLowerCase() === port)
  const services =
    service.kind === 'cluster' ? clusterTargets(zone, service, fits) : endpointTargets(zone, service, fits)
  const because = { object: `service/${service.key}`, field: 'spec.ports', value: `${port ?? ''}/${protocol}` }
  return { exists: services.length > 0, ...(port !== undefined && { services }), because }
}

type PortFilter = (port: { name?: string; protocol?: string }) => boolean

function clusterTargets(zone: Zone, service: ServiceRecords, fits: PortFilter): NonNullable<Meaning['services']> {
  const ports = service.ports.filter(fits)
  const target = serviceName(zone, service)
  return ports.map(({ port }) => ({ port, weight: weightOf(ports.length), target, addresses: service.addresses }))
}

function endpointTargets(zone: Zone, service: ServiceRecords, fits: PortFilter): NonNullable<Meaning['services']> {
  const { all, byLabel } = zone.endpointsOf(service.key)
  const targets = new Map<string, { port: number; label: string }>()
  for (const { label, ports } of all)
    for (const port of ports)
      if (port.port !== undefined && fits(port)) targets.set(`${port.port} ${label}`, { port: port.port, label })
  const suffix = serviceName(zone, service)
  return [...targets.values()].map(({ port, label }) => {
    const addresses = (byLabel.get(label) ?? []).map(({ address }) => address)
    return { port, weight: weightOf(targets.size), target: `${label}.${suffix}`, addresses }
  })
}

/** Equal shares of 100, as CoreDNS gives. */
function weightOf(count: number): number {
  return Math.max(1, Math.floor(100 / count))
}

/** The full name of a Service. */
export function serviceName(zone: Zone, service: ServiceRecords): string {
  const { namespace, name } = splitKey(service.key)
  return `${name}.${namespace}.svc.${zone.domain}`
}
