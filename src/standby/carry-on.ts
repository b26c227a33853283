import type { Address } from '../addr/index.ts'
import { HostError, type Network } from '../host/index.ts'
import { connectionOf, type Flow, findFlow, keyOf } from './flow.ts'

/** How often an entry is put in the place of another. */
const maximumTries = 5

/** What became of the connections of an address that this node took. */
export interface Taken {
  /** Those that go on here. */
  readonly carried: number
  /** Entries that this node had left of a former time, and were not true any more. */
  readonly stale: number
  /** Those that the kernel refused. */
  readonly refused: number
}

/** Puts the connections of addresses into conntrack, in place of whatever this node has of them. Lists conntrack once. */
export function carryOn(
  network: Network,
  copies: ReadonlyMap<Address, ReadonlyMap<string, Flow>>,
): ReadonlyMap<Address, Taken> {
  const there = new Map<string, Flow>()
  const stale = new Map<Address, number>()
  for (const connection of network.connections()) {
    const copy = copies.get(connection.original.destination)
    const flow = copy && findFlow(connection)
    if (flow === undefined) continue
    const key = keyOf(flow)
    if (isSame(copy?.get(key), flow)) there.set(key, flow)
    else {
      forget(network, connectionOf(flow))
      stale.set(flow.address, (stale.get(flow.address) ?? 0) + 1)
    }
  }
  const taken = new Map<Address, Taken>()
  for (const [address, flows] of copies) {
    const refused = [...flows].filter(([key, flow]) => !there.has(key) && !carryOne(network, flow)).length
    taken.set(address, { carried: flows.size - refused, stale: stale.get(address) ?? 0, refused })
  }
  return taken
}

type NewConnection = Parameters<Network['addConnection']>[0]

/** False when the kernel does not take the connection. */
export function carryOne(network: Network, flow: Flow): boolean {
  return place(network, connectionOf(flow))
}

/** Puts an entry into conntrack, in place of whatever has one of its directions; false when the kernel does not take it. */
export function place(network: Network, connection: NewConnection): boolean {
  for (let tries = 0; tries < maximumTries; tries++) {
    if (tryAdd(network, connection)) return true
    // Its directions are in use: the client's last segments were taken for a beginning, or the endpoint is a pod of this node, where they came
    // from the former holder. A client that goes on sending may be faster.
    forget(network, connection)
  }
  return false
}

function tryAdd(network: Network, connection: NewConnection): boolean {
  try {
    network.addConnection(connection)
    return true
  } catch (error) {
    if (error instanceof HostError) return false
    throw error
  }
}

/**
 * The next holder translates from now on what goes to a pod of this node: its segments have the same answers as this node's own entry, and no two
 * entries may. They get one of their own, because a node may be told to take no segment for a beginning (nf_conntrack_tcp_loose).
 */
export function handOver(network: Network, flow: Flow): void {
  forget(network, connectionOf(flow))
  tryAdd(network, arrival(flow))
}

/** The conntrack entry of a flow on the node of its endpoint, while another translates. */
function arrival(flow: Flow): ReturnType<typeof connectionOf> {
  const { reply, ...rest } = connectionOf(flow)
  const { source, sourcePort, destination, destinationPort } = reply
  const original = {
    source: destination,
    sourcePort: destinationPort,
    destination: source,
    destinationPort: sourcePort,
  }
  return { ...rest, original, reply }
}

/** Deletes whatever entries have one of the connection's directions. */
function forget(network: Network, { family, protocol, original, reply }: NewConnection): void {
  for (const direction of [original, reply]) {
    try {
      network.deleteConnection({ family, protocol, original: direction })
    } catch (error) {
      if (!(error instanceof HostError)) throw error
    }
  }
}

function isSame(one: Flow | undefined, other: Flow): boolean {
  return (
    one !== undefined &&
    one.endpoint === other.endpoint &&
    one.endpointPort === other.endpointPort &&
    one.sourcePort === other.sourcePort
  )
}
