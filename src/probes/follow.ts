import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type Address, familyOf, parseAddress } from '../addr/index.ts'
import { type Place, renderPlace } from '../doctor/index.ts'
import type { Followed, Protocol, Sighting } from '../explain/index.ts'
import { type Host, HostError, type Namespace, tapPackets } from '../host/index.ts'
import { type Crafted, craftEcho, craftInit } from './craft.ts'
import { beginningOf, chunks, flag, type Packet, parsePacket } from './packet.ts'
import type { OpenPlace } from './run.ts'

/** The packet to send. */
export interface Sent {
  readonly from: Place
  readonly address: Address
  readonly port: number
  readonly transport: Protocol
  /** Where it may be led to: a node that asks a ClusterIP translates address and port before any link sees them. */
  readonly endpoints: readonly { readonly address: Address; readonly port: number }[]
}

const patienceMs = 1300
/** What passed the last place is read a moment later. */
const lateMs = 40
const maxPackets = 20_000

/** A place that is watched: everything that passed since. */
interface Watched {
  readonly place: string
  readonly namespace: Namespace
  readonly packets: Packet[]
  close(): void
}

/** Sends one real packet and follows it through the places: a SYN by its sequence number, an INIT by its tag, which no translation changes, a datagram or an echo by its content. */
export async function followPacket(
  host: Host,
  sent: Sent,
  places: readonly Place[],
  open: OpenPlace,
): Promise<Followed> {
  const from = renderPlace(sent.from)
  const unique = new Map([sent.from, ...places].map((place) => [renderPlace(place), place]))
  const opened = await Promise.all([...unique].map(([name, place]) => watch(name, place, open)))
  const watched = opened.filter((one) => typeof one !== 'string')
  const blind = opened.filter((one) => typeof one === 'string')
  try {
    const source = watched.find(({ place }) => place === from)
    if (source === undefined)
      return { from, sightings: [], outcome: 'the sender cannot be entered', connected: false, blind }
    const fate = await ways[sent.transport](host, source.namespace, sent, source.packets)
    await pause(lateMs)
    return {
      from,
      sightings: findSightings(watched, source, sent, fate),
      outcome: fate.outcome,
      connected: fate.connected,
      blind,
    }
  } finally {
    for (const one of watched) one.close()
  }
}

async function watch(name: string, place: Place, open: OpenPlace): Promise<Watched | string> {
  try {
    const namespace = await open(place)
    const packets: Packet[] = []
    const tap = tapPackets(namespace, (bytes) => {
      const packet = packets.length < maxPackets ? parsePacket(bytes) : undefined
      if (packet !== undefined) packets.push(packet)
    })
    const close = (): void => {
      tap.close()
      namespace.close()
    }
    return { place: name, namespace, packets, close }
  } catch {
    return name
  }
}

interface Fate {
  readonly outcome: string
  readonly connected: boolean
  /** The sender's own port, before any translation. */
  readonly port: number
  /** Of a datagram's or an echo's content; an INIT's tag. */
  readonly mark?: string
}

type Way = (host: Host, namespace: Namespace, sent: Sent, seen: readonly Packet[]) => Promise<Fate>

const ways: Readonly<Record<Protocol, Way>> = {
  tcp: sendTcp,
  udp: sendUdp,
  sctp: (host, namespace, sent, seen) => sendCrafted(host, namespace, sent, craftInit(sent.port), seen),
  icmp: (host, namespace, sent, seen) => sendCrafted(host, namespace, sent, craftEcho(familyOf(sent.address)), seen),
}

