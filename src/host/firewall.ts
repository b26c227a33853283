import { decodeAcknowledgement, NLMSG_ERROR } from '../netlink/index.ts'
import {
  describeOperation,
  describeSource,
  type EncodedTransaction,
  encodeTransaction,
  locateFailure,
  type Transaction,
} from '../nft/index.ts'
import { HostError } from './contract.ts'
import { check, hostError } from './errno.ts'
import { explainRefusal } from './explain-refusal.ts'
import { libc } from './libc.ts'
import { receivePending } from './netlink-socket.ts'
import { encodeNetlinkAddress } from './socket-address.ts'
import { getOption, SO_RCVBUFFORCE, SO_SNDBUF, SO_SNDBUFFORCE, SOL_SOCKET, trySetOption } from './socket-options.ts'
import { splitTransaction } from './split-transaction.ts'
import type { TablesWatch } from './watch-tables.ts'

const EINTR = 4
const EMSGSIZE = 90
const ENOBUFS = 105
/** Above this a batch is sent on a thread of the pool: the kernel works inside `send`, some 2 µs per element. */
const asyncBytes = 256 << 10
const receiveBufferBytes = 8 << 20
/** The kernel keeps 32 bytes of the send buffer for itself (netlink_sendmsg). */
const sendOverhead = 32

/** A netlink socket for nftables batches, one at a time, in the order in which they were asked for. */
export class Firewall {
  readonly #fd: number
  readonly #close: () => void
  readonly #watches = new Set<TablesWatch>()
  /** By which the kernel names this socket to those who watch. */
  readonly portId: number
  #sequence = 1
  #last: Promise<unknown> = Promise.resolve()
  #capacity: number

