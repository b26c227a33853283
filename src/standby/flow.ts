import { type Address, addressFromBytes, bytesOf, type Family, familyOf } from '../addr/index.ts'
import type { Connection } from '../host/index.ts'
import { IPS_ASSURED, IPS_SEEN_REPLY } from '../netlink/index.ts'

const tcp = 6
export const udp = 17
/** TCP states in which a connection has something left to live for; conntrack(8)'s words. */
const living = new Set(['ESTABLISHED', 'FIN_WAIT', 'CLOSE_WAIT'])

/** A connection of a client with an external address, as any node could carry it on: its endpoint sees the external address as the client. */
export interface Flow {
  /** 6 for TCP, 17 for UDP. */
  readonly protocol: number
  readonly client: Address
  readonly clientPort: number
  /** The external address, and the port of it that the client asked for. */
  readonly address: Address
  readonly port: number
  readonly endpoint: Address
  readonly endpointPort: number
  /** The port of the external address from which the endpoint is asked. */
  readonly sourcePort: number
  readonly timeoutSeconds: number
}

/** What names a flow among all. */
export function keyOf({ protocol, client, clientPort, address, port }: Omit<Flow, keyof Translation>): string {
  return `${protocol} ${client} ${clientPort} ${address} ${port}`
}
type Translation = Pick<Flow, 'endpoint' | 'endpointPort' | 'sourcePort' | 'timeoutSeconds'>

/** The flow that a conntrack entry is; undefined for what only this node can carry on, and for what begins or ends. */
export function findFlow(connection: Connection): Flow | undefined {
  const { protocol, original, reply, status, tcpState, timeoutSeconds = 0 } = connection
  // The endpoint answers to the external address, hence to whoever has it.
  if (reply.destination !== original.destination || (protocol !== tcp && protocol !== udp)) return undefined
  if ((status & IPS_SEEN_REPLY) === 0) return undefined
  // An event tells the state when it is the state that changed.
  const lives = tcpState === undefined ? (status & IPS_ASSURED) !== 0 : living.has(tcpState)
  if (protocol === tcp && !lives) return undefined
  return {
    protocol,
    client: original.source,
    clientPort: original.sourcePort,
    address: original.destination,
    port: original.destinationPort,
    endpoint: reply.source,
    endpointPort: reply.sourcePort,
    sourcePort: reply.destinationPort,
    timeoutSeconds,
  }
}

/** The key of the flow that an entry is or was, whatever state it is in. */
export function keyOfConnection({ protocol, original }: Connection): string {
  const { source, sourcePort, destination, destinationPort } = original
  const [client, clientPort, address, port] = [source, sourcePort, destination, destinationPort]
  return keyOf({ protocol, client, clientPort, address, port })
}

/** The conntrack entry that carries a flow on: the inverse of `findFlow`. */
export function connectionOf(flow: Flow): Pick<Connection, 'family' | 'protocol' | 'original' | 'reply'> & {
  readonly timeoutSeconds: number
} {
  const { protocol, client, clientPort, address, port, endpoint, endpointPort, sourcePort, timeoutSeconds } = flow
  return {
    family: familyOf(address),
    protocol,
    original: { source: client, sourcePort: clientPort, destination: address, destinationPort: port },
    reply: { source: endpoint, sourcePort: endpointPort, destination: address, destinationPort: sourcePort },
    timeoutSeconds,
  }
}

const sizes: Readonly<Record<Family, number>> = { 4: 4, 6: 16 }

/** The bytes that one flow takes. */
export function flowBytes(family: Family): number {
  return 2 + 4 + 8 + 3 * sizes[family]
}

/** Flows one after another: family, protocol, time-out in seconds, client, address and endpoint, the four ports; network order. */
export function encodeFlows(flows: readonly Flow[]): Buffer {
  const bytes = Buffer.alloc(flows.reduce((sum, { address }) => sum + flowBytes(familyOf(address)), 0))
  let at = 0
  for (const {
    protocol,
    client,
    clientPort,
    address,
    port,
    endpoint,
    endpointPort,
    sourcePort,
    timeoutSeconds,
  } of flows) {
    at = bytes.writeUInt8(familyOf(address), at)
    at = bytes.writeUInt8(protocol, at)
    at = bytes.writeUInt32BE(timeoutSeconds, at)
    for (const one of [client, address, endpoint]) {
      const own = bytesOf(one)
      bytes.set(own, at)
      at += own.length
    }
    for (const one of [clientPort, port, endpointPort, sourcePort]) at = bytes.writeUInt16BE(one, at)
  }
  return bytes
}

/** The inverse of `encodeFlows`; undefined for bytes that are none. */
export function decodeFlows(bytes: Buffer): readonly Flow[] | undefined {
  const flows: Flow[] = []
  for (let at = 0; at < bytes.length; ) {
    const family = bytes[at]
    if ((family !== 4 && family !== 6) || at + flowBytes(family) > bytes.length) return undefined
    const size = sizes[family]
    const address = (index: number): Address => {
      const start = at + 6 + index * size
      return addressFromBytes(bytes.subarray(start, start + size))
    }
    const port = (index: number): number => bytes.readUInt16BE(at + 6 + 3 * size + index * 2)
    const protocol = bytes[at + 1] ?? 0
    if (protocol !== tcp && protocol !== udp) return undefined
    flows.push({
      protocol,
      timeoutSeconds: bytes.readUInt32BE(at + 2),
      client: address(0),
      clientPort: port(0),
      address: address(1),
      port: port(1),
      endpoint: address(2),
      endpointPort: port(2),
      sourcePort: port(3),
    })
    at += flowBytes(family)
  }
  return flows
}
