import type * as Cel from '@marcbachmann/cel-js'
import {
  type Address,
  addressFromBytes,
  bytesOf,
  contains,
  familyOf,
  findAddress,
  findPrefix,
  type Prefix,
} from '../addr/index.ts'

/** An address (`ip()`). */
class Ip {
  readonly address: Address
  constructor(address: Address) {
    this.address = address
  }
}

/** An address with the length of its prefix (`cidr()`); the bits behind the prefix may be set. */
class Cidr {
  readonly address: Address
  readonly length: number
  constructor(address: Address, length: number) {
    this.address = address
    this.length = length
  }
}

/** What `ip.isCanonical` is a function of. */
class IpFunctions {}

/** An address as Kubernetes' IP library reads it: no leading zeros, no zone, no IPv4 within IPv6. */
function findIp(text: string): Ip | undefined {
  const isFour = /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)
  const isSix = /^[0-9a-f:]+$/i.test(text) && !/^::ffff:[^:]+:[^:]+$/i.test(text)
  const address = isFour || isSix ? findAddress(text) : undefined
  return address === undefined ? undefined : new Ip(address)
}

function findCidr(text: string): Cidr | undefined {
  const [, before = '', after = ''] = /^([^/]*)\/(0|[1-9]\d{0,2})$/.exec(text) ?? []
  const ip = after === '' ? undefined : findIp(before)
  if (ip === undefined || Number(after) > (familyOf(ip.address) === 4 ? 32 : 128)) return undefined
  return new Cidr(ip.address, Number(after))
}

function ipOf(text: string): Ip {
  const found = findIp(text)
  if (found === undefined) throw new Error(`IP Address "${text}" parse error during conversion from string`)
  return found
}

function cidrOf(text: string): Cidr {
  const found = findCidr(text)
  if (found === undefined) throw new Error(`CIDR "${text}" parse error during conversion from string`)
  return found
}

const prefixOf = ({ address, length }: Cidr): Prefix => findPrefix(`${address}/${length}`, true)!

const holds = (cidr: Cidr, address: Address): boolean =>
  familyOf(cidr.address) === familyOf(address) && contains(prefixOf(cidr), address)

function holdsAll(cidr: Cidr, other: Cidr): boolean {
  return other.length >= cidr.length && holds(cidr, other.address)
}

/** Whether the address is in one of these prefixes, by its family. */
const within = (...prefixes: string[]) => {
  const all = prefixes.map((text) => findPrefix(text)!)
  return ({ address }: Ip): boolean =>
    all.some((prefix) => prefix.includes(':') === (familyOf(address) === 6) && contains(prefix, address))
}
const isLoopback = within('127.0.0.0/8', '::1/128')
const isLinkLocal = within('169.254.0.0/16', 'fe80::/10')
const isUnspecified = within('0.0.0.0/32', '::/128')
const isMulticast = within('224.0.0.0/4', 'ff00::/8')
const isBroadcast = within('255.255.255.255/32')

/** Go's net.IP: link-local multicast is 224.0.0.0/24, and ffX2:: whatever its flags. */
function isLinkLocalMulticast({ address }: Ip): boolean {
  const bytes = bytesOf(address)
  if (bytes.length === 16) return bytes[0] === 0xff && (bytes[1]! & 0x0f) === 0x02
  return bytes[0] === 224 && bytes[1] === 0 && bytes[2] === 0
}

function isGlobalUnicast(ip: Ip): boolean {
  return ![isUnspecified, isLoopback, isLinkLocal, isMulticast, isBroadcast].some((test) => test(ip))
}

/** Kubernetes' IP and CIDR libraries. */
export function registerNetwork(environment: Cel.Environment): Cel.Environment {
  const canonical = (_: IpFunctions, text: string) => ipOf(text).address === text
  return environment
    .registerType('net.IP', Ip as never)
    .registerType('net.CIDR', Cidr as never)
    .registerType('net.IPFunctions', IpFunctions as never)
    .registerConstant('ip', 'net.IPFunctions', new IpFunctions())
    .registerOperator('net.IP == net.IP', (a: Ip, b: Ip) => a.address === b.address)
    .registerOperator('net.CIDR == net.CIDR', (a: Cidr, b: Cidr) => a.address === b.address && a.length === b.length)
    .registerFunction('isIP(string): bool', (text: string) => findIp(text) !== undefined)
    .registerFunction('ip(string): net.IP', ipOf)
    .registerFunction('string(net.IP): string', ({ address }: Ip) => address)
    .registerFunction('net.IPFunctions.isCanonical(string): bool', canonical)
    .registerFunction('net.IP.family(): int', ({ address }: Ip) => BigInt(familyOf(address)))
    .registerFunction('net.IP.isUnspecified(): bool', isUnspecified)
    .registerFunction('net.IP.isLoopback(): bool', isLoopback)
    .registerFunction('net.IP.isLinkLocalMulticast(): bool', isLinkLocalMulticast)
    .registerFunction('net.IP.isLinkLocalUnicast(): bool', isLinkLocal)
    .registerFunction('net.IP.isGlobalUnicast(): bool', isGlobalUnicast)
    .registerFunction('isCIDR(string): bool', (text: string) => findCidr(text) !== undefined)
    .registerFunction('cidr(string): net.CIDR', cidrOf)
    .registerFunction('string(net.CIDR): string', ({ address, length }: Cidr) => `${address}/${length}`)
    .registerFunction('net.CIDR.containsIP(net.IP): bool', (it: Cidr, ip: Ip) => holds(it, ip.address))
    .registerFunction('net.CIDR.containsIP(string): bool', (it: Cidr, text: string) => holds(it, ipOf(text).address))
    .registerFunction('net.CIDR.containsCIDR(net.CIDR): bool', holdsAll)
    .registerFunction('net.CIDR.containsCIDR(string): bool', (it: Cidr, text: string) => holdsAll(it, cidrOf(text)))
    .registerFunction('net.CIDR.ip(): net.IP', ({ address }: Cidr) => new Ip(address))
    .registerFunction(
      'net.CIDR.masked(): net.CIDR',
      ({ address, length }: Cidr) => new Cidr(masked(address, length), length),
    )
    .registerFunction('net.CIDR.prefixLength(): int', ({ length }: Cidr) => BigInt(length))
}

function masked(address: Address, length: number): Address {
  const bytes = bytesOf(address).map((byte, i) => byte & (0xff << (8 - Math.min(8, Math.max(0, length - i * 8)))))
  return addressFromBytes(bytes)
}
