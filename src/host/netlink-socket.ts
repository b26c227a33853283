import { closeSync } from 'node:fs'
import {
  AttributeWriter,
  decodeAcknowledgement,
  type Message,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  readMessages,
} from '../netlink/index.ts'
import { check, hostError } from './errno.ts'
import { libc } from './libc.ts'
import { encodeNetlinkAddress } from './socket-address.ts'
import {
  AF_NETLINK,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  SO_RCVBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
  setOption,
  setReceiveTimeout,
  trySetOption,
} from './socket-options.ts'

const EINTR = 4
const EAGAIN = 11
const ENOBUFS = 105
const ETIMEDOUT = 110
const receiveTimeoutSeconds = 10
/** A dump that the kernel marks as inconsistent is asked again this often. */
const dumpTries = 10

/** Ample: the kernel never puts more than 32 KiB into one datagram of a dump, and NETLINK_CAP_ACK keeps errors short. */
const receiveBufferBytes = 128 << 10
let received: Buffer | undefined
const MSG_TRUNC = 0x20
const MSG_DONTWAIT = 0x40

/** Opens a netlink socket of the calling thread's network namespace, bound, close-on-exec, with extended acknowledgements. */
export function openNetlink(step: string, protocol: number, options: { groups?: number; type?: number } = {}): number {
  const c = libc()
  const fd = check(step, c.socket(AF_NETLINK, (options.type ?? SOCK_RAW) | SOCK_CLOEXEC, protocol))
  try {
    const address = encodeNetlinkAddress(options.groups ?? 0)
    check(step, c.bind(fd, address, address.length))
    setOption(step, fd, SOL_NETLINK, NETLINK_CAP_ACK, 1)
    setOption(step, fd, SOL_NETLINK, NETLINK_EXT_ACK, 1)
    // Old kernels lack it and filter nothing; the decoders filter again.
    trySetOption(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
    setReceiveTimeout(step, fd, receiveTimeoutSeconds)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return fd
}

/** A blocking netlink socket that asks one thing at a time. The kernel answers within `send`, so nothing really blocks. */
export class NetlinkSocket {
  readonly fd: number
  readonly #writer = new AttributeWriter(4096)
  #sequence = 0

  /** Takes the descriptor over. */
  constructor(fd: number) {
    this.fd = fd
    trySetOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
  }

  close(): void {
    closeSync(this.fd)
  }

  /** Sends one request and waits for its acknowledgement. */
  request(step: string, type: number, flags: number, write: (writer: AttributeWriter) => void): void {
    const sequence = this.#send(step, type, NLM_F_REQUEST | NLM_F_ACK | flags, write)
    this.#receive(step, sequence, () => {})
  }

  /** Asks for one object; gives what `decode` makes of the answer. */
  get<T>(
    step: string,
    type: number,
    write: (writer: AttributeWriter) => void,
    decode: (message: Message) => T,
  ): T | undefined {
    const sequence = this.#send(step, type, NLM_F_REQUEST | NLM_F_ACK, write)
    let answer: T | undefined
    this.#receive(step, sequence, (message) => {
      answer ??= decode(message)
    })
    return answer
  }

  /** Asks for all objects; `decode` may leave some out with undefined. Asked again when objects changed meanwhile. */
  dump<T>(
    step: string,
    type: number,
    write: (writer: AttributeWriter) => void,
    decode: (message: Message) => T | undefined,
  ): T[] {
    return this.#dump(step, () => this.#send(step, type, NLM_F_REQUEST | NLM_F_DUMP, write), decode)
  }

  /** As `dump`, for a request that someone else encodes, nlmsghdr and all. */
  dumpEncoded<T>(step: string, encode: (sequence: number) => Buffer, decode: (message: Message) => T | undefined): T[] {
    const ask = () => {
      const sequence = ++this.#sequence
      this.#sendBytes(step, encode(sequence))
      return sequence
    }
    return this.#dump(step, ask, decode)
  }

  #dump<T>(step: string, ask: () => number, decode: (message: Message) => T | undefined): T[] {
    for (let attempt = 1; ; attempt++) {
      const items: T[] = []
      let failure: { error: unknown } | undefined
      const consistent = this.#receive(step, ask(), (message) => {
        // The dump must be drained whatever happens, or the socket stays busy with it.
        try {
          const item = decode(message)
          if (item !== undefined) items.push(item)
        } catch (error) {
          failure ??= { error }
        }
      })
      if (failure !== undefined) throw failure.error
      if (consistent) return items
      if (attempt === dumpTries) throw hostError(step, EINTR, 'the list kept changing while it was read; try again')
    }
  }

  #send(step: string, type: number, flags: number, write: (writer: AttributeWriter) => void): number {
    const writer = this.#writer
    const sequence = ++this.#sequence
    writer.truncate(0)
    const start = writer.beginMessage(type, flags, sequence)
    write(writer)
    writer.endMessage(start)
    this.#sendBytes(step, writer.result())
    return sequence
  }

  #sendBytes(step: string, request: Buffer): void {
    const c = libc()
    for (;;) {
      if (c.send(this.fd, request, request.length, 0) >= 0) return
      const errno = c.errno()
      if (errno !== EINTR) throw hostError(step, errno)
    }
  }

  /** Receives up to the acknowledgement or end of the dump with this sequence number. False when the dump was inconsistent. */
  #receive(step: string, sequence: number, onMessage: (message: Message) => void): boolean {
    let consistent = true
    for (;;) {
      for (const message of receiveMessages(step, this.fd)) {
        // An answer to an earlier request that timed out.
        if (message.sequence !== sequence) continue
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) consistent = false
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          const { errno, message: detail } = decodeAcknowledgement(message)
          if (errno === EINTR) return false
          if (errno !== 0) throw hostError(step, errno, detail)
          return consistent
        }
        onMessage(message)
      }
    }
  }
}

/** Sends one request on a descriptor that stays the caller's, and waits for its acknowledgement. */
export function requestOn(fd: number, step: string, type: number, write: (writer: AttributeWriter) => void): void {
  new NetlinkSocket(fd).request(step, type, 0, write)
}

/** Receives one datagram and splits it. The messages are valid until the next call. */
function receiveMessages(step: string, fd: number): Iterable<Message> {
  received ??= Buffer.allocUnsafeSlow(receiveBufferBytes)
  const c = libc()
  for (;;) {
    const size = c.recv(fd, received, received.length, MSG_TRUNC)
    if (size >= 0) return readMessages(received, 0, Math.min(size, received.length))
    const errno = c.errno()
    if (errno === EINTR) continue
    if (errno === EAGAIN) throw hostError(step, ETIMEDOUT, `no answer from the kernel in ${receiveTimeoutSeconds} s`)
    if (errno === ENOBUFS) throw hostError(step, errno, 'answers were lost: the receive buffer overflowed')
    throw hostError(step, errno)
  }
}

/** Hands over every message that is waiting, without blocking. True when the kernel dropped some. */
export function receivePending(step: string, fd: number, onMessage: (message: Message) => void): boolean {
  received ??= Buffer.allocUnsafeSlow(receiveBufferBytes)
  const c = libc()
  let lost = false
  for (;;) {
    const size = c.recv(fd, received, received.length, MSG_TRUNC | MSG_DONTWAIT)
    if (size >= 0) {
      for (const message of readMessages(received, 0, Math.min(size, received.length))) onMessage(message)
      continue
    }
    const errno = c.errno()
    if (errno === EAGAIN) return lost
    if (errno === ENOBUFS) lost = true
    else if (errno !== EINTR) throw hostError(step, errno)
  }
}
