import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { type Address, bytesOf } from '../addr/index.ts'
import { AF_INET6, ETH_P_ARP, ETH_P_IPV6 } from '../netlink/index.ts'
import type { FrameSocket, Namespace } from './contract.ts'
import { check, hostError } from './errno.ts'
import { libc } from './libc.ts'
import {
  AF_UNIX,
  O_CLOEXEC,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOCK_STREAM,
  SOL_IPV6,
  SOL_SOCKET,
  trySetOption,
} from './socket-options.ts'

// include/uapi/linux/if_packet.h, asm-generic/socket.h, linux/in6.h, linux/errno.h
const AF_PACKET = 17
const SOL_PACKET = 263
const PACKET_ADD_MEMBERSHIP = 1
const PACKET_IGNORE_OUTGOING = 23
const PACKET_MR_ALLMULTI = 2
const SO_ATTACH_FILTER = 26
const IPV6_ADD_MEMBERSHIP = 20
const IPV6_DROP_MEMBERSHIP = 21
const EAGAIN = 11
const EINTR = 4

/** Classic BPF (linux/filter.h): neighbour solicitations and advertisements alone, so that other IPv6 traffic costs nothing here. */
const neighbourFilter: readonly (readonly [code: number, jt: number, jf: number, k: number])[] = [
  // Next header is ICMPv6.
  [0x30, 0, 0, 20],
  [0x15, 0, 4, 58],
  // Its type is 135 or 136.
  [0x30, 0, 0, 54],
  [0x15, 1, 0, 135],
  [0x15, 0, 1, 136],
  [0x06, 0, 0, 0xffff],
  [0x06, 0, 0, 0],
]

/**
 * Frames of one kind that arrive at a link of the namespace, from the event loop, and a way to send whole frames there. When
 * the link goes down or away `onDown` says so once, and the socket is closed.
 */
export function openFrameSocket(
  namespace: Pick<Namespace, 'run'>,
  link: { readonly index: number; readonly name: string },
  kind: 'arp' | 'neighbour-discovery',
  onFrame: (frame: Uint8Array) => void,
  onDown: (reason: string) => void,
): FrameSocket {
  const step = `watch ${kind === 'arp' ? 'ARP' : 'neighbour discovery'} on ${link.name}`
  const fd = namespace.run(() => openPacket(step, link.index, kind))
  const members = kind === 'arp' ? undefined : new Groups(namespace, step, fd, link.index)
  let closed = false
  let stream: Socket
  try {
    stream = streamOf(step, fd)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  const close = (): void => {
    if (closed) return
    closed = true
    stream.destroy()
    members?.close()
    closeSync(fd)
  }
  stream.on('data', (frame: Buffer) => {
    if (!closed) onFrame(frame)
  })
  stream.on('error', (error: Error) => {
    if (closed) return
    close()
    onDown(error.message)
  })
  return {
    send(frame) {
      if (closed) throw hostError(`${step}: send`, 9)
      sendFrame(`send on ${link.name}`, fd, Buffer.from(frame.buffer, frame.byteOffset, frame.length))
    },
    join: (group) => members?.join(group),
    leave: (group) => members?.leave(group),
    close,
  }
}

function openPacket(step: string, index: number, kind: 'arp' | 'neighbour-discovery'): number {
  const c = libc()
  // Without a protocol nothing arrives before the filter is in place.
  const fd = check(step, c.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))
  try {
    if (kind === 'neighbour-discovery') attachFilter(step, fd)
    // Since Linux 4.20; what we sent ourselves is recognised anyway.
    trySetOption(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    const address = Buffer.alloc(20)
    address.writeUInt16LE(AF_PACKET, 0)
    address.writeUInt16BE(kind === 'arp' ? ETH_P_ARP : ETH_P_IPV6, 2)
    address.writeInt32LE(index, 4)
    check(step, c.bind(fd, address, address.length))
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function attachFilter(step: string, fd: number): void {
  const program = Buffer.alloc(neighbourFilter.length * 8)
  for (const [i, [code, jt, jf, k]] of neighbourFilter.entries()) {
    program.writeUInt16LE(code, i * 8)
    program.writeUInt8(jt, i * 8 + 2)
    program.writeUInt8(jf, i * 8 + 3)
    program.writeUInt32LE(k, i * 8 + 4)
  }
  // struct sock_fprog: a length, padding, and a pointer.
  const descriptor = Buffer.alloc(16)
  descriptor.writeUInt16LE(neighbourFilter.length, 0)
  descriptor.writeBigUInt64LE(libc().addressOf(program), 8)
  check(step, libc().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, descriptor, descriptor.length))
}

/** As for netlink in `watch.ts`: Node polls a unix socket's descriptor, whose place the packet socket has taken. One read is one frame. */
function streamOf(step: string, fd: number): Socket {
  const place = check(step, libc().socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))
  const stream = new Socket({ fd: place, readable: true, writable: false })
  check(step, libc().dup3(fd, place, O_CLOEXEC))
  return stream
}

function sendFrame(step: string, fd: number, frame: Buffer): void {
  const c = libc()
  for (;;) {
    if (c.send(fd, frame, frame.length, 0) >= 0) return
    const errno = c.errno()
    // A full queue loses a frame, as the wire does.
    if (errno === EAGAIN) return
    if (errno !== EINTR) throw hostError(step, errno)
  }
}

/**
 * Multicast groups of a link. The kernel joins them for a UDP socket, so that the link's filter lets them in and switches that
 * listen to MLD send them here; where it has no room for more, the link takes all multicast.
 */
class Groups {
  readonly #step: string
  readonly #packet: number
  readonly #index: number
  readonly #fd: number
  readonly #joined = new Map<Address, number>()

  constructor(namespace: Pick<Namespace, 'run'>, step: string, packet: number, index: number) {
    this.#step = step
    this.#packet = packet
    this.#index = index
    this.#fd = namespace.run(() => check(step, libc().socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)))
  }

  join(group: Address): void {
    const users = this.#joined.get(group) ?? 0
    this.#joined.set(group, users + 1)
    if (users > 0 || this.#request(IPV6_ADD_MEMBERSHIP, group) >= 0) return
    const all = Buffer.alloc(16)
    all.writeInt32LE(this.#index, 0)
    all.writeUInt16LE(PACKET_MR_ALLMULTI, 4)
    check(this.#step, libc().setsockopt(this.#packet, SOL_PACKET, PACKET_ADD_MEMBERSHIP, all, all.length))
  }

  leave(group: Address): void {
    const users = this.#joined.get(group) ?? 0
    if (users > 1) this.#joined.set(group, users - 1)
    else if (this.#joined.delete(group)) this.#request(IPV6_DROP_MEMBERSHIP, group)
  }

  close(): void {
    closeSync(this.#fd)
  }

  #request(option: number, group: Address): number {
    const request = Buffer.alloc(20)
    request.set(bytesOf(group), 0)
    request.writeInt32LE(this.#index, 16)
    return libc().setsockopt(this.#fd, SOL_IPV6, option, request, request.length)
  }
}
