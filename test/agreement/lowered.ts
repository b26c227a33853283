// The rules of three nodes in fake kernels, and a packet's way through them.

import { type Address, contains, type Family, familyOf, parsePrefix } from '../../src/addr/index.ts'
import { servicePrefixes } from '../../src/agent/rig.fixture.ts'
import type { Changes } from '../../src/cluster/index.ts'
import type { Protocol } from '../../src/explain/index.ts'
import { FakeNftables, type Packet, type Trace, trace } from '../../src/nft/index.ts'
import { NodePlan } from '../../src/nodeplan/index.ts'
import { hostPod, podNames } from './random-cluster.ts'
import type { World } from './world.ts'

interface Place {
  readonly name: string
  readonly plan: NodePlan
  readonly kernel: FakeNftables
  readonly addresses: Readonly<Record<Family, Address>>
  /** Names of links by the addresses of the pods behind them. */
  readonly links: ReadonlyMap<Address, string>
}

export interface TracedPacket {
  readonly from: string
  readonly source: Address
  readonly destination: Address
  readonly transport: Protocol
  readonly port: number
  /** What each random number below N is: this, modulo N. */
  readonly choice: number
}

const podPrefixes = [1, 2, 3].map((at) =>
  [`10.244.${at}.0/24`, `fd00:244:0:${at}::/64`].map((text) => parsePrefix(text)),
)
/** Marks of packets that are led to the owner of their egress address: the low 16 bits are its index, or ffff for oneself. */
const outwards = 0x50e0

export class Lowered {
  readonly #world: World
  readonly #places: readonly Place[]

  constructor(world: World) {
    this.#world = world
    this.#places = [1, 2, 3].map((index) => {
      const name = `node-${index}`
      const plan = new NodePlan({ node: name, servicePrefixes, policies: true, egress: true })
      const own = podNames.slice(index * 2 - 2, index * 2)
      const links = own.flatMap((pod) =>
        Object.values(world.station(pod).addresses).map((address): [Address, string] => [address, `plumb${pod}`]),
      )
      for (const pod of own) plan.attach(`shop/${pod}`, Object.values(world.station(pod).addresses))
      const { addresses } = world.station(name)
      return { name, plan, kernel: new FakeNftables(), addresses, links: new Map(links) }
    })
  }

  /** Takes in what changed since the last time. */
  round(changes: Changes): void {
    for (const { plan, kernel } of this.#places) {
      plan.setOwners(this.#world.owners)
      kernel.apply(plan.plan(this.#world.snapshot, changes).transaction)
      plan.confirm()
    }
  }

  /** `NAME as ADDRESS` of who gets the packet, `refused` or `silence`; with the rules that it met. */
  follow(asked: TracedPacket): { readonly end: string; readonly steps: readonly string[] } {
    const { from, transport } = asked
    const onHost = from.startsWith('node-') || from === hostPod
    const first = from === hostPod ? 'node-2' : onHost ? from : this.#entry(asked)
    let packet: Packet = {
      family: familyOf(asked.source),
      ...contentOf(transport, familyOf(asked.source), asked.port),
      source: asked.source,
      destination: asked.destination,
      conntrack: { state: 'new', direction: 'original' },
    }
    const steps: string[] = []
    let place = this.#place(first)
    let link = onHost ? undefined : (place.links.get(asked.source) ?? 'eth0')
    for (let hop = 0; hop < 4; hop++) {
      const entering = link === undefined ? packet : { ...packet, inputInterface: link }
      const traced = this.#trace(place, entering, link === undefined ? 'host' : 'wire', asked.choice)
      steps.push(
        ...traced.steps.map(
          ({ table, chain, rule, verdict }) => `${place.name} ${table} ${chain}: ${rule} ${verdict ?? ''}`,
        ),
      )
      const { outcome } = traced
      if (outcome.kind === 'rejected') return { end: 'refused', steps }
      if (outcome.kind === 'dropped' || outcome.kind === 'unroutable') return { end: 'silence', steps }
      const { source, destination, mark = 0, destinationPort: port = 0 } = traced.packet
      const seen = traced.snat === 'masquerade' ? place.addresses[packet.family] : source
      if (outcome.kind === 'delivered') return { end: this.#arrive(place.name, seen, port, transport), steps }
      const pod = podNames.find((name) => place.links.get(destination) === `plumb${name}`)
      if (pod !== undefined) return { end: this.#arrive(pod, seen, port, transport), steps }
      const next = this.#next(place, destination, mark)
      if (next === undefined) return { end: this.#beyond(destination, seen, port, transport), steps }
      packet = { ...freshOf(traced.packet), source: seen }
      place = next
      link = 'eth0'
    }
    return { end: 'loops', steps }
  }

  #trace(place: Place, packet: Packet, from: 'host' | 'wire', choice: number): Trace {
    const own = Object.values(place.addresses)
    const oif = (address: Address): string => place.links.get(address) ?? 'eth0'
    return trace(place.kernel, packet, {
      from,
      route: (address) => (own.includes(address) ? 'host' : { outputInterface: oif(address) }),
      addressType: (address) => (own.includes(address) ? 'local' : 'unicast'),
      outputTo: oif,
      choose: (modulus) => choice % modulus,
    })
  }

  #place(name: string): Place {
    const found = this.#places.find((one) => one.name === name)
    if (found === undefined) throw new Error(`there is no ${name}`)
    return found
  }

  /** A pod's own node; the owner of a node's address; node-1, where the router sends every external address. */
  #entry({ source, destination }: TracedPacket): string {
    const own = this.#places.find(({ links }) => links.has(source))
    const asked = this.#places.find(({ addresses }) => Object.values(addresses).includes(destination))
    return (own ?? asked ?? this.#place('node-1')).name
  }

  #next(place: Place, destination: Address, mark: number): Place | undefined {
    const index = mark & 0xffff
    if (mark >>> 16 === outwards && index !== 0xffff)
      return this.#places[index] === place ? undefined : this.#places[index]
    const owner = this.#places.find(({ addresses }) => Object.values(addresses).includes(destination))
    const holder = this.#places[podPrefixes.findIndex((prefixes) => prefixes.some((one) => contains(one, destination)))]
    const next = owner ?? holder
    return next === place ? undefined : next
  }

  #beyond(destination: Address, seen: Address, port: number, transport: string): string {
    const outside = this.#world.station('outside').addresses
    return Object.values(outside).includes(destination) ? this.#arrive('outside', seen, port, transport) : 'silence'
  }

  #arrive(name: string, seen: Address, port: number, transport: string): string {
    // Every kernel answers an echo.
    return port === 8080 || transport === 'icmp' ? `${name} as ${seen}` : 'refused'
  }
}

function contentOf(
  transport: TracedPacket['transport'],
  family: Family,
  port: number,
): Pick<Packet, 'protocol' | 'icmpType' | 'sourcePort' | 'destinationPort'> {
  if (transport === 'icmp') return { protocol: family === 4 ? 'icmp' : 'ipv6-icmp', icmpType: 'echo-request' }
  return { protocol: transport, sourcePort: 40_000, destinationPort: port }
}

/** As the next node sees it: marks, priorities and conntrack are each node's own. */
function freshOf({ family, protocol, icmpType, source, destination, sourcePort, destinationPort }: Packet): Packet {
  return {
    family,
    protocol,
    ...(icmpType === undefined ? {} : { icmpType }),
    source,
    destination,
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
    conntrack: { state: 'new', direction: 'original' },
  }
}
