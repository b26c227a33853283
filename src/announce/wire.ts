import { createHmac, timingSafeEqual } from 'node:crypto'
import { findAddress } from '../addr/index.ts'
import type { Ack, Heartbeat, Message, Move, Refusal, Want } from './message.ts'

const tagBytes = 16
const magic = Buffer.from('plmb1')
/** A datagram's most; larger ones are refused before they are looked at. */
const maximumBytes = 65_507

/** A message as one datagram: a mark, 16 bytes of HMAC-SHA-256 by the cluster's key, JSON. */
export function encodeMessage(message: Message, key: Uint8Array): Buffer {
  const body = Buffer.from(JSON.stringify(message))
  return Buffer.concat([magic, tagOf(body, key), body])
}

/** The inverse of `encodeMessage`; undefined for whatever is not signed by the key, and for what has another shape. */
export function decodeMessage(bytes: Uint8Array, key: Uint8Array): Message | undefined {
  const head = magic.length + tagBytes
  if (bytes.length <= head || bytes.length > maximumBytes) return undefined
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const body = buffer.subarray(head)
  if (!buffer.subarray(0, magic.length).equals(magic)) return undefined
  if (!timingSafeEqual(buffer.subarray(magic.length, head), tagOf(body, key))) return undefined
  try {
    return readMessage(JSON.parse(body.toString()))
  } catch {
    return undefined
  }
}

function tagOf(body: Uint8Array, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(magic).update(body).digest().subarray(0, tagBytes)
}

type Fields = Readonly<Record<string, unknown>>

function readMessage(value: unknown): Message | undefined {
  if (!isFields(value) || typeof value.from !== 'string') return undefined
  if (value.kind === 'heartbeat') return isHeartbeat(value) ? (value as unknown as Heartbeat) : undefined
  if (typeof value.to !== 'string') return undefined
  if (value.kind === 'ack') return isAck(value) ? (value as unknown as Ack) : undefined
  return value.kind === 'move' && isMove(value) ? (value as unknown as Move) : undefined
}

function isHeartbeat({ boot, sequence, leaseMs, members, able, wants }: Fields): boolean {
  return (
    typeof boot === 'string' &&
    isCount(sequence) &&
    isCount(leaseMs) &&
    isCount(members) &&
    typeof able === 'boolean' &&
    Array.isArray(wants) &&
    wants.every((want: Want) => isFields(want) && isAddress(want.address) && typeof want.held === 'boolean')
  )
}

function isAck({ boot, sequence, refused }: Fields): boolean {
  return (
    typeof boot === 'string' &&
    isCount(sequence) &&
    Array.isArray(refused) &&
    refused.every(
      (one: Refusal) =>
        isFields(one) && isAddress(one.address) && typeof one.holder === 'string' && isCount(one.remainingMs),
    )
  )
}

function isMove({ phase, address }: Fields): boolean {
  return (phase === 'prepare' || phase === 'ready' || phase === 'go') && isAddress(address)
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

function isAddress(value: unknown): boolean {
  return typeof value === 'string' && findAddress(value) === value
}
