import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { type Message, readMessages } from '../netlink/index.ts'
import type { Namespace } from './contract.ts'
import { check, hostError } from './errno.ts'
import { libc } from './libc.ts'
import { openNetlink } from './netlink-socket.ts'
import {
  AF_UNIX,
  O_CLOEXEC,
  SO_RCVBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOCK_STREAM,
  SOL_SOCKET,
  trySetOption,
} from './socket-options.ts'

const receiveBufferBytes = 8 << 20

/** What to listen to: a netlink family and its multicast groups as bits. */
export interface Subscription {
  readonly step: string
  readonly protocol: number
  readonly groups: number
  /** Asks the kernel for what no multicast group brings, on the socket that is to get it. */
  readonly setUp?: (netlink: number) => void
}

/**
 * Calls back for each message of multicast groups, from the event loop, until closed. When the kernel had to drop
 * messages because nobody read fast enough, `onLost` says so and the watch goes on: read everything again then.
 */
export function watchNetlink(
  namespace: Pick<Namespace, 'run'>,
  subscription: Subscription,
  onMessage: (message: Message) => void,
  onLost: () => void,
): { close(): void } {
  let closed = false
  let socket = open()

  function open(): Socket {
    const opened = openStream(namespace, subscription)
    // A stream would join what a slow reader left; each chunk is one datagram or several, whole either way.
    opened.on('data', (chunk: Buffer) => {
      for (const message of readMessages(chunk)) if (!closed) onMessage(message)
    })
    opened.on('error', (error: NodeJS.ErrnoException) => {
      if (closed) return
      if (error.code !== 'ENOBUFS') throw hostError(subscription.step, -(error.errno ?? 0))
      // Node gives a failed stream up, so the watch starts anew; what happens until then is part of what was lost.
      socket = open()
      onLost()
    })
    return opened
  }

  return {
    close() {
      closed = true
      socket.destroy()
    },
  }
}

/**
 * A netlink socket as a stream of Node's event loop. Node takes descriptors of TCP, pipes and unix sockets only, so it
 * is given an unconnected unix socket, whose place the netlink socket then takes (dup3) before the loop first polls it.
 */
function openStream(namespace: Pick<Namespace, 'run'>, subscription: Subscription): Socket {
  const { step, protocol, groups, setUp } = subscription
  const netlink = namespace.run(() => openNetlink(step, protocol, { groups, type: SOCK_RAW | SOCK_NONBLOCK }))
  try {
    trySetOption(netlink, SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes)
    setUp?.(netlink)
    const place = check(step, libc().socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))
    const stream = new Socket({ fd: place, readable: true, writable: false })
    check(step, libc().dup3(netlink, place, O_CLOEXEC))
    return stream
  } finally {
    closeSync(netlink)
  }
}
