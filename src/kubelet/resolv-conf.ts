import type { Pod } from '../objects/index.ts'

/** What the node knows about names, for pods that ask it. */
export interface NodeResolver {
  readonly clusterAddresses: readonly string[]
  readonly clusterDomain: string
  /** The text of the machine's own resolv.conf, for `dnsPolicy: Default`. */
  readonly own: string
}

interface Settings {
  readonly nameservers: readonly string[]
  readonly searches: readonly string[]
  readonly options: readonly string[]
}

// glibc reads three nameservers (resolv.h MAXNS); kubelet caps the search list at 32 entries.
const maximumNameservers = 3
const maximumSearches = 32

/** The /etc/resolv.conf of a pod by its dnsPolicy and dnsConfig, as kubelet writes it. */
export function renderResolvConf(pod: Pod, resolver: NodeResolver): string {
  const base = policySettings(pod, resolver)
  const config = pod.spec.dnsConfig
  const nameservers = [...new Set([...base.nameservers, ...(config?.nameservers ?? [])])].slice(0, maximumNameservers)
  const searches = [...new Set([...base.searches, ...(config?.searches ?? [])])].slice(0, maximumSearches)
  const options = mergeOptions(base.options, config?.options ?? [])
  const lines = nameservers.map((address) => `nameserver ${address}`)
  if (searches.length > 0) lines.unshift(`search ${searches.join(' ')}`)
  if (options.length > 0) lines.push(`options ${options.join(' ')}`)
  return `${lines.join('\n')}\n`
}

function policySettings(pod: Pod, resolver: NodeResolver): Settings {
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst'
  if (policy === 'None') return { nameservers: [], searches: [], options: [] }
  if (policy === 'Default' || (policy === 'ClusterFirst' && pod.spec.hostNetwork)) return parseResolvConf(resolver.own)
  const { clusterDomain: domain } = resolver
  return {
    nameservers: resolver.clusterAddresses,
    searches: [
      `${pod.metadata.namespace}.svc.${domain}`,
      `svc.${domain}`,
      domain,
      ...parseResolvConf(resolver.own).searches,
    ],
    options: ['ndots:5'],
  }
}

/** The settings that a resolv.conf spells; the last `search` or `domain` line counts (resolv.conf(5)). */
export function parseResolvConf(text: string): Settings {
  const nameservers: string[] = []
  const options: string[] = []
  let searches: string[] = []
  for (const line of text.split('\n')) {
    const [word, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/)
    if (word === 'nameserver' && values[0] !== undefined) nameservers.push(values[0])
    if (word === 'search' || word === 'domain') searches = values.filter((value) => value !== '.')
    if (word === 'options') options.push(...values)
  }
  return { nameservers, searches, options }
}

function mergeOptions(base: readonly string[], added: readonly { name?: string; value?: string }[]): string[] {
  const byName = new Map(base.map((option) => [option.split(':')[0]!, option]))
  for (const { name, value } of added) {
    if (name !== undefined) byName.set(name, value === undefined ? name : `${name}:${value}`)
  }
  return [...byName.values()]
}
