import { check } from './errno.ts'
import { libc } from './libc.ts'

// include/uapi/asm-generic/socket.h, include/uapi/linux/{net,netlink,in6}.h
export const AF_UNIX = 1
export const AF_NETLINK = 16
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000
export const O_CLOEXEC = SOCK_CLOEXEC
export const SOL_SOCKET = 1
export const SO_REUSEADDR = 2
export const SO_SNDBUF = 7
const SO_RCVTIMEO = 20
export const SO_SNDBUFFORCE = 32
export const SO_RCVBUFFORCE = 33
export const SOL_NETLINK = 270
export const NETLINK_CAP_ACK = 10
export const NETLINK_EXT_ACK = 11
export const NETLINK_GET_STRICT_CHK = 12
export const SOL_IPV6 = 41
export const IPV6_V6ONLY = 26

/** Sets an integer option; throws a `HostError` for the step when refused. */
export function setOption(step: string, fd: number, level: number, name: number, value: number): void {
  check(step, trySetOption(fd, level, name, value))
}

/** Sets an integer option; negative when refused. */
export function trySetOption(fd: number, level: number, name: number, value: number): number {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32LE(value)
  return libc().setsockopt(fd, level, name, buffer, 4)
}

/** Bounds how long a blocking receive may wait. */
export function setReceiveTimeout(step: string, fd: number, seconds: number): void {
  const timeval = Buffer.alloc(16)
  timeval.writeBigInt64LE(BigInt(seconds))
  check(step, libc().setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, timeval, 16))
}

/** An integer option's value. */
export function getOption(step: string, fd: number, level: number, name: number): number {
  const value = Buffer.alloc(4)
  const length = Buffer.from([4, 0, 0, 0])
  check(step, libc().getsockopt(fd, level, name, value, length))
  return value.readInt32LE()
}
