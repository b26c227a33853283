import { bytesOf } from '../addr/index.ts'
import { type ResourceRecord, type ResponseCode, responseCodes, typeNumbers } from './record.ts'

/** The question of a query, with its bytes for the answer to repeat. */
export interface Question {
  /** One string per label, a character per byte: nothing is lost and nothing is joined. */
  readonly labels: readonly string[]
  readonly type: number
  readonly class: number
  /** The end of the question within the packet. */
  readonly end: number
}

/** Size of the fixed header (RFC 1035 4.1.1). */
export const headerBytes = 12

/** Reads the first question of a packet; throws RangeError when it is cut short, too long or compressed. */
export function decodeQuestion(packet: Uint8Array): Question {
  const labels: string[] = []
  let at = headerBytes
  for (;;) {
    const length = packet[at]
    if (length === undefined || length > 63 || at - headerBytes > 254) throw new RangeError('bad name')
    at++
    if (length === 0) break
    if (at + length > packet.length) throw new RangeError('bad name')
    labels.push(String.fromCharCode(...packet.subarray(at, at + length)))
    at += length
  }
  if (at + 4 > packet.length) throw new RangeError('question is cut short')
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  return { labels, type: view.getUint16(at), class: view.getUint16(at + 2), end: at + 4 }
}

/** What a response repeats of its query. */
export interface ResponseHead {
  readonly id: number
  readonly opcode: number
  readonly recursionDesired: boolean
  readonly checkingDisabled: boolean
  /** The question's bytes; empty when there is none to repeat. */
  readonly question: Uint8Array
  readonly labels: readonly string[]
  /** EDNS of the query: no OPT record is sent without one. */
  readonly edns: { readonly dnssecOk: boolean } | undefined
}

export interface ResponseBody {
  readonly code: ResponseCode
  readonly authoritative: boolean
  readonly recursionAvailable: boolean
  readonly answers?: readonly ResourceRecord[]
  readonly authority?: readonly ResourceRecord[]
  readonly additional?: readonly ResourceRecord[]
  /** Extended error (RFC 8914): its code and words. */
  readonly error?: { readonly code: number; readonly text: string }
}

/** The UDP payload that the server takes, and the most that it sends: below the smallest path MTU of IPv6 (DNS flag day 2020). */
export const udpPayloadBytes = 1232

/**
 * A response of at most `limit` bytes. Answers that do not fit are left out and TC is set; additional records are left out silently.
 * Names are compressed.
 */
export function encodeResponse(head: ResponseHead, body: ResponseBody, limit: number): Uint8Array {
  const option = head.edns === undefined ? undefined : encodeOption(head.edns, body)
  const writer = new RecordWriter(head, limit - (option?.length ?? 0))
  const counts: [number, number, number] = [0, 0, 0]
  const sections = [body.answers ?? [], body.authority ?? [], body.additional ?? []]
  let truncated = false
  for (const [i, records] of sections.entries()) {
    for (const record of truncated ? [] : records) {
      if (writer.write(record)) counts[i]!++
      else if (i < 2) truncated = true
      if (truncated) break
    }
  }
  if (option !== undefined) counts[2]++
  const flags =
    0x8000 |
    (head.opcode << 11) |
    (body.authoritative ? 0x0400 : 0) |
    (truncated ? 0x0200 : 0) |
    (head.recursionDesired ? 0x0100 : 0) |
    (body.recursionAvailable ? 0x0080 : 0) |
    (head.checkingDisabled ? 0x0010 : 0) |
    (responseCodes[body.code] & 15)
  return writer.finish(head.id, flags, counts, option)
}

function encodeOption({ dnssecOk }: { dnssecOk: boolean }, { code, error }: ResponseBody): Uint8Array {
  const text = error === undefined ? undefined : Buffer.from(error.text, 'utf8')
  const data = text === undefined ? 0 : 6 + text.length
  const option = Buffer.alloc(11 + data)
  option.writeUInt16BE(41, 1)
  option.writeUInt16BE(udpPayloadBytes, 3)
  option[5] = responseCodes[code] >> 4
  option[7] = dnssecOk ? 0x80 : 0
  option.writeUInt16BE(data, 9)
  if (error !== undefined && text !== undefined) {
    option.writeUInt16BE(15, 11)
    option.writeUInt16BE(2 + text.length, 13)
    option.writeUInt16BE(error.code, 15)
    text.copy(option, 17)
  }
  return option
}

