import {
  type Address,
  addressFromBytes,
  bytesOf,
  familyOf,
  type Prefix,
  prefixAddress,
  prefixLength,
} from '../addr/index.ts'

/** The address of a whole reverse name (`5.0.96.10.in-addr.arpa`, 32 nibbles under `ip6.arpa`), from lower-case labels. */
export function findReverseAddress(labels: readonly string[]): Address | undefined {
  const tail = labels.slice(-2).join('.')
  const rest = labels.slice(0, -2).reverse()
  if (tail === 'in-addr.arpa' && rest.length === 4) {
    if (!rest.every((label) => /^(0|[1-9]\d{0,2})$/.test(label) && Number(label) < 256)) return undefined
    return addressFromBytes(Uint8Array.from(rest, Number))
  }
  if (tail !== 'ip6.arpa' || rest.length !== 32 || !rest.every((label) => /^[0-9a-f]$/.test(label))) return undefined
  return addressFromBytes(
    Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(`${rest[2 * i]}${rest[2 * i + 1]}`, 16)),
  )
}

/** The name under which an address is looked up (RFC 1035 3.5, RFC 3596 2.5). */
export function reverseName(address: Address): string {
  return [...reverseLabels(address)].reverse().join('.') + (familyOf(address) === 4 ? '.in-addr.arpa' : '.ip6.arpa')
}

/** The name of the reverse zone that holds a prefix: cut at a whole octet or nibble. */
export function reverseZone(prefix: Prefix): string {
  const address = prefixAddress(prefix)
  const step = familyOf(address) === 4 ? 8 : 4
  const labels = reverseLabels(address).slice(0, Math.floor(prefixLength(prefix) / step))
  return [...labels.reverse(), familyOf(address) === 4 ? 'in-addr.arpa' : 'ip6.arpa'].join('.')
}

function reverseLabels(address: Address): string[] {
  const bytes = [...bytesOf(address)]
  if (familyOf(address) === 4) return bytes.map(String)
  return bytes.flatMap((byte) => [(byte >> 4).toString(16), (byte & 15).toString(16)])
}
