import { type Address, addressFromBytes } from '../addr/index.ts'

/** What matters of a packet to whoever follows a connection. */
export interface Packet {
  readonly source: Address
  readonly destination: Address
  /** TTL or hop limit. */
  readonly ttl: number
  readonly body:
    | {
        readonly kind: 'tcp'
        readonly sourcePort: number
        readonly destinationPort: number
        readonly flags: number
        readonly sequence: number
      }
    | {
        readonly kind: 'udp'
        readonly sourcePort: number
        readonly destinationPort: number
        /** Of the content, in hex: by it a datagram is known again behind a translation. */
        readonly beginning: string
      }
    /** An echo of ICMP or ICMPv6; a masqueraded one has another identifier. */
    | { readonly kind: 'echo'; readonly request: boolean; readonly id: number; readonly content: string }
    | {
        readonly kind: 'sctp'
        readonly sourcePort: number
        readonly destinationPort: number
        /** The first chunk's type (RFC 9260, 3.2). */
        readonly chunk: number
        /** The verification tag, or the initiate tag of an INIT, in hex. */
        readonly tag: string
      }
    /** An error about another packet, whose ports and destination it quotes. */
    | { readonly kind: 'icmp'; readonly says: string; readonly about: Quoted }
}

/** Of an echo: its identifier, and 0. */
interface Quoted {
  readonly destination: Address
  readonly sourcePort: number
  readonly destinationPort: number
}

const beginningBytes = 24

/** What a datagram is known by. */
export function beginningOf(content: Buffer): string {
  return content.subarray(0, beginningBytes).toString('hex')
}

/** Chunks of SCTP by which an INIT is answered (RFC 9260, 3.2). */
export const chunks = { init: 1, initAck: 2, abort: 6 } as const

/** TCP flags (RFC 9293, 3.1). */
export const flag = { fin: 1, syn: 2, reset: 4, ack: 16 } as const

const icmp4: Readonly<Record<number, string>> = {
  0: 'network unreachable',
  1: 'host unreachable',
  2: 'protocol unreachable',
  3: 'port unreachable',
  4: 'fragmentation needed',
  9: 'network prohibited',
  10: 'host prohibited',
  13: 'administratively prohibited',
}
const icmp6: Readonly<Record<number, string>> = {
  0: 'no route',
  1: 'administratively prohibited',
  3: 'address unreachable',
  4: 'port unreachable',
  5: 'failed policy',
  6: 'route rejected',
}

/** Reads a packet from its network header on; undefined for everything but TCP, UDP, SCTP, echoes and ICMP errors, and for what is cut off. */
export function parsePacket(packet: Buffer): Packet | undefined {
  const network = parseNetwork(packet)
  if (network === undefined) return undefined
  const { protocol, payload, source, destination, ttl } = network
  const head = { source, destination, ttl }
  if (protocol === 6 && payload.length >= 20) {
    const body = {
      kind: 'tcp' as const,
      sourcePort: payload.readUInt16BE(0),
      destinationPort: payload.readUInt16BE(2),
      flags: payload[13] ?? 0,
      sequence: payload.readUInt32BE(4),
    }
    return { ...head, body }
  }
  if (protocol === 17 && payload.length >= 8) {
    return {
      ...head,
      body: {
        kind: 'udp',
        sourcePort: payload.readUInt16BE(0),
        destinationPort: payload.readUInt16BE(2),
        beginning: beginningOf(payload.subarray(8)),
      },
    }
  }
  if (protocol === 132 && payload.length >= 16) {
    const chunk = payload[12] ?? 0
    const isInit = chunk === chunks.init && payload.length >= 20
    const body = {
      kind: 'sctp' as const,
      sourcePort: payload.readUInt16BE(0),
      destinationPort: payload.readUInt16BE(2),
      chunk,
      tag: payload.subarray(isInit ? 16 : 4, isInit ? 20 : 8).toString('hex'),
    }
    return { ...head, body }
  }
  const echo = protocol === 1 ? [8, 0] : protocol === 58 ? [128, 129] : []
  if (payload.length >= 8 && echo.includes(payload[0] ?? -1)) {
    const request = payload[0] === echo[0]
    return {
      ...head,
      body: { kind: 'echo', request, id: payload.readUInt16BE(4), content: beginningOf(payload.subarray(8)) },
    }
  }
  const icmp =
    protocol === 1 ? icmpError(payload, 3, icmp4) : protocol === 58 ? icmpError(payload, 1, icmp6) : undefined
  return icmp === undefined ? undefined : { ...head, body: icmp }
}

interface NetworkHeader {
  readonly protocol: number
  readonly payload: Buffer
  readonly source: Address
  readonly destination: Address
  readonly ttl: number
}

/** IPv6 extension headers are not followed: the errors and handshakes that are looked for have none. */
function parseNetwork(packet: Buffer): NetworkHeader | undefined {
  const version = (packet[0] ?? 0) >> 4
  if (version === 4 && packet.length >= 20) {
    const length = ((packet[0] ?? 0) & 15) * 4
    return {
      protocol: packet[9] ?? 0,
      payload: packet.subarray(length, Math.max(length, packet.readUInt16BE(2))),
      source: addressFromBytes(packet.subarray(12, 16)),
      destination: addressFromBytes(packet.subarray(16, 20)),
      ttl: packet[8] ?? 0,
    }
  }
  if (version === 6 && packet.length >= 40) {
    return {
      protocol: packet[6] ?? 0,
      payload: packet.subarray(40),
      source: addressFromBytes(packet.subarray(8, 24)),
      destination: addressFromBytes(packet.subarray(24, 40)),
      ttl: packet[7] ?? 0,
    }
  }
  return undefined
}

function icmpError(
  payload: Buffer,
  unreachable: number,
  codes: Readonly<Record<number, string>>,
): Packet['body'] | undefined {
  const type = payload[0] ?? 0
  const exceeded = unreachable === 3 ? 11 : 3
  const tooBig = unreachable === 1 && type === 2
  if ((type !== unreachable && type !== exceeded && !tooBig) || payload.length < 8) return undefined
  const quoted = parseNetwork(payload.subarray(8))
  if (quoted === undefined || quoted.payload.length < 4) return undefined
  const code = payload[1] ?? 0
  const says =
    type === exceeded ? 'time exceeded' : tooBig ? 'packet too big' : (codes[code] ?? `unreachable, code ${code}`)
  const isEcho = (quoted.protocol === 1 || quoted.protocol === 58) && quoted.payload.length >= 6
  const about = {
    destination: quoted.destination,
    sourcePort: quoted.payload.readUInt16BE(isEcho ? 4 : 0),
    destinationPort: isEcho ? 0 : quoted.payload.readUInt16BE(2),
  }
  return { kind: 'icmp', says, about }
}
