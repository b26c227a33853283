import { closeSync } from 'node:fs'
import { type Address, familyOf } from '../addr/index.ts'
import { addressFamily } from '../netlink/index.ts'
import type { Namespace } from './contract.ts'
import { check } from './errno.ts'
import { libc } from './libc.ts'
import { encodeSocketAddress } from './socket-address.ts'
import { SOCK_CLOEXEC, SOCK_RAW } from './socket-options.ts'

/** Sends one IP packet from the namespace; the kernel writes its header, and the checksum of ICMPv6 (RFC 3542, 3.1). */
export function sendPacket(
  namespace: Namespace,
  protocol: number,
  destination: Address,
  payload: Buffer,
  { source }: { source?: Address } = {},
): void {
  const step = `send a packet of protocol ${protocol} to ${destination}`
  const family = addressFamily(familyOf(destination))
  const fd = namespace.run(() => check(step, libc().socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol)))
  try {
    if (source !== undefined) {
      const own = encodeSocketAddress(source, 0)
      check(step, libc().bind(fd, own, own.length))
    }
    const target = encodeSocketAddress(destination, 0)
    check(step, libc().connect(fd, target, target.length))
    check(step, Number(libc().send(fd, payload, payload.length, 0)))
  } finally {
    closeSync(fd)
  }
}
