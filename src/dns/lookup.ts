import { type Address, contains, familyOf } from '../addr/index.ts'
import { type Because, splitKey } from '../cluster/index.ts'
import type { ResourceRecord, ResponseCode } from './record.ts'
import { findReverseAddress, reverseZone } from './reverse.ts'
import { type EndpointRecord, findLabelAddress, type ServiceRecords } from './service-records.ts'
import type { Zone } from './zone.ts'

/** A question about one name: labels as asked, and a type's name or number. */
export interface Query {
  readonly labels: readonly string[]
  readonly type: string
}

/** What the zone says of one name. `forward`: the name is not the zone's. */
export type Answer =
  | {
      readonly kind: 'answer'
      readonly code: Extract<ResponseCode, 'NOERROR' | 'NXDOMAIN'>
      readonly answers: readonly ResourceRecord[]
      readonly additional: readonly ResourceRecord[]
      readonly authority: readonly ResourceRecord[]
      /** A name outside the zone whose records would complete the answer. */
      readonly outside: string | undefined
      readonly because: Because
    }
  | { readonly kind: 'forward' }

/** What a name means within the zone, before the question's type is looked at. */
interface Meaning {
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

const maxAliases = 8

/** Answers by the Kubernetes DNS specification 1.1.0; case does not matter, and names in the answer keep the question's case. */
export function answer(zone: Zone, query: Query): Answer {
  const labels = query.labels.map((label) => label.toLowerCase())
  const inside = labelsInside(zone, labels)
  if (inside === undefined) return answerReverse(zone, query, labels)
  const name = query.labels.join('.')
  const answers: ResourceRecord[] = []
  let meaning = findMeaning(zone, inside)
  const { because } = meaning
  let owner = name
  // CNAMEs are followed for every type but their own (RFC 1034 4.3.2).
  while (meaning.alias !== undefined && answers.length < maxAliases) {
    answers.push({ name: owner, ttl: zone.ttlSeconds, type: 'CNAME', target: meaning.alias })
    if (query.type === 'CNAME') return found(answers, [], because)
    owner = meaning.alias
    const next = labelsInside(zone, owner.toLowerCase().split('.'))
    if (next === undefined) return { ...found(answers, [], because), outside: owner }
    meaning = findMeaning(zone, next)
  }
  const { records, additional } = recordsFor(zone, meaning, owner, query.type)
  if (records.length > 0) return found([...answers, ...records], additional, because)
  const authority = [authorityRecord(zone, zone.domain)]
  return {
    kind: 'answer',
    code: meaning.exists ? 'NOERROR' : 'NXDOMAIN',
    answers,
    additional: [],
    authority,
    outside: undefined,
    because,
  }
}

function found(answers: readonly ResourceRecord[], additional: readonly ResourceRecord[], because: Because) {
  return { kind: 'answer', code: 'NOERROR', answers, additional, authority: [], outside: undefined, because } as const
}

/** The labels left of the zone's name, or undefined for a name outside. */
function labelsInside(zone: Zone, labels: readonly string[]): readonly string[] | undefined {
  const domain = zone.domain.split('.')
  const at = labels.length - domain.length
  return at >= 0 && domain.every((label, i) => labels[at + i] === label) ? labels.slice(0, at) : undefined
}

/** The SOA record that a negative answer carries; its TTL is how long the answer may be kept (RFC 2308). */
export function authorityRecord(zone: Zone, name: string): ResourceRecord {
  return {
    name,
    ttl: zone.ttlSeconds,
    type: 'SOA',
    primary: `ns.dns.${zone.domain}`,
    mailbox: `hostmaster.${zone.domain}`,
    serial: zone.serial,
    refresh: 7200,
    retry: 1800,
    expire: 86400,
    minimum: zone.ttlSeconds,
  }
}

function recordsFor(
  zone: Zone,
  { addresses = [], services = [], texts = [], apex = false }: Meaning,
  name: string,
  type: string,
): { records: ResourceRecord[]; additional: ResourceRecord[] } {
  const ttl = zone.ttlSeconds
  const none: ResourceRecord[] = []
  switch (type) {
    case 'A':
    case 'AAAA':
      return { records: addressRecords(addresses, name, ttl, type), additional: none }
    case 'SRV': {
      const records = services.map(
        ({ port, weight, target }): ResourceRecord => ({ name, ttl, type: 'SRV', priority: 0, weight, port, target }),
      )
      const glue = new Map(services.map(({ target, addresses }) => [target, addresses]))
      const additional = [...glue].flatMap(([target, list]) =>
        (['A', 'AAAA'] as const).flatMap((kind) => addressRecords(list, target, ttl, kind)),
      )
      return { records, additional }
    }
    case 'TXT':
      return { records: texts.length > 0 ? [{ name, ttl, type, texts }] : [], additional: none }
    case 'SOA':
      return { records: apex ? [{ ...authorityRecord(zone, name) }] : [], additional: none }
    case 'NS':
      return { records: apex ? [{ name, ttl, type, target: `ns.dns.${zone.domain}` }] : [], additional: none }
    default:
      return { records: none, additional: none }
  }
}

function addressRecords(list: readonly Address[], name: string, ttl: number, type: 'A' | 'AAAA'): ResourceRecord[] {
  const family = type === 'A' ? 4 : 6
  const own = list.filter((address) => familyOf(address) === family)
  return [...new Set(own)].map((address) => ({ name, ttl, type, address }))
}

function findMeaning(zone: Zone, labels: readonly string[]): Meaning {
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

function serviceName(zone: Zone, service: ServiceRecords): string {
  const { namespace, name } = splitKey(service.key)
  return `${name}.${namespace}.svc.${zone.domain}`
}

function answerReverse(zone: Zone, query: Query, labels: readonly string[]): Answer {
  const address = findReverseAddress(labels)
  if (address === undefined) return { kind: 'forward' }
  const targets = reverseTargets(zone, address)
  const prefix = zone.reversePrefixes.find((candidate) => contains(candidate, address))
  const because = targets[0]?.because ?? { object: `zone/${zone.domain}`, field: 'address', value: address }
  if (targets.length > 0 && query.type === 'PTR') {
    const name = query.labels.join('.')
    return found(
      targets.map(({ target }) => ({ name, ttl: zone.ttlSeconds, type: 'PTR', target })),
      [],
      because,
    )
  }
  if (targets.length === 0 && prefix === undefined) return { kind: 'forward' }
  // Without a known prefix the name is a zone of its own: a SOA record has to stand at or above it.
  const apex = prefix === undefined ? labels.join('.') : reverseZone(prefix)
  const code = targets.length > 0 ? 'NOERROR' : 'NXDOMAIN'
  return { ...found([], [], because), code, authority: [authorityRecord(zone, apex)] }
}

function reverseTargets(zone: Zone, address: Address): { target: string; because: Because }[] {
  const services = [...zone.servicesAt(address)].flatMap((key) => zone.findService(key) ?? [])
  if (services.length > 0) {
    return services.map((service) => ({
      target: serviceName(zone, service),
      because: { object: `service/${service.key}`, field: 'spec.clusterIPs', value: address },
    }))
  }
  const endpoints = [...zone.endpointsAt(address)]
  // A hostname is what its owner wants to be called; the made-up label is for headless Services without any.
  const named = endpoints.filter(({ endpoint }) => endpoint.named)
  const chosen = named.length > 0 ? named : endpoints.filter(({ service }) => service.kind === 'headless')
  const targets = chosen.map(({ service, endpoint }: { service: ServiceRecords; endpoint: EndpointRecord }) => ({
    target: `${endpoint.label}.${serviceName(zone, service)}`,
    because: { object: `endpointslice/${endpoint.slice}`, field: 'endpoints[].addresses', value: address },
  }))
  return [...new Map(targets.map((entry) => [entry.target, entry])).values()]
}