  /** `close` is called once the last commit has ended. */
  constructor(fd: number, close: () => void) {
    this.#fd = fd
    this.#close = close
    trySetOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBufferBytes)
    this.portId = portOf(fd)
    this.#capacity = getOption('read the send buffer size', fd, SOL_SOCKET, SO_SNDBUF) - sendOverhead
  }

  /** Applies a transaction whole or not at all; see `Network.commit`. */
  commit(transaction: Transaction): Promise<void> {
    const done = this.#last.then(() => this.#commit(transaction))
    this.#last = done.catch(() => {})
    return done
  }

  /** These hear nothing of this socket's large batches. Returns the way to stop. */
  spare(watch: TablesWatch): () => void {
    this.#watches.add(watch)
    return () => this.#watches.delete(watch)
  }

  close(): void {
    this.#last = this.#last.then(this.#close)
  }

  async #commit(transaction: Transaction): Promise<void> {
    const encoded = encodeTransaction(transaction, this.#sequence)
    if (encoded.bytes.length === 0) return
    this.#sequence = (this.#sequence + encoded.sources.length) >>> 0
    if (this.#fits(encoded.bytes.length)) return await this.#send(transaction, encoded)
    await this.#commitParts(transaction)
  }

  /**
   * The fallback where the send buffer cannot be raised (an unprivileged user namespace): parts in the transaction's
   * order. Each prefix of a valid transaction is valid, but what came before a failing part stays.
   */
  async #commitParts(transaction: Transaction): Promise<void> {
    const parts = splitTransaction(transaction)
    if (parts === undefined) {
      const [first] = transaction
      const step = first === undefined ? 'commit' : describeOperation(first)
      throw hostError(step, EMSGSIZE, `the batch exceeds ${this.#capacity} bytes; raise net.core.wmem_max`)
    }
    await this.#commit(parts[0])
    try {
      await this.#commit(parts[1])
    } catch (error) {
      if (!(error instanceof HostError)) throw error
      const applied = 'the operations before it were applied: without CAP_NET_ADMIN a large transaction goes in parts'
      if (error.detail?.includes(applied)) throw error
      const detail = error.detail === undefined ? applied : `${error.detail}; ${applied}`
      throw new HostError(error.code, error.step, error.errno, detail)
    }
  }

  /** Whether a batch of this size may be sent, after raising the send buffer when it has to be. */
  #fits(bytes: number): boolean {
    if (bytes <= this.#capacity) return true
    // The kernel doubles what it is given; a power of two leaves room for the next batch.
    const wanted = 2 ** Math.ceil(Math.log2(bytes + sendOverhead))
    if (trySetOption(this.#fd, SOL_SOCKET, SO_SNDBUFFORCE, wanted) < 0) {
      trySetOption(this.#fd, SOL_SOCKET, SO_SNDBUF, wanted)
    }
    this.#capacity = getOption('read the send buffer size', this.#fd, SOL_SOCKET, SO_SNDBUF) - sendOverhead
    return bytes <= this.#capacity
  }

  async #send(transaction: Transaction, encoded: EncodedTransaction): Promise<void> {
    const { bytes } = encoded
    const step = `commit ${transaction.length} nftables operations`
    const large = bytes.length > asyncBytes
    if (large) for (const watch of this.#watches) watch.deaf()
    try {
      await this.#put(step, bytes, large)
    } finally {
      if (large) for (const watch of this.#watches) watch.listen()
    }
    this.#receive(step, transaction, encoded)
  }

  async #put(step: string, bytes: Buffer, large: boolean): Promise<void> {
    for (;;) {
      const { result, errno } = large
        ? await libc().sendAsync(this.#fd, bytes, bytes.length, 0)
        : sendNow(this.#fd, bytes)
      if (result >= 0) break
      if (errno === EINTR) continue
      throw hostError(step, errno, sendRemedy(errno, bytes.length))
    }
  }

  /** The kernel has answered before `send` returned: an error for each message at fault, an acknowledgement for the last. */
  #receive(step: string, transaction: Transaction, encoded: EncodedTransaction): void {
    const lastSequence = encoded.firstSequence + encoded.sources.length - 2
    let acknowledged = false
    let failure: HostError | undefined
    const lost = receivePending(step, this.#fd, (message) => {
      const { sequence, type } = message
      if (type !== NLMSG_ERROR || sequence < encoded.firstSequence) return
      const { errno, message: detail, offset } = decodeAcknowledgement(message)
      if (sequence === lastSequence && errno === 0) acknowledged = true
      if (errno === 0) return
      // The first error is the cause; later ones follow from it.
      failure ??= refusal(step, transaction, encoded, { sequence, errno, detail, offset })
    })
    if (failure !== undefined) throw failure
    if (!acknowledged || lost)
      throw hostError(step, ENOBUFS, "the kernel's answer was lost: what was applied is unknown")
  }
}

function portOf(fd: number): number {
  const address = encodeNetlinkAddress()
  check('read the port of an nftables socket', libc().getsockname(fd, address, Buffer.from([address.length, 0, 0, 0])))
  return address.readUInt32LE(4)
}

function sendNow(fd: number, bytes: Buffer): { result: number; errno: number } {
  const result = libc().send(fd, bytes, bytes.length, 0)
  return { result, errno: result < 0 ? libc().errno() : 0 }
}

/** An error of the whole batch carries the sequence number of its begin, which is none of the transaction's. */
function refusal(
  step: string,
  transaction: Transaction,
  encoded: EncodedTransaction,
  answer: { sequence: number; errno: number; detail: string | undefined; offset: number | undefined },
): HostError {
  const { sequence, errno, detail, offset } = answer
  const source = locateFailure(encoded, sequence, offset)
  const operation = source && transaction[source.operation]
  if (source === undefined || operation === undefined) return hostError(step, errno, detail)
  const words = detail ?? explainRefusal(encoded, sequence, errno, offset)
  return hostError(describeSource(operation, source), errno, words)
}

function sendRemedy(errno: number, bytes: number): string | undefined {
  if (errno === EMSGSIZE || errno === ENOBUFS) {
    return `a batch of ${bytes} bytes exceeds the send buffer or the kernel's memory; raise net.core.wmem_max`
  }
  return undefined
}
