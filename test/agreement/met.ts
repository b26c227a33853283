// What a real packet meets.

import { createSocket } from 'node:dgram'
import { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type Address, familyOf } from '../../src/addr/index.ts'
import { host } from '../../src/agent/rig.fixture.ts'
import type { Protocol } from '../../src/explain/index.ts'
import { HostError, type Namespace, tapPackets } from '../../src/host/index.ts'
import { craftEcho, craftInit } from '../../src/probes/craft.ts'
import { parsePacket } from '../../src/probes/packet.ts'

/** Told of each INIT of SCTP that comes to a pod or outside, by its tag: `NAME ADDRESS PORT` of whom it came from and to which port. */
export type Arrivals = Map<string, (text: string) => void>

/** More than the first retransmission of a SYN. */
const patienceMs = 1600
/** Where the machine has much else to do, silence takes longer to be believed. */
const fewestTurns = 150

/** `NAME as ADDRESS` of the server that answered (of an echo `answered`), `refused`, or `silence`, which is also every other failure. */
export async function meet(
  from: { readonly namespace: Namespace; readonly source: Address },
  transport: Protocol,
  address: Address,
  port: number,
  arrivals: Arrivals,
): Promise<string> {
  let heard: string | undefined
  const hear = (text: string): void => {
    heard ??= text
  }
  let close: () => void
  try {
    close = senders[transport](from, address, port, hear, arrivals)
  } catch (error) {
    if (!(error instanceof HostError)) throw error
    return error.errno === 'ECONNREFUSED' ? 'refused' : 'silence'
  }
  const until = performance.now() + patienceMs
  for (let turns = 0; heard === undefined && (performance.now() < until || turns < fewestTurns); turns++) await pause(5)
  close()
  const [name = '', as] = (heard ?? 'silence').trim().split(' ')
  if (as !== undefined) return `${name} as ${as}`
  if (name === 'answered') return name
  return name === 'ECONNREFUSED' ? 'refused' : 'silence'
}

type Send = (
  from: { readonly namespace: Namespace; readonly source: Address },
  address: Address,
  port: number,
  hear: (text: string) => void,
  arrivals: Arrivals,
) => () => void

const connect: Send = ({ namespace, source }, address, port, hear) => {
  const socket = new Socket({ fd: host.connectTcp(namespace, address, port, { source }).fd })
  socket.once('data', (data: Buffer) => hear(data.toString()))
  socket.once('error', (error: NodeJS.ErrnoException) => hear(error.code ?? error.message))
  socket.resume()
  return () => socket.destroy()
}

const sendDatagram: Send = ({ namespace, source }, address, port, hear) => {
  const v4 = familyOf(address) === 4
  const socket = createSocket(v4 ? 'udp4' : 'udp6')
  socket.once('message', (data: Buffer) => hear(data.toString()))
  socket.on('error', (error: NodeJS.ErrnoException) => hear(error.code ?? error.message))
  // A packet that the sender's own node refuses or drops is EPERM to whoever sends it; a refusal comes besides.
  const ask = (): void => socket.send('?', () => undefined)
  socket.bind({ fd: host.bindUdp(namespace, source, 0).fd }, () => {
    // Only a connected socket is told of refusals.
    socket.connect(port, address, ask)
  })
  // Like the retransmission of a SYN.
  const again = setTimeout(ask, 1000)
  return () => {
    clearTimeout(again)
    socket.close()
  }
}

/** Sends at once and a second later; what cannot be sent is lost. */
function sendTwice(send: () => void): NodeJS.Timeout {
  const ask = (): void => {
    try {
      send()
    } catch (error) {
      if (!(error instanceof HostError)) throw error
    }
  }
  ask()
  return setTimeout(ask, 1000)
}

/** The answer to a ping does not say whom it saw. */
const ping: Send = ({ namespace, source }, address, _port, hear) => {
  const { protocol, bytes, port, mark } = craftEcho(familyOf(address))
  const tap = tapPackets(namespace, (packet) => {
    const body = parsePacket(packet)?.body
    if (body?.kind === 'echo' && !body.request && body.content === mark) hear('answered')
    if (body?.kind === 'icmp' && body.about.sourcePort === port && body.says.includes('port unreachable'))
      hear('ECONNREFUSED')
  })
  const again = sendTwice(() => host.sendPacket(namespace, protocol, address, bytes, { source }))
  return () => {
    clearTimeout(again)
    tap.close()
  }
}

/** The kernel need not know SCTP: who gets the INIT is seen, and nobody answers it. */
const init: Send = ({ namespace, source }, address, destinationPort, hear, arrivals) => {
  const { protocol, bytes, port, mark } = craftInit(destinationPort)
  arrivals.set(mark, (text) => {
    const [name, as, to] = text.split(' ')
    hear(to === '8080' ? `${name} ${as}` : 'ECONNREFUSED')
  })
  const tap = tapPackets(namespace, (packet) => {
    const body = parsePacket(packet)?.body
    if (body?.kind === 'icmp' && body.about.sourcePort === port && body.says.includes('port unreachable'))
      hear('ECONNREFUSED')
  })
  const again = sendTwice(() => host.sendPacket(namespace, protocol, address, bytes, { source }))
  return () => {
    clearTimeout(again)
    arrivals.delete(mark)
    tap.close()
  }
}

const senders: Readonly<Record<Protocol, Send>> = { tcp: connect, udp: sendDatagram, sctp: init, icmp: ping }
