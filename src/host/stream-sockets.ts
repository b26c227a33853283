import { closeSync } from 'node:fs'
import { type Address, familyOf } from '../addr/index.ts'
import { addressFamily } from '../netlink/index.ts'
import type { Namespace } from './contract.ts'
import { check, hostError } from './errno.ts'
import { libc } from './libc.ts'
import { decodeSocketAddress, encodeSocketAddress } from './socket-address.ts'
import {
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_IPV6,
  SOL_SOCKET,
  setOption,
} from './socket-options.ts'

const EINPROGRESS = 115
const backlog = 512

/** A listening stream socket of the namespace, for `server.listen({ fd })`. */
export function listenTcp(namespace: Namespace, address: Address, port: number): { fd: number; port: number } {
  const step = `listen on tcp ${render(address, port)}`
  return open(namespace, step, SOCK_STREAM, address, (fd) => {
    setOption(step, fd, SOL_SOCKET, SO_REUSEADDR, 1)
    bind(step, fd, address, port)
    check(step, libc().listen(fd, backlog))
    return { fd, port: portOf(step, fd) }
  })
}

/** A bound datagram socket of the namespace, for `dgram.Socket.bind({ fd })`. */
export function bindUdp(namespace: Namespace, address: Address, port: number): { fd: number; port: number } {
  const step = `bind udp ${render(address, port)}`
  return open(namespace, step, SOCK_DGRAM, address, (fd) => {
    bind(step, fd, address, port)
    return { fd, port: portOf(step, fd) }
  })
}

/** A connecting stream socket of the namespace, for `new net.Socket({ fd })`. */
export function connectTcp(
  namespace: Namespace,
  address: Address,
  port: number,
  options: { source?: Address } = {},
): { fd: number } {
  const step = `connect tcp ${render(address, port)}`
  return open(namespace, step, SOCK_STREAM, address, (fd) => {
    if (options.source !== undefined) bind(step, fd, options.source, 0)
    const target = encodeSocketAddress(address, port)
    if (libc().connect(fd, target, target.length) < 0) {
      const errno = libc().errno()
      if (errno !== EINPROGRESS) throw hostError(step, errno)
    }
    return { fd }
  })
}

function open<T>(namespace: Namespace, step: string, type: number, address: Address, set: (fd: number) => T): T {
  const family = familyOf(address)
  const fd = namespace.run(() =>
    check(step, libc().socket(addressFamily(family), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
  )
  try {
    if (family === 6) setOption(step, fd, SOL_IPV6, IPV6_V6ONLY, 1)
    return set(fd)
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function bind(step: string, fd: number, address: Address, port: number): void {
  const local = encodeSocketAddress(address, port)
  check(step, libc().bind(fd, local, local.length))
}

function portOf(step: string, fd: number): number {
  const address = Buffer.alloc(28)
  check(step, libc().getsockname(fd, address, Buffer.from([28, 0, 0, 0])))
  return decodeSocketAddress(address).port
}

function render(address: Address, port: number): string {
  return familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`
}
