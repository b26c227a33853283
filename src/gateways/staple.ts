import { createHash, timingSafeEqual, verify, X509Certificate } from 'node:crypto'
import { type DerValue, readDer, readDerList, renderOid } from './der.ts'
import type { Staple } from './model.ts'

const longestStaple = 8192
const basicResponse = '1.3.6.1.5.5.7.48.1.1'
const ocspSigning = '1.3.6.1.5.5.7.3.9'
/** Signatures and their hashes (RFC 5758, RFC 4055, RFC 8410). */
const hashes: Readonly<Record<string, string | null>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.3.101.112': null,
}

/**
 * An OCSP response in DER (RFC 6960) as one to be stapled: about this certificate and no other, good, signed by its issuer or by whom that
 * one lets sign. Throws with the reason when it is none. Whether it has expired is for those to look at who use it.
 */
export function readStaple(response: Buffer, leaf: X509Certificate, issuer: X509Certificate): Staple {
  if (response.length > longestStaple) throw new Error(`it is longer than ${longestStaple} bytes`)
  const [status, wrapped] = readDerList(readDer(response).content)
  if (status?.content[0] !== 0 || wrapped === undefined) throw new Error('it is the answer of a responder that failed')
  const [type, octets] = readDerList(readDer(wrapped.content).content)
  if (octets === undefined || renderOid(type!.content) !== basicResponse) throw new Error('it is of an unknown type')
  const [data, algorithm, signature, certificates] = readDerList(readDer(octets.content).content)
  if (signature === undefined) throw new Error('it is not whole')
  const { single, about } = readSingle(data!)
  checkSubject(about, leaf, issuer)
  if (single[1]?.tag !== 0x80) throw new Error('it says that the certificate is revoked or unknown')
  const [, , from, until] = single
  if (until?.tag !== 0xa0) throw new Error('it does not say until when it is good')
  if (readTime(from!) > Date.now()) throw new Error('it is not good yet')
  const signers = [issuer, ...signersOf(certificates, issuer)]
  const hash = hashes[renderOid(readDerList(algorithm!.content)[0]!.content)]
  if (hash === undefined) throw new Error('it is signed in an unknown way')
  const signed = signature.content.subarray(1)
  if (!signers.some(({ publicKey }) => verify(hash, data!.whole, publicKey, signed)))
    throw new Error('it is not signed by the issuer of the certificate')
  return {
    response: response.toString('base64'),
    issuer: `${issuer.toString().trim()}\n`,
    expiresMs: readTime(readDer(until.content)),
  }
}

/** The only answer of a response, and which certificate it is about. */
function readSingle(data: DerValue): { single: DerValue[]; about: DerValue[] } {
  // Version and extensions have numbers of their own, and so has the responder.
  const singles = readDerList(data.content).find(({ tag }) => tag === 0x30)
  const all = singles === undefined ? [] : readDerList(singles.content)
  if (all.length !== 1) throw new Error('it is about several certificates, or none')
  const single = readDerList(all[0]!.content)
  return { single, about: readDerList(single[0]!.content) }
}

function checkSubject(
  [algorithm, name, key, serial]: DerValue[],
  leaf: X509Certificate,
  issuer: X509Certificate,
): void {
  if (serial === undefined || renderOid(readDerList(algorithm!.content)[0]!.content) !== '1.3.14.3.2.26')
    throw new Error('it does not name its certificate by SHA-1, as HAProxy does')
  const fields = fieldsOf(issuer)
  const sha1 = (bytes: Buffer): Buffer => createHash('sha1').update(bytes).digest()
  const bits = readDerList(fields[5]!.content)[1]!.content.subarray(1)
  const isOfIssuer = isSame(name!.content, sha1(fields[4]!.whole)) && isSame(key!.content, sha1(bits))
  if (!isOfIssuer || !isSame(serial.content, fieldsOf(leaf)[0]!.content))
    throw new Error('it is about another certificate')
}

/** Serial number, algorithm, issuer, validity, subject, key … (RFC 5280, 4.1). */
function fieldsOf(certificate: X509Certificate): DerValue[] {
  const fields = readDerList(readDer(readDer(certificate.raw).content).content)
  return fields[0]?.tag === 0xa0 ? fields.slice(1) : fields
}

/** Whom the issuer lets sign (RFC 6960, 4.2.2.2). */
function signersOf(certificates: DerValue | undefined, issuer: X509Certificate): X509Certificate[] {
  if (certificates === undefined) return []
  return readDerList(readDer(certificates.content).content)
    .map(({ whole }) => new X509Certificate(whole))
    .filter((one) => one.keyUsage?.includes(ocspSigning) && one.verify(issuer.publicKey))
}

/** GeneralizedTime as RFC 5280 has it: `20300102030405Z`. */
function readTime({ content }: DerValue): number {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(content.toString('latin1'))
  if (parts === null) throw new Error('a time in it cannot be read')
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

function isSame(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
