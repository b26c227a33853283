import { type Address, bytesOf, familyOf, parseAddress, parsePrefix } from '../addr/index.ts'
import { type Namespace, openHost, tapPackets } from '../host/index.ts'
import type { Transport } from './model.ts'

/** A packet that begins a connection. */
export interface Probe {
  readonly source: Address
  readonly destination: Address
  readonly protocol: Transport | 'icmp'
  readonly port: number
}

/** A node between two wires: whatever comes in on one and is not stopped goes out on the other, whoever it is from. */
export interface Wire {
  readonly node: Namespace
  /** Sends each as a real packet; answers which of them came out. */
  passed(probes: readonly Probe[]): Promise<ReadonlySet<number>>
  close(): void
}

const host = openHost()
const anywhere = { 4: parsePrefix('0.0.0.0/0'), 6: parsePrefix('::/0') }
const gateway = { 4: parseAddress('198.51.100.2'), 6: parseAddress('2001:db8:51::2') }
/** No port that probes ask for. */
const firstPort = 20_000
/** Well below net.core.netdev_max_backlog. */
const batch = 200
/** Between whom a packet passes whatever policies say: neither is a pod of the node. */
const sentinel = ['198.18.0.1', '198.18.0.2']

export function buildWire(): Wire {
  const open: Namespace[] = []
  const create = (): Namespace => {
    const namespace = host.createNamespace()
    open.push(namespace)
    return namespace
  }
  const [left, node, right] = [create(), create(), create()]
  node.network.addVeth({ name: 'in', peerName: 'eth0', peerNamespace: left })
  node.network.addVeth({ name: 'out', peerName: 'eth0', peerNamespace: right })
  for (const [namespace, link] of [
    [left, 'eth0'],
    [right, 'eth0'],
    [node, 'in'],
    [node, 'out'],
  ] as const) {
    for (const name of ['all', link]) namespace.network.setSysctl(`net.ipv6.conf.${name}.accept_dad`, 0)
    namespace.network.setLink(link, { up: true })
  }
  const { network } = node
  for (const name of ['all', 'in', 'out']) network.setSysctl(`net.ipv4.conf.${name}.rp_filter`, 0)
  network.setSysctl('net.ipv4.ip_forward', 1)
  network.setSysctl('net.ipv6.conf.all.forwarding', 1)
  const linkOf = (namespace: Namespace, link: string) => namespace.network.links().find(({ name }) => name === link)!
  const mac = linkOf(right, 'eth0').mac!
  network.addAddress('out', parseAddress('198.51.100.1'), 24)
  network.addAddress('out', parseAddress('2001:db8:51::1'), 64)
  for (const family of [4, 6] as const) {
    network.setNeighbour({ address: gateway[family], link: 'out', mac, state: 'permanent' })
    network.setRoute({ destination: anywhere[family], gateway: gateway[family], link: 'out' })
  }
  const frames = left.network.openFrames(
    linkOf(left, 'eth0'),
    'arp',
    () => {},
    () => {},
  )
  const head = Buffer.concat([linkOf(node, 'in').mac!, linkOf(left, 'eth0').mac!].map(macBytes))
  let arrived = new Set<number>()
  let onSentinel: () => void = () => {}
  let awaited = 0
  const tap = tapPackets(right, (packet) => {
    const found = readMark(packet)
    if (found === undefined) return
    if (typeof found === 'number') arrived.add(found)
    else if (found.sentinel === awaited) onSentinel()
  })
  const send = (packet: Buffer): void => {
    const type = Buffer.from(packet[0]! >> 4 === 4 ? [0x08, 0x00] : [0x86, 0xdd])
    frames.send(Buffer.concat([head, type, packet]))
  }
  /** Resolves when what was sent before has come out or been dropped. */
  const flush = async (): Promise<void> => {
    // Packets of one sender stay in order but for a change of its CPU, which the second one outlasts.
    for (let round = 0; round < 2; round++) {
      const [source, destination] = sentinel.map(parseAddress) as [Address, Address]
      // One that was sent again may come when the next is awaited.
      awaited = (awaited % 60_000) + 1
      const port = awaited
      const ask = (): void => send(buildPacket({ source, destination, protocol: 'udp', port }, firstPort - 1))
      const again = setInterval(ask, 100)
      await new Promise<void>((resolve) => {
        onSentinel = resolve
        ask()
      })
      clearInterval(again)
    }
  }
  const sendAll = async (probes: readonly Probe[], which: readonly number[]): Promise<void> => {
    for (let from = 0; from < which.length; from += batch) {
      for (const index of which.slice(from, from + batch)) send(buildPacket(probes[index]!, firstPort + index))
      await flush()
    }
  }
  return {
    node,
    async passed(probes) {
      arrived = new Set()
      const indexes = [...probes.keys()]
      await sendAll(probes, indexes)
      // The queue of a CPU is shared with everything on the machine and may lose a packet; one that is denied is denied again.
      const missing = indexes.filter((index) => !arrived.has(firstPort + index))
      await sendAll(probes, missing)
      return new Set([...arrived].map((port) => port - firstPort))
    },
    close() {
      tap.close()
      frames.close()
      for (const namespace of open) namespace.close()
    },
  }
}

function macBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex')
}

/** The source port, or the identifier of an echo, tells probes apart. */
function buildPacket({ source, destination, protocol, port }: Probe, mark: number): Buffer {
  const family = familyOf(source)
  const payload =
    protocol === 'icmp' ? buildEcho(family, mark, source, destination) : buildSegment(protocol, mark, port)
  const number = { tcp: 6, udp: 17, sctp: 132, icmp: family === 4 ? 1 : 58 }[protocol]
  const addresses = [bytesOf(source), bytesOf(destination)]
  if (family === 6) {
    const header = Buffer.alloc(8)
    header[0] = 0x60
    header.writeUInt16BE(payload.length, 4)
    header[6] = number
    header[7] = 64
    return Buffer.concat([header, ...addresses, payload])
  }
  const header = Buffer.alloc(12)
  header[0] = 0x45
  header.writeUInt16BE(20 + payload.length, 2)
  header[8] = 64
  header[9] = number
  const whole = Buffer.concat([header, ...addresses])
  whole.writeUInt16BE(checksum(whole), 10)
  return Buffer.concat([whole, payload])
}

/** Conntrack is told not to verify the transport's checksum; SYN, datagram and INIT begin a connection. */
function buildSegment(protocol: Transport, sourcePort: number, port: number): Buffer {
  const segment = Buffer.alloc({ tcp: 20, udp: 8, sctp: 32 }[protocol])
  segment.writeUInt16BE(sourcePort, 0)
  segment.writeUInt16BE(port, 2)
  if (protocol === 'udp') segment.writeUInt16BE(8, 4)
  else if (protocol === 'tcp') {
    segment[12] = 5 << 4
    segment[13] = 2
    segment.writeUInt16BE(1024, 14)
  } else {
    // RFC 9260 3.3.2: INIT, 20 bytes, with an initiate tag and a stream each way.
    segment[12] = 1
    segment.writeUInt16BE(20, 14)
    segment.writeUInt32BE(1, 16)
    segment.writeUInt32BE(1500, 20)
    segment.writeUInt16BE(1, 24)
    segment.writeUInt16BE(1, 26)
  }
  return segment
}

function buildEcho(family: 4 | 6, id: number, source: Address, destination: Address): Buffer {
  const echo = Buffer.alloc(8)
  echo[0] = family === 4 ? 8 : 128
  echo.writeUInt16BE(id, 4)
  const pseudo = Buffer.alloc(8)
  pseudo.writeUInt32BE(8, 0)
  pseudo[7] = 58
  const covered = family === 4 ? echo : Buffer.concat([bytesOf(source), bytesOf(destination), pseudo, echo])
  echo.writeUInt16BE(checksum(covered), 2)
  return echo
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at + 1 < bytes.length; at += 2) sum += bytes.readUInt16BE(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16)
  return ~sum & 0xffff
}

function readMark(packet: Buffer): number | { readonly sentinel: number } | undefined {
  const v4 = packet[0]! >> 4 === 4
  const start = v4 ? 20 : 40
  const protocol = packet[v4 ? 9 : 6]!
  if (packet.length < start + 8) return undefined
  const isEcho = v4 ? protocol === 1 : protocol === 58
  if (isEcho && packet[start] !== (v4 ? 8 : 128)) return undefined
  const mark = packet.readUInt16BE(start + (isEcho ? 4 : 0))
  if (mark === firstPort - 1) return { sentinel: packet.readUInt16BE(start + 2) }
  return mark < firstPort ? undefined : mark
}
