import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type Address, familyOf, parseAddress } from '../addr/index.ts'
import { type Place, renderPlace } from '../doctor/index.ts'
import type { Followed, Sighting } from '../explain/index.ts'
import { type Host, HostError, type Namespace, tapPackets } from '../host/index.ts'
import { beginningOf, flag, type Packet, parsePacket } from './packet.ts'
import type { OpenPlace } from './run.ts'

/** The packet to send. */
export interface Sent {
  readonly from: Place
  readonly address: Address
  readonly port: number
  readonly transport: 'tcp' | 'udp'
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

/** Sends one real packet and follows it through the places: a SYN by its sequence number, which no translation changes, a datagram by its content. */
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
    const fate = await (sent.transport === 'tcp' ? sendTcp : sendUdp)(host, source.namespace, sent)
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
  /** Of a datagram's content. */
  readonly beginning?: string
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
  const sent = { port: bound.port, beginning: beginningOf(bytes) }
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
  if (transport === 'udp') return packets.find(({ body }) => body.kind === 'udp' && body.beginning === fate.beginning)
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
  return body.kind === 'udp' && first.body.kind === 'udp' && body.beginning === first.body.beginning
}

function isAnswer({ source, destination, body }: Packet, request: Packet): boolean {
  if (request.body.kind === 'icmp') return false
  const { sourcePort, destinationPort } = request.body
  if (body.kind === 'icmp')
    return (
      body.about.sourcePort === sourcePort &&
      body.about.destinationPort === destinationPort &&
      body.about.destination === request.destination
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
  const ports =
    body.kind === 'icmp'
      ? { sourcePort: 0, destinationPort: 0 }
      : { sourcePort: body.sourcePort, destinationPort: body.destinationPort }
  return { place, way, packet: nameOf(body), source, destination, ttl, ...ports }
}

function nameOf(body: Packet['body']): string {
  if (body.kind === 'icmp') return `ICMP ${body.says}`
  if (body.kind === 'udp') return 'datagram'
  if ((body.flags & flag.reset) !== 0) return 'RST'
  return isSyn(body.flags) ? 'SYN' : 'SYN-ACK'
}