async function sendTcp(host: Host, namespace: Namespace, { address, port }: Sent): Promise<Fate> {
  let fd: number
  try {
    fd = host.connectTcp(namespace, address, port).fd
  } catch (error) {
    if (!(error instanceof HostError)) throw error
    return { outcome: error.message, connected: false, port: 0 }
  }
  const socket = new Socket({ fd })
  const own = socket.localPort ?? 0
  let failure: string | undefined
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code ?? error.message
  })
  try {
    for (const end = Date.now() + patienceMs; Date.now() < end; ) {
      if (socket.remotePort !== undefined) return { outcome: 'connected', connected: true, port: own }
      if (failure !== undefined) return { outcome: failure, connected: false, port: own }
      await pause(5)
    }
    return { outcome: `no answer in ${patienceMs} ms`, connected: false, port: own }
  } finally {
    socket.destroy()
  }
}

/** A question that DNS servers answer and others take for noise, with a random number of its own. */
async function sendUdp(host: Host, namespace: Namespace, { address, port }: Sent): Promise<Fate> {
  const family = familyOf(address)
  const bound = host.bindUdp(namespace, parseAddress(family === 4 ? '0.0.0.0' : '::'), 0)
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
  socket.bind({ fd: bound.fd })
  const { default: dns } = await import('dns-packet')
  const bytes = dns.encode({
    type: 'query',
    id: bound.port,
    flags: dns.RECURSION_DESIRED,
    questions: [{ type: 'A', name: 'kubernetes.default.svc.cluster.local' }],
  })
  const sent = { port: bound.port, mark: beginningOf(bytes) }
  try {
    socket.send(bytes, port, address, () => undefined)
    const answered = await Promise.race([
      once(socket, 'message').then(
        () => true,
        () => false,
      ),
      pause(patienceMs).then(() => undefined),
    ])
    if (answered === true) return { ...sent, outcome: 'answered', connected: true }
    return { ...sent, outcome: answered === false ? 'refused' : `no answer in ${patienceMs} ms`, connected: false }
  } finally {
    socket.close()
  }
}

/** What no socket says: an echo, or an INIT where this kernel knows no SCTP. The answer is seen on the wire. */
async function sendCrafted(
  host: Host,
  namespace: Namespace,
  { address }: Sent,
  { protocol, bytes, port, mark }: Crafted,
  seen: readonly Packet[],
): Promise<Fate> {
  try {
    host.sendPacket(namespace, protocol, address, bytes)
  } catch (error) {
    if (!(error instanceof HostError)) throw error
    // EPERM is what a sender is told whose own node drops the packet.
    if (error.errno !== 'EPERM') return { outcome: error.message, connected: false, port, mark }
  }
  for (const end = Date.now() + patienceMs; Date.now() < end; ) {
    for (const { body } of seen) {
      if (body.kind === 'echo' && !body.request && body.content === mark)
        return { outcome: 'answered', connected: true, port, mark }
      if (body.kind === 'sctp' && body.tag === mark && body.chunk === chunks.initAck)
        return { outcome: 'answered', connected: true, port, mark }
      const isAbort = body.kind === 'sctp' && body.tag === mark && body.chunk === chunks.abort
      if (isAbort || (body.kind === 'icmp' && body.about.sourcePort === port))
        return { outcome: 'refused', connected: false, port, mark }
    }
    await pause(5)
  }
  return { outcome: `no answer in ${patienceMs} ms`, connected: false, port, mark }
}

function findSightings(watched: readonly Watched[], source: Watched, sent: Sent, fate: Fate): readonly Sighting[] {
  const first = findFirst(source.packets, sent, fate)
  if (first === undefined) return []
  return watched.flatMap(({ place, packets }) => {
    const requests = packets.filter((one) => isSame(one, first))
    const answers = packets.filter((one) => requests.some((request) => isAnswer(one, request)))
    const all = packets.flatMap((one) =>
      requests.includes(one)
        ? [sighting(place, 'request', one)]
        : answers.includes(one)
          ? [sighting(place, 'answer', one)]
          : [],
    )
    // A retransmission, or the same packet on two links, is one sighting.
    return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()]
  })
}

