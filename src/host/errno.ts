import { constants } from 'node:os'
import { HostError, type HostErrorCode } from './contract.ts'
import { libc } from './libc.ts'

const names = new Map<number, string>(Object.entries(constants.errno).map(([name, number]) => [number, name]))
// The two that Linux has and Node's table leaves out, and that netlink answers with.
names.set(132, 'ERFKILL')
names.set(524, 'ENOTSUPP')

const codes: Readonly<Record<string, HostErrorCode>> = {
  EPERM: 'denied',
  EACCES: 'denied',
  EOPNOTSUPP: 'unsupported',
  ENOTSUPP: 'unsupported',
  EPROTONOSUPPORT: 'unsupported',
  EAFNOSUPPORT: 'unsupported',
  ENOPROTOOPT: 'unsupported',
  ENOSYS: 'unsupported',
  ENOENT: 'missing',
  ENODEV: 'missing',
  ESRCH: 'missing',
  ENXIO: 'missing',
  EADDRNOTAVAIL: 'missing',
  ENETUNREACH: 'missing',
  EEXIST: 'exists',
  EADDRINUSE: 'exists',
  ENOTUNIQ: 'exists',
  EBUSY: 'busy',
  EAGAIN: 'busy',
  EINTR: 'busy',
  ETIMEDOUT: 'busy',
  EMSGSIZE: 'too-large',
  ENOBUFS: 'too-large',
  E2BIG: 'too-large',
  ENOSPC: 'too-large',
  ENFILE: 'too-large',
  EMFILE: 'too-large',
  EINVAL: 'invalid',
  ERANGE: 'invalid',
  ENAMETOOLONG: 'invalid',
  EBADF: 'invalid',
}

const remedies: Readonly<Record<string, string>> = {
  EPERM: 'needs CAP_NET_ADMIN and CAP_SYS_ADMIN: run as root',
  EACCES: 'needs CAP_NET_ADMIN and CAP_SYS_ADMIN: run as root',
  EMFILE: 'too many open descriptors: raise the limit (ulimit -n)',
}

/** The symbolic name of an errno, e.g. `EBUSY`; the number in words when it has none. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`
}

/** The error of a step that failed with an errno. The detail is the kernel's own message or, without one, the remedy. */
export function hostError(step: string, errno: number, detail?: string): HostError {
  const name = errnoName(errno)
  return new HostError(codes[name] ?? 'failed', step, name, detail ?? remedies[name])
}

/** Passes a C result on; throws a `HostError` for the step when it is negative. */
export function check(step: string, result: number): number {
  if (result < 0) throw hostError(step, libc().errno())
  return result
}

/** Turns what `node:fs` throws into a `HostError` for the step. */
export function fileError(step: string, error: unknown): HostError {
  const errno = (error as NodeJS.ErrnoException).errno
  if (typeof errno !== 'number') throw error
  return hostError(step, -errno)
}
