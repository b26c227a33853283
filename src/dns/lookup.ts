import { type Address, contains, familyOf } from '../addr/index.ts'
import type { Because } from '../cluster/index.ts'
import { findMeaning, type Meaning, serviceName } from './meaning.ts'
import type { ResourceRecord, ResponseCode } from './record.ts'
import { findReverseAddress, reverseZone } from './reverse.ts'
import type { EndpointRecord, ServiceRecords } from './service-records.ts'
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