/** The packet as it left. */
function findFirst(
  packets: readonly Packet[],
  { address, port, transport, endpoints }: Sent,
  fate: Fate,
): Packet | undefined {
  if (transport === 'udp') return packets.find(({ body }) => body.kind === 'udp' && body.beginning === fate.mark)
  if (transport === 'icmp')
    return packets.find(({ body }) => body.kind === 'echo' && body.request && body.content === fate.mark)
  if (transport === 'sctp') return packets.find(({ body }) => body.kind === 'sctp' && body.tag === fate.mark)
  const opening = packets.filter(({ body }) => body.kind === 'tcp' && isSyn(body.flags))
  const goes = (packet: Packet, to: Sent['endpoints'][number]): boolean =>
    packet.destination === to.address && packet.body.kind === 'tcp' && packet.body.destinationPort === to.port
  return (
    opening.find(
      (one) => goes(one, { address, port }) && one.body.kind === 'tcp' && one.body.sourcePort === fate.port,
    ) ?? opening.find((one) => endpoints.some((to) => goes(one, to)))
  )
}

function isSyn(flags: number): boolean {
  return (flags & (flag.syn | flag.ack)) === flag.syn
}

function isSame({ body }: Packet, first: Packet): boolean {
  if (body.kind === 'tcp' && first.body.kind === 'tcp')
    return isSyn(body.flags) && body.sequence === first.body.sequence
  if (body.kind === 'echo' && first.body.kind === 'echo') return body.request && body.content === first.body.content
  if (body.kind === 'sctp' && first.body.kind === 'sctp')
    return body.chunk === chunks.init && body.tag === first.body.tag
  return body.kind === 'udp' && first.body.kind === 'udp' && body.beginning === first.body.beginning
}

/** An echo has its identifier in place of a port. */
function portsOf(body: Packet['body']): { readonly sourcePort: number; readonly destinationPort: number } {
  if (body.kind === 'icmp') return { sourcePort: 0, destinationPort: 0 }
  if (body.kind === 'echo') return { sourcePort: body.id, destinationPort: 0 }
  return { sourcePort: body.sourcePort, destinationPort: body.destinationPort }
}

function isAnswer({ source, destination, body }: Packet, request: Packet): boolean {
  if (request.body.kind === 'icmp') return false
  const { sourcePort, destinationPort } = portsOf(request.body)
  if (body.kind === 'icmp')
    return (
      body.about.sourcePort === sourcePort &&
      body.about.destinationPort === destinationPort &&
      body.about.destination === request.destination
    )
  if (body.kind === 'echo')
    return (
      request.body.kind === 'echo' && !body.request && body.id === request.body.id && source === request.destination
    )
  if (body.kind === 'tcp' && (body.flags & (flag.syn | flag.reset)) === 0) return false
  return (
    body.kind === request.body.kind &&
    source === request.destination &&
    destination === request.source &&
    body.sourcePort === destinationPort &&
    body.destinationPort === sourcePort
  )
}

function sighting(place: string, way: Sighting['way'], { source, destination, ttl, body }: Packet): Sighting {
  const ports = body.kind === 'echo' ? { sourcePort: 0, destinationPort: 0 } : portsOf(body)
  return { place, way, packet: nameOf(body), source, destination, ttl, ...ports }
}

const chunkNames: Readonly<Record<number, string>> = {
  [chunks.init]: 'INIT',
  [chunks.initAck]: 'INIT ACK',
  [chunks.abort]: 'ABORT',
}

function nameOf(body: Packet['body']): string {
  if (body.kind === 'icmp') return `ICMP ${body.says}`
  if (body.kind === 'udp') return 'datagram'
  if (body.kind === 'echo') return body.request ? 'echo request' : 'echo reply'
  if (body.kind === 'sctp') return chunkNames[body.chunk] ?? `SCTP chunk ${body.chunk}`
  if ((body.flags & flag.reset) !== 0) return 'RST'
  return isSyn(body.flags) ? 'SYN' : 'SYN-ACK'
}
