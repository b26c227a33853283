import { createRequire } from 'node:module'

/** The C library calls that Node has no word for. Results are as in C: negative on failure, then `errno()` tells why. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, address: Buffer, length: number): number
  connect(fd: number, address: Buffer, length: number): number
  listen(fd: number, backlog: number): number
  getsockname(fd: number, address: Buffer, length: Buffer): number
  setsockopt(fd: number, level: number, name: number, value: Buffer, length: number): number
  getsockopt(fd: number, level: number, name: number, value: Buffer, length: Buffer): number
  send(fd: number, data: Buffer, length: number, flags: number): number
  /** As `send`, on a thread of the pool. Gives the result and errno. */
  sendAsync(fd: number, data: Buffer, length: number, flags: number): Promise<{ result: number; errno: number }>
  recv(fd: number, data: Buffer, length: number, flags: number): number
  setns(fd: number, type: number): number
  unshare(flags: number): number
  dup3(from: number, to: number, flags: number): number
  /** `ioctl` whose argument is a pointer. */
  ioctl(fd: number, request: number, argument: Buffer): number
  /** `ioctl` whose argument is a number. */
  ioctlNumber(fd: number, request: number, argument: number): number
  /** Where the buffer's bytes are, for structures that hold a pointer. The buffer must outlive the call. */
  addressOf(buffer: Buffer): bigint
  /** The reason for which the last failed call failed, as a number. */
  errno(): number
}

let loaded: Libc | undefined

/** The C library, loaded on first use, because loading costs a few milliseconds that most commands do not need. */
export function libc(): Libc {
  loaded ??= load()
  return loaded
}

function load(): Libc {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  // Node itself is linked with the C library, so its own symbols serve glibc and musl alike.
  const library = koffi.load(null)
  const send = library.func('intptr_t send(int, const void *, uintptr_t, int)')
  return {
    socket: library.func('int socket(int, int, int)'),
    bind: library.func('int bind(int, const void *, uint32_t)'),
    connect: library.func('int connect(int, const void *, uint32_t)'),
    listen: library.func('int listen(int, int)'),
    getsockname: library.func('int getsockname(int, _Out_ void *, _Inout_ void *)'),
    setsockopt: library.func('int setsockopt(int, int, int, const void *, uint32_t)'),
    getsockopt: library.func('int getsockopt(int, int, int, _Out_ void *, _Inout_ void *)'),
    send,
    sendAsync: (fd, data, length, flags) =>
      new Promise((resolve, reject) => {
        send.async(fd, data, length, flags, (error: Error | null, result: number) => {
          if (error) reject(error)
          else resolve({ result, errno: koffi.errno() })
        })
      }),
    recv: library.func('intptr_t recv(int, _Out_ void *, uintptr_t, int)'),
    setns: library.func('int setns(int, int)'),
    unshare: library.func('int unshare(int)'),
    dup3: library.func('int dup3(int, int, int)'),
    ioctl: library.func('ioctl', 'int', ['int', 'uintptr_t', 'void *']),
    ioctlNumber: library.func('ioctl', 'int', ['int', 'uintptr_t', 'intptr_t']),
    addressOf: (buffer) => BigInt(koffi.address(buffer)),
    errno: () => koffi.errno(),
  }
}
