import type { Family } from '../addr/index.ts'
import type { ListeningAt, NodeState, Place } from '../doctor/index.ts'
import { HostError, type Namespace } from '../host/index.ts'
import type { OpenPlace } from './run.ts'

/** What a node's namespace is like apart from its agent; what cannot be read stays undefined. */
export async function lookAtNode(node: string, open: OpenPlace): Promise<Omit<NodeState, 'agent'>> {
  const namespace = await open({ kind: 'node', name: node })
  try {
    const { network } = namespace
    const number = (name: string): number | undefined => {
      const value = trySysctl(network, name)
      return value === undefined || !/^\d+$/.test(value) ? undefined : Number(value)
    }
    const forwards = (family: Family): boolean | undefined => {
      const value = number(family === 4 ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding')
      return value === undefined ? undefined : value !== 0
    }
    const [count, max] = [number('net.netfilter.nf_conntrack_count'), number('net.netfilter.nf_conntrack_max')]
    const tables = await network.tables()
    return {
      node,
      forwarding: { 4: forwards(4), 6: forwards(6) },
      links: ownLinks(network),
      localPorts: trySysctl(network, 'net.ipv4.ip_local_port_range')?.replace(/\s+/, '-'),
      conntrack: count === undefined || max === undefined ? undefined : { count, max },
      foreignTables: tables
        .filter(({ name }) => !name.startsWith('plumb-'))
        .map(({ family, name }) => `${family} ${name}`),
    }
  } finally {
    namespace.close()
  }
}

/** Links with an address that others can reach; those of pods have none, and a bridge or a tunnel has its own word elsewhere. */
function ownLinks(network: Namespace['network']): readonly { readonly name: string; readonly mtu: number }[] {
  const reached = new Set(
    network
      .addresses()
      .flatMap(({ link, address }) => (/^(127\.|::1$|169\.254\.|fe[89ab])/i.test(address) ? [] : [link])),
  )
  return network
    .links()
    .flatMap(({ name, mtu, kind }) => (reached.has(name) && kind !== 'vxlan' ? [{ name, mtu }] : []))
}

/** The sockets that listen in a place. */
export async function lookAtSockets(place: Place, open: OpenPlace): Promise<readonly ListeningAt[]> {
  const namespace = await open(place)
  try {
    return namespace.network.listeners().map(({ protocol, address, port }) => ({ transport: protocol, address, port }))
  } finally {
    namespace.close()
  }
}

function trySysctl(network: Namespace['network'], name: string): string | undefined {
  try {
    return network.sysctl(name).trim()
  } catch (error) {
    if (!(error instanceof HostError)) throw error
    return undefined
  }
}
