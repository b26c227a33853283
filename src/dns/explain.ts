import type { Because } from '../cluster/index.ts'
import type { Pod } from '../objects/index.ts'
import { answer } from './lookup.ts'
import type { Zone } from './zone.ts'

/** How a resolver turns a name into questions, as in resolv.conf(5). */
export interface SearchPath {
  readonly searches: readonly string[]
  readonly ndots: number
}

/** What came of asking for one name. */
export interface NameTried {
  /** The full name, without trailing dot. */
  readonly name: string
  /** `as is`, or the search suffix that was put behind. */
  readonly suffix: string | undefined
  readonly outcome: 'addresses' | 'no data' | 'no such name' | 'elsewhere'
  readonly addresses: readonly string[]
  /** The aliases that were followed. */
  readonly aliases: readonly string[]
  readonly says: string
  readonly because: Because
}

export interface NameExplanation {
  readonly says: string
  /** In the order of the resolver; the last one decided. */
  readonly tried: readonly NameTried[]
  readonly addresses: readonly string[]
}

/** Whether the kubelet gives a Pod the cluster's DNS server and search path (`dnsPolicy`). */
export function asksClusterDns(pod: Pod): boolean {
  const { dnsPolicy = 'ClusterFirst', hostNetwork = false } = pod.spec
  return dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && !hostNetwork)
}

/** The search path that the kubelet writes for a Pod of `dnsPolicy: ClusterFirst`, with its `dnsConfig`. */
export function searchPathOf(pod: Pod, clusterDomain: string): SearchPath {
  const { dnsConfig } = pod.spec
  const namespace = pod.metadata.namespace ?? 'default'
  const isCluster = asksClusterDns(pod)
  const own = isCluster ? [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain] : []
  const option = dnsConfig?.options?.find(({ name }) => name === 'ndots')?.value
  const ndots = option !== undefined && /^\d+$/.test(option) ? Math.min(Number(option), 15) : isCluster ? 5 : 1
  return { searches: [...own, ...(dnsConfig?.searches ?? [])], ndots }
}

/** The names that a resolver asks for, in order: with a dot at the end just that one; with `ndots` dots as is first, else last. */
export function expandName(name: string, path: SearchPath): readonly { name: string; suffix: string | undefined }[] {
  if (name.endsWith('.')) return [{ name: name.slice(0, -1), suffix: undefined }]
  const asIs = { name, suffix: undefined }
  const searched = path.searches.map((search) => ({ name: `${name}.${search.replace(/\.$/, '')}`, suffix: search }))
  return name.split('.').length - 1 >= path.ndots ? [asIs, ...searched] : [...searched, asIs]
}

/** Why a name does or does not resolve to an address: every name that is tried, what came of it and which object decided. */
export function explainName(zone: Zone, name: string, path: SearchPath): NameExplanation {
  const tried: NameTried[] = []
  for (const candidate of expandName(name, path)) {
    const attempt = tryName(zone, candidate.name, candidate.suffix)
    tried.push(attempt)
    if (attempt.outcome === 'addresses' || attempt.outcome === 'elsewhere') break
  }
  const last = tried.at(-1)
  const addresses = last?.outcome === 'addresses' ? last.addresses : []
  if (addresses.length > 0) return { says: `${name} is ${addresses.join(', ')} (as ${last?.name})`, tried, addresses }
  // An existing object that has nothing to say is the better lead than a name that nobody has.
  const leads = tried.filter(({ outcome }) => outcome === 'no data' || outcome === 'no such name')
  const lead =
    leads.find(({ outcome, because }) => outcome === 'no data' || because.field !== 'metadata.name') ?? leads[0]
  if (last?.outcome !== 'elsewhere')
    return { says: `${name} does not resolve: ${lead?.says ?? 'nothing to ask for'}`, tried, addresses }
  if (lead === undefined) return { says: `${name}: ${last.says}`, tried, addresses }
  return { says: `${name} does not resolve in ${zone.domain}: ${lead.says}; at last ${last.says}`, tried, addresses }
}

function tryName(zone: Zone, name: string, suffix: string | undefined): NameTried {
  const labels = name.split('.')
  const results = (['A', 'AAAA'] as const).map((type) => answer(zone, { labels, type }))
  const addresses: string[] = []
  const aliases = new Set<string>()
  let outside: string | undefined
  let exists = false
  let because: Because = { object: `zone/${zone.domain}`, field: 'name', value: name }
  for (const result of results) {
    if (result.kind === 'forward') {
      const says = `${name} is outside ${zone.domain}: an upstream server has to know it`
      return { name, suffix, outcome: 'elsewhere', addresses, aliases: [], says, because }
    }
    because = result.because
    exists ||= result.code === 'NOERROR'
    outside ??= result.outside
    for (const record of result.answers) {
      if (record.type === 'A' || record.type === 'AAAA') addresses.push(record.address)
      if (record.type === 'CNAME') aliases.add(record.target)
    }
  }
  const common = { name, suffix, addresses, aliases: [...aliases], because }
  if (addresses.length > 0) return { ...common, outcome: 'addresses', says: `${name} is ${addresses.join(', ')}` }
  if (outside !== undefined)
    return {
      ...common,
      outcome: 'elsewhere',
      says: `${name} is an alias of ${outside}, outside ${zone.domain}: an upstream server has to know it`,
    }
  if (exists)
    return {
      ...common,
      outcome: 'no data',
      says: `${name} exists and has no address (${because.object} ${because.field})`,
    }
  return { ...common, outcome: 'no such name', says: missing(name, because) }
}

function missing(name: string, { object, field, value }: Because): string {
  if (field === 'metadata.name') return `${name}: there is no ${object}`
  if (field === 'ready endpoints') return `${name}: headless ${object} has no ready endpoint`
  if (field === 'ready endpoint') return `${name}: no ready endpoint of ${object} has the hostname ${value}`
  if (field === 'spec.externalName') return `${name}: spec.externalName of ${object} is no host name`
  return `${name}: no such name`
}