class RecordWriter {
  readonly #buffer: Buffer
  readonly #limit: number
  /** Where a name (its rest from a label on) already stands. */
  readonly #offsets = new Map<string, number>()
  #at: number

  constructor({ question, labels }: ResponseHead, limit: number) {
    this.#limit = limit
    // A record starts below the limit and may end beyond it before it is taken back: the largest, SOA, has 795 bytes.
    this.#buffer = Buffer.allocUnsafe(Math.max(limit, headerBytes + question.length) + 1024)
    this.#buffer.fill(0, 0, headerBytes)
    this.#buffer.set(question, headerBytes)
    this.#buffer.writeUInt16BE(question.length > 0 ? 1 : 0, 4)
    this.#at = headerBytes + question.length
    let offset = headerBytes
    for (let i = 0; question.length > 0 && i < labels.length; i++) {
      this.#offsets.set(labels.slice(i).join('.'), offset)
      offset += labels[i]!.length + 1
    }
  }

  /** Whether the record fitted; if not, nothing was written. */
  write(record: ResourceRecord): boolean {
    const start = this.#at
    this.#name(record.name, true)
    this.#uint16(typeNumbers[record.type])
    this.#uint16(1)
    this.#buffer.writeUInt32BE(record.ttl, this.#at)
    this.#at += 6
    const data = this.#at
    const fitted = this.#data(record)
    if (fitted && this.#at <= this.#limit) {
      this.#buffer.writeUInt16BE(this.#at - data, data - 2)
      return true
    }
    this.#at = start
    for (const [name, offset] of this.#offsets) if (offset >= start) this.#offsets.delete(name)
    return false
  }

  finish(id: number, flags: number, counts: readonly number[], option: Uint8Array | undefined): Uint8Array {
    this.#buffer.writeUInt16BE(id, 0)
    this.#buffer.writeUInt16BE(flags, 2)
    for (const [i, count] of counts.entries()) this.#buffer.writeUInt16BE(count, 6 + 2 * i)
    if (option !== undefined) {
      this.#buffer.set(option, this.#at)
      this.#at += option.length
    }
    return this.#buffer.subarray(0, this.#at)
  }

  #data(record: ResourceRecord): boolean {
    switch (record.type) {
      case 'A':
      case 'AAAA':
        this.#at += this.#bytes(bytesOf(record.address))
        return true
      case 'CNAME':
      case 'NS':
      case 'PTR':
        this.#name(record.target, true)
        return true
      case 'SRV':
        for (const value of [record.priority, record.weight, record.port]) this.#uint16(value)
        // RFC 2782: the target is not compressed.
        this.#name(record.target, false)
        return true
      case 'SOA':
        this.#name(record.primary, true)
        this.#name(record.mailbox, true)
        for (const value of [record.serial, record.refresh, record.retry, record.expire, record.minimum]) {
          this.#buffer.writeUInt32BE(value >>> 0, this.#at)
          this.#at += 4
        }
        return true
      case 'TXT':
        return record.texts.every((text) => this.#text(text))
      default:
        record satisfies never
        return false
    }
  }

  #bytes(bytes: Uint8Array): number {
    this.#buffer.set(bytes, this.#at)
    return bytes.length
  }

  #text(text: string): boolean {
    const bytes = Buffer.from(text, 'latin1').subarray(0, 255)
    if (this.#at + bytes.length + 1 > this.#limit) return false
    this.#buffer[this.#at++] = bytes.length
    this.#at += this.#bytes(bytes)
    return true
  }

  #uint16(value: number): void {
    this.#buffer.writeUInt16BE(value, this.#at)
    this.#at += 2
  }

  #name(name: string, compress: boolean): void {
    let rest = name
    while (rest !== '') {
      // The question's own name stands right behind the header, in the asker's case.
      const known = compress ? this.#offsets.get(rest) : undefined
      if (known !== undefined) {
        this.#uint16(0xc000 | known)
        return
      }
      if (this.#at < 0x4000 && !this.#offsets.has(rest)) this.#offsets.set(rest, this.#at)
      const dot = rest.indexOf('.')
      const label = dot < 0 ? rest : rest.slice(0, dot)
      this.#buffer[this.#at] = label.length
      this.#at += 1 + this.#buffer.write(label, this.#at + 1, 'latin1')
      rest = dot < 0 ? '' : rest.slice(dot + 1)
    }
    this.#buffer[this.#at++] = 0
  }
}
