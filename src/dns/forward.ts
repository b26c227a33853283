import dnsPacket from 'dns-packet'
import { findAddress } from '../addr/index.ts'
import { type ResourceRecord, type ResponseCode, responseCodes } from './record.ts'
import {
  encodeResponse,
  headerBytes,
  type Question,
  type ResponseBody,
  type ResponseHead,
  udpPayloadBytes,
} from './wire.ts'

/** A query that somebody else has to answer first. */
export interface Forward {
  readonly kind: 'forward'
  /** What to send; the sender picks an id of its own for the wire and puts this one back into the reply. */
  readonly query: Uint8Array
  /** The response for the client from the upstream's reply, or from its silence. */
  readonly finish: (reply: Uint8Array | undefined) => Uint8Array
}

/** A well-formed query. */
export interface ParsedQuery {
  readonly head: ResponseHead
  readonly question: Question
  readonly type: string
  /** Largest response in bytes. */
  readonly limit: number
  readonly upstream: boolean
}

/** The query as it is, and the reply under the client's id. */
export function forwardWhole(bytes: Uint8Array, { head, limit }: ParsedQuery): Forward {
  const finish = (reply: Uint8Array | undefined): Uint8Array => {
    if (reply === undefined || reply.length < headerBytes) return encodeResponse(head, noUpstream, limit)
    if (reply.length <= limit) return withId(reply, head.id)
    const cut = encodeResponse(head, { code: 'NOERROR', authoritative: false, recursionAvailable: true }, limit)
    cut[2]! |= 0x02
    return cut
  }
  return { kind: 'forward', query: bytes, finish }
}

const noUpstream: ResponseBody = {
  code: 'SERVFAIL',
  authoritative: false,
  recursionAvailable: true,
  error: { code: 22, text: 'the upstream servers do not answer' },
}

function withId(packet: Uint8Array, id: number): Uint8Array {
  const copy = Uint8Array.from(packet)
  copy[0] = id >> 8
  copy[1] = id & 0xff
  return copy
}

/** Asks the upstream for the target of an ExternalName and puts its records behind the CNAME. */
export function forwardAlias(
  { head, question, type, limit }: ParsedQuery,
  body: ResponseBody,
  target: string,
): Forward {
  const query = dnsPacket.encode({
    type: 'query',
    id: head.id,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ type: type as 'A', name: target }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: udpPayloadBytes,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  })
  // dns-packet knows types by name only; a type that it does not know is put in by number.
  query.writeUInt16BE(question.type, headerBytes + target.length + 2)
  const finish = (reply: Uint8Array | undefined): Uint8Array => {
    const rest = reply === undefined ? undefined : readReply(reply)
    const answers = [...(body.answers ?? []), ...(rest?.answers ?? [])]
    const code = rest?.code ?? 'SERVFAIL'
    const error = rest === undefined ? noUpstream.error : undefined
    return encodeResponse(head, { ...body, code, answers, ...(error && { error }) }, limit)
  }
  return { kind: 'forward', query, finish }
}

/** Code and records of an upstream's reply; record types other than those of ExternalName targets in practice are left out. */
function readReply(reply: Uint8Array): { code: ResponseCode; answers: ResourceRecord[] } | undefined {
  try {
    const packet = dnsPacket.decode(Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength))
    const number = (reply[3] ?? 0) & 15
    const code = (Object.keys(responseCodes) as ResponseCode[]).find((name) => responseCodes[name] === number)
    return { code: code ?? 'SERVFAIL', answers: (packet.answers ?? []).flatMap(readRecord) }
  } catch {
    return undefined
  }
}

function readRecord(record: dnsPacket.Answer): ResourceRecord[] {
  if (record.type === 'OPT') return []
  const common = { name: record.name, ttl: record.ttl ?? 0 }
  switch (record.type) {
    case 'A':
    case 'AAAA': {
      const address = findAddress(record.data)
      return address === undefined ? [] : [{ ...common, type: record.type, address }]
    }
    case 'CNAME':
    case 'PTR':
    case 'NS':
      return [{ ...common, type: record.type, target: record.data }]
    case 'SRV': {
      const { priority = 0, weight = 0, port, target } = record.data
      return [{ ...common, type: 'SRV', priority, weight, port, target }]
    }
    case 'TXT': {
      const texts = Array.isArray(record.data) ? record.data : [record.data]
      return [
        {
          ...common,
          type: 'TXT',
          texts: texts.map((text) => (typeof text === 'string' ? text : text.toString('latin1'))),
        },
      ]
    }
    default:
      return []
  }
}
