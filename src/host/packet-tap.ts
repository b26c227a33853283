import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Namespace } from './contract.ts'
import { check, hostError } from './errno.ts'
import { libc } from './libc.ts'
import {
  AF_UNIX,
  O_CLOEXEC,
  SO_RCVBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  trySetOption,
} from './socket-options.ts'

// include/linux/socket.h; include/uapi/linux/if_ether.h, in network byte order as packet(7) wants it.
const AF_PACKET = 17
const ETH_P_ALL_BE = 0x0300
const receiveBufferBytes = 4 << 20
const step = 'tap packets'

/**
 * Calls back for each packet that a link of the namespace sends or receives, from its network header on, until closed. Packets are
 * lost when they come faster than they are read.
 */
export function tapPackets(namespace: Pick<Namespace, 'run'>, onPacket: (packet: Buffer) => void): { close(): void } {
  const fd = namespace.run(() =>
    check(step, libc().socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, ETH_P_ALL_BE)),
  )
  try {
    trySetOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes)
    // Node takes no descriptors of packet sockets, so it is given a unix socket whose place this one takes, as in `watchNetlink`.
    const place = check(step, libc().socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))
    const stream = new Socket({ fd: place, readable: true, writable: false })
    check(step, libc().dup3(fd, place, O_CLOEXEC))
    stream.on('data', onPacket)
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A link that goes down while it is tapped ends nothing that matters here.
      if (error.code !== 'ENETDOWN') throw hostError(step, -(error.errno ?? 0))
    })
    return { close: () => stream.destroy() }
  } finally {
    closeSync(fd)
  }
}
