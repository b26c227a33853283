// What a real packet meets.

import { createSocket } from 'node:dgram'
import { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type Address, familyOf, parseAddress } from '../../src/addr/index.ts'
import { host } from '../../src/agent/rig.fixture.ts'
import type { Transport } from '../../src/explain/index.ts'
import { HostError, type Namespace } from '../../src/host/index.ts'

/** More than the first retransmission of a SYN. */
const patienceMs = 1600

/** `NAME as ADDRESS` of the server that answered, `refused`, or `silence`, which is also every other failure. */
export async function meet(from: Namespace, transport: Transport, address: Address, port: number): Promise<string> {
  let heard: string | undefined
  const hear = (text: string): void => {
    heard ??= text
  }
  let close: () => void
  try {
    close = (transport === 'udp' ? sendDatagram : connect)(from, address, port, hear)
  } catch (error) {
    if (!(error instanceof HostError)) throw error
    return error.errno === 'ECONNREFUSED' ? 'refused' : 'silence'
  }
  for (const until = performance.now() + patienceMs; heard === undefined && performance.now() < until; ) await pause(5)
  close()
  const [name = '', as] = (heard ?? 'silence').trim().split(' ')
  if (as !== undefined) return `${name} as ${as}`
  return name === 'ECONNREFUSED' ? 'refused' : 'silence'
}

type Send = (from: Namespace, address: Address, port: number, hear: (text: string) => void) => () => void

const connect: Send = (from, address, port, hear) => {
  const socket = new Socket({ fd: host.connectTcp(from, address, port).fd })
  socket.once('data', (data: Buffer) => hear(data.toString()))
  socket.once('error', (error: NodeJS.ErrnoException) => hear(error.code ?? error.message))
  socket.resume()
  return () => socket.destroy()
}

const sendDatagram: Send = (from, address, port, hear) => {
  const v4 = familyOf(address) === 4
  const socket = createSocket(v4 ? 'udp4' : 'udp6')
  socket.once('message', (data: Buffer) => hear(data.toString()))
  socket.on('error', (error: NodeJS.ErrnoException) => hear(error.code ?? error.message))
  // A packet that the sender's own node refuses or drops is EPERM to whoever sends it; a refusal comes besides.
  const ask = (): void => socket.send('?', () => undefined)
  socket.bind({ fd: host.bindUdp(from, parseAddress(v4 ? '0.0.0.0' : '::'), 0).fd }, () => {
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
