import { type Address, contains, findPrefix, type Prefix, parsePrefix } from '../addr/index.ts'
import type { Client, Informer } from '../client/index.ts'
import type { OwnershipSource } from '../cluster/index.ts'
import type { LinkAddress, Network } from '../host/index.ts'
import type { NodePlan } from '../nodeplan/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { tunnelLink } from '../pods/index.ts'
import type { Log } from './contract.ts'
import { serviceCidrs } from './resources.ts'

interface ServiceCidr extends KubeObject {
  readonly spec?: { readonly cidrs?: readonly string[] }
}

/**
 * Follows the ServiceCIDR objects (KEP-1880): only Services have addresses in them. Where there are none, as in clusters
 * before 1.33, the prefixes of the options go on to count, so nothing waits for a first list.
 */
export function followServiceCidrs(client: Client, plan: NodePlan, onChange: () => void): { stop(): void } {
  const informer: Informer<ServiceCidr> = client.informer(serviceCidrs)
  let known = ''
  const take = (): void => {
    const texts = [...informer.values()].flatMap(({ spec }) => spec?.cidrs ?? [])
    const prefixes = texts.flatMap((text) => findPrefix(text, true) ?? []).sort()
    if (prefixes.join() === known) return
    known = prefixes.join()
    plan.setServicePrefixes(prefixes)
    onChange()
  }
  const stop = informer.onChange(take)
  take()
  // It ends with the client; until then it tries again by itself, also where the server does not know the kind.
  informer.start().catch(() => undefined)
  return { stop }
}

/** How long an owner that is gone without a successor counts on, in milliseconds. */
const lingerMs = 2000
/** How long after the start nobody need be known as an owner, in milliseconds: what Egresses say of former times counts until then. */
const learnMs = 5000

/**
 * Follows who holds which external address. In a move there is a moment without an owner, and an agent that starts has heard of none; the
 * former one passes packets on all the same, so for a while it stays the way out.
 */
export function followOwners(ownership: OwnershipSource, plan: NodePlan, onChange: () => void): { stop(): void } {
  const timers = new Set<NodeJS.Timeout>()
  const later = (ms: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      work()
      onChange()
    }, ms)
    timers.add(timer)
  }
  const take = (): void => {
    const owners = ownership.owners()
    const gone = [...plan.owners.keys()].filter((address) => !owners.has(address))
    plan.setOwners(new Map([...plan.owners, ...owners]))
    if (gone.length > 0) later(lingerMs, () => plan.setOwners(ownership.owners()))
  }
  const stop = ownership.onChange(() => {
    take()
    onChange()
  })
  if (ownership.owners().size > 0) plan.setOwners(ownership.owners())
  else later(learnMs, () => plan.setOwners(ownership.owners()))
  return {
    stop() {
      stop()
      for (const timer of timers) clearTimeout(timer)
    },
  }
}

/** Node ports never answer there: replies could not leave the node, and link-local addresses are one per link. */
const neverNodePorts: readonly Prefix[] = ['127.0.0.0/8', '::1/128', 'fe80::/10', '169.254.0.0/16'].map(parsePrefix)

/** Follows the addresses of the node's links, for node ports at all that are within given prefixes. */
export function followLocalAddresses(network: Network, plan: NodePlan, onChange: () => void): { stop(): void } {
  let known = ''
  const take = (): void => {
    const addresses = network
      .addresses()
      .filter(({ tentative }) => tentative !== true)
      .map(({ address }) => address)
      .filter((address) => !neverNodePorts.some((prefix) => contains(prefix, address)))
      .sort()
    if (addresses.join() === known) return
    known = addresses.join()
    plan.setLocalAddresses([...new Set(addresses)])
    onChange()
  }
  const watch = network.watchNetwork((what) => {
    if (what === 'address') take()
  })
  take()
  return { stop: () => watch.close() }
}

/** Pods come and go with links and addresses of their own: they are looked at together, at most so often, in milliseconds. */
const lookMs = { link: 50, address: 1000 } as const

/**
 * Follows the links that have the node's addresses, and the tunnel: the kernel forgets all routes by a link that goes down. Then the node's own
 * Node counts as changed, and everything that rests on links is looked at again.
 */
export function followLinks(network: Network, own: () => readonly Address[], onChange: () => void): { stop(): void } {
  let held: readonly LinkAddress[] = []
  let asked = ''
  let known = ''
  const timers = new Map<keyof typeof lookMs, NodeJS.Timeout>()
  const look = (what: keyof typeof lookMs): void => {
    timers.delete(what)
    const addresses = own()
    if (what === 'address' || addresses.join() !== asked) {
      asked = addresses.join()
      held = network.addresses().filter(({ address }) => addresses.includes(address))
    }
    const names = new Set([...held.map(({ link }) => link), tunnelLink])
    const links = [...names].flatMap((name) => network.findLink(name) ?? [])
    const now = [...links.map(({ index, up, carrier, mtu }) => [index, up, carrier, mtu]), ...held.map(Object.values)]
    if (now.join() === known) return
    known = now.join()
    onChange()
  }
  const watch = network.watchNetwork((what) => {
    if ((what === 'link' || what === 'address') && !timers.has(what))
      timers.set(
        what,
        setTimeout(() => look(what), lookMs[what]),
      )
  })
  return {
    stop() {
      for (const timer of timers.values()) clearTimeout(timer)
      watch.close()
    },
  }
}

/** kube-proxy's `conntrack.tcpCloseWaitTimeout` and `tcpEstablishedTimeout`, in seconds. */
const conntrackTimeouts = { close_wait: 3600, established: 86_400 }

/** How long the node remembers translated connections that say nothing: with the kernel's minute, whoever goes on to receive after its own end is cut off. */
export function setConntrackTimeouts(network: Network, log: Log): void {
  for (const [state, seconds] of Object.entries(conntrackTimeouts)) {
    const name = `net.netfilter.nf_conntrack_tcp_timeout_${state}`
    try {
      if (network.sysctl(name) !== String(seconds)) network.setSysctl(name, seconds)
    } catch (error) {
      log.warn(
        { error: String(error) },
        `${name} cannot be set to ${seconds}: silent connections end sooner or later than they should`,
      )
    }
  }
}

/** Lets packets from 127.0.0.1 be translated to other hosts. Without it they are dropped, and all else works. */
export function openLoopback(network: Network, log: Log): void {
  try {
    network.setSysctl('net.ipv4.conf.all.route_localnet', 1)
  } catch (error) {
    log.warn(
      { error: String(error) },
      'route_localnet cannot be set: node ports and host ports do not answer at 127.0.0.1',
    )
  }
}
