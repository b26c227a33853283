import dnsPacket from 'dns-packet'
import { type Forward, forwardAlias, forwardWhole, type ParsedQuery } from './forward.ts'
import { answer } from './lookup.ts'
import { type ResourceRecord, type ResponseCode, typeNumbers } from './record.ts'
import {
  decodeQuestion,
  encodeResponse,
  headerBytes,
  type Question,
  type ResponseBody,
  type ResponseHead,
  udpPayloadBytes,
} from './wire.ts'
import type { Zone } from './zone.ts'

export interface AnswerOptions {
  /** Whether names outside the zone can be asked elsewhere; without it they are refused. */
  readonly upstream?: boolean
}

/** Largest message over TCP (its length field has two bytes). */
const tcpMessageBytes = 65_535

/**
 * The response to one message. Undefined: to be dropped, because an answer could only feed a loop. Never throws, whatever the bytes.
 * Malformed queries get FORMERR, other operations NOTIMP; transfers, ANY and names that are nobody's here are REFUSED.
 */
export function answerPacket(
  zone: Zone,
  bytes: Uint8Array,
  transport: 'udp' | 'tcp',
  options: AnswerOptions = {},
): Uint8Array | Forward | undefined {
  if (bytes.length < headerBytes || bytes.length > tcpMessageBytes || (bytes[2]! & 0x80) !== 0) return undefined
  const query = readQuery(bytes, transport, options.upstream === true)
  if ('code' in query) return encodeResponse(query.head, query, udpPayloadBytes)
  return answerQuery(zone, bytes, query)
}

type Refusal = ResponseBody & { readonly head: ResponseHead }

const refusedTypes = new Set([251, 252, 253, 254, 255])

function readQuery(bytes: Uint8Array, transport: 'udp' | 'tcp', upstream: boolean): ParsedQuery | Refusal {
  const flags = (bytes[2]! << 8) | bytes[3]!
  const opcode = (flags >> 11) & 15
  const bare: ResponseHead = {
    id: (bytes[0]! << 8) | bytes[1]!,
    opcode,
    recursionDesired: (flags & 0x0100) !== 0,
    checkingDisabled: (flags & 0x0010) !== 0,
    question: new Uint8Array(),
    labels: [],
    edns: undefined,
  }
  const refuse = (head: ResponseHead, code: ResponseCode, error?: ResponseBody['error']): Refusal => ({
    head,
    code,
    authoritative: false,
    recursionAvailable: upstream,
    ...(error !== undefined && { error }),
  })
  if (opcode !== 0) return refuse(bare, 'NOTIMP')
  const parsed = parse(bytes)
  if (parsed === undefined) return refuse(bare, 'FORMERR')
  const { question, edns } = parsed
  const head = {
    ...bare,
    labels: question.labels,
    question: bytes.subarray(headerBytes, question.end),
    edns: edns && { dnssecOk: edns.dnssecOk },
  }
  if ((edns?.version ?? 0) > 0) return refuse(head, 'BADVERS')
  if (question.class !== 1 || refusedTypes.has(question.type))
    return refuse(head, 'REFUSED', { code: 21, text: 'neither transfers nor ANY are answered here' })
  const limit =
    transport === 'tcp' ? tcpMessageBytes : Math.min(Math.max(edns?.payloadBytes ?? 512, 512), udpPayloadBytes)
  return { head, question, type: typeNames.get(question.type) ?? String(question.type), limit, upstream }
}

const typeNames = new Map(Object.entries(typeNumbers).map(([name, number]) => [number as number, name]))

interface Edns {
  readonly version: number
  readonly payloadBytes: number
  readonly dnssecOk: boolean
}

/** The question and the EDNS option of a well-formed query with one question, or undefined. */
function parse(bytes: Uint8Array): { question: Question; edns: Edns | undefined } | undefined {
  try {
    const packet = dnsPacket.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    if (packet.questions?.length !== 1) return undefined
    const options = (packet.additionals ?? []).filter((record) => record.type === 'OPT')
    if (options.length > 1) return undefined
    const [option] = options
    const edns = option && {
      version: option.ednsVersion,
      payloadBytes: option.udpPayloadSize,
      dnssecOk: option.flag_do,
    }
    return { question: decodeQuestion(bytes), edns }
  } catch {
    return undefined
  }
}

function answerQuery(zone: Zone, bytes: Uint8Array, query: ParsedQuery): Uint8Array | Forward {
  const { head, question, type, limit, upstream } = query
  const result = answer(zone, { labels: question.labels, type })
  if (result.kind === 'forward') {
    if (upstream) return forwardWhole(bytes, query)
    const text = `only ${zone.domain} is answered here, and no upstream server is set`
    const body = {
      code: 'REFUSED',
      authoritative: false,
      recursionAvailable: false,
      error: { code: 20, text },
    } as const
    return encodeResponse(head, body, limit)
  }
  const body = {
    code: result.code,
    authoritative: true,
    recursionAvailable: upstream,
    answers: rotate(result.answers, head.id),
    authority: result.authority,
    additional: result.additional,
  }
  if (result.outside === undefined || !upstream) return encodeResponse(head, body, limit)
  return forwardAlias(query, body, result.outside)
}

/** Starts the addresses at another one for each query, so that clients that take the first spread out; aliases stay in front. */
function rotate(records: readonly ResourceRecord[], id: number): readonly ResourceRecord[] {
  const first = records.findIndex(({ type }) => type !== 'CNAME')
  const count = records.length - first
  if (first < 0 || count < 2) return records
  const by = first + (id % count)
  return [...records.slice(0, first), ...records.slice(by), ...records.slice(first, by)]
}
