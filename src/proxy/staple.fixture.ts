import { createHash, createPrivateKey, sign } from 'node:crypto'
import { readDer, readDerList } from '../gateways/der.ts'
import type { Issued } from './authority.fixture.ts'

interface Answered {
  /** From now; negative for a response that has expired. */
  readonly hours?: number
  readonly isRevoked?: boolean
  /** Who signs; the issuer unless told. */
  readonly signer?: Issued
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
const time = (ms: number): Buffer => der(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/\.\d+|[-:T]/g, '')}`))
const sha1 = (bytes: Buffer): Buffer => der(0x04, createHash('sha1').update(bytes).digest())

function fieldsOf({ certificate }: Issued): ReturnType<typeof readDerList> {
  const [whole] = readDerList(readDer(Buffer.from(certificate.rawData)).content)
  return readDerList(whole!.content).filter(({ tag }) => tag !== 0xa0)
}

/** What a responder says of a certificate (RFC 6960), DER in base64; signed by ECDSA. */
export function respond(
  leaf: Issued,
  issuer: Issued,
  { hours = 24, isRevoked, signer = issuer }: Answered = {},
): string {
  const [serial] = fieldsOf(leaf)
  const fields = fieldsOf(issuer)
  const key = readDerList(fields[5]!.content)[1]!.content.subarray(1)
  const about = der(0x30, der(0x30, oid('2b0e03021a'), der(0x05)), sha1(fields[4]!.whole), sha1(key), serial!.whole)
  const from = Date.now() - 48 * 3_600_000
  const status = isRevoked ? der(0xa1, time(from)) : der(0x80)
  const until = der(0xa0, time(Date.now() + hours * 3_600_000))
  const data = der(
    0x30,
    der(0xa1, fields[4]!.whole),
    time(from),
    der(0x30, der(0x30, about, status, time(from), until)),
  )
  const signature = der(0x03, Buffer.from([0]), sign('sha256', data, createPrivateKey(signer.key)))
  const shown = signer === issuer ? [] : [der(0xa0, der(0x30, Buffer.from(signer.certificate.rawData)))]
  const basic = der(0x30, data, der(0x30, oid('2a8648ce3d040302')), signature, ...shown)
  const wrapped = der(0xa0, der(0x30, oid('2b0601050507300101'), der(0x04, basic)))
  return der(0x30, der(0x0a, Buffer.from([0])), wrapped).toString('base64')
}
