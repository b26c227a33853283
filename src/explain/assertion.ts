import { findAddress } from '../addr/index.ts'
import type { Transport } from './answer.ts'

/** One line of an assertion file: `from` must, or must not, reach `to`, and how. */
export interface Assertion {
  readonly name?: string
  /** `deployment/shop/web`, `pod/shop/web`, `node/node-1`, or an address. */
  readonly from: string
  /** The same, `svc/shop/web`, or a URL, which is asked of gateways. */
  readonly to: string
  /** A number, or the name of a port; not with a URL. */
  readonly port?: number | string
  readonly protocol?: Transport | 'icmp'
  readonly family?: 4 | 6
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly sni?: string
  readonly expect: 'allow' | 'deny'
  /** An object that the way leads over: a pod, workload, Service, node, Gateway or Egress, as `KIND/NAMESPACE/NAME`. */
  readonly via?: string
  /** The address as which the other end sees the client. */
  readonly exit?: string
  /** The route or Ingress that takes the request, as `httproute/NAMESPACE/NAME`. */
  readonly route?: string
}

const mostAssertions = 100_000
const fields = new Set([
  ...['name', 'from', 'to', 'port', 'protocol', 'family', 'method', 'headers', 'sni', 'expect', 'via', 'exit', 'route'],
])

/** Reads the parsed content of an assertion file; what is wrong with it is told by item and field. */
export function readAssertions(value: unknown): readonly Assertion[] | string {
  const list = (value as { assertions?: unknown } | null)?.assertions
  if (!Array.isArray(list)) return 'the file needs a list "assertions"'
  if (list.length > mostAssertions) return `${list.length} assertions are more than ${mostAssertions}`
  for (const [index, one] of list.entries()) {
    const wrong = findMistake(one as Partial<Assertion> | null)
    if (wrong !== undefined) return `assertions[${index}]${wrong}`
  }
  return list as Assertion[]
}

function findMistake(one: Partial<Assertion> | null): string | undefined {
  if (typeof one !== 'object' || one === null || Array.isArray(one)) return ' is not an object'
  const unknown = Object.keys(one).find((key) => !fields.has(key))
  if (unknown !== undefined) return `.${unknown}: no such field; there are ${[...fields].join(', ')}`
  if (typeof one.from !== 'string') return '.from: write KIND/NAMESPACE/NAME or an address'
  if (typeof one.to !== 'string') return '.to: write KIND/NAMESPACE/NAME, an address or a URL'
  for (const key of ['name', 'method', 'sni', 'via', 'exit', 'route'] as const)
    if (one[key] !== undefined && typeof one[key] !== 'string') return `.${key}: ${String(one[key])} is not text`
  const { headers = {}, family, expect, exit } = one
  if (exit !== undefined && findAddress(exit) === undefined) return `.exit: "${exit}" is no IP address`
  if (
    typeof headers !== 'object' ||
    headers === null ||
    Object.values(headers).some((text) => typeof text !== 'string')
  )
    return '.headers: write NAME: VALUE'
  if (family !== undefined && family !== 4 && family !== 6) return `.family: ${family} is neither 4 nor 6`
  if (expect !== 'allow' && expect !== 'deny') return `.expect: ${expect} is neither allow nor deny`
  if (expect === 'deny') {
    const more = (['via', 'exit', 'route'] as const).find((key) => one[key] !== undefined)
    if (more !== undefined) return `.${more}: what is denied has none; leave it out, or expect allow`
  }
  return isUrl(one.to) ? findUrlMistake(one) : findPortMistake(one)
}

function findUrlMistake({ to = '', port, protocol }: Partial<Assertion>): string | undefined {
  if (!URL.canParse(to)) return `.to: "${to}" is no URL`
  if (port !== undefined) return '.port: the URL has it'
  return protocol === undefined || protocol === 'tcp' ? undefined : `.protocol: a URL is asked by tcp, not ${protocol}`
}

function findPortMistake(one: Partial<Assertion>): string | undefined {
  const { port, protocol = 'tcp' } = one
  const stray = (['method', 'headers', 'sni', 'route'] as const).find((key) => one[key] !== undefined)
  if (stray !== undefined) return `.${stray}: only a URL has one`
  if (!['tcp', 'udp', 'sctp', 'icmp'].includes(protocol)) return `.protocol: ${protocol} is not tcp, udp, sctp or icmp`
  if (protocol === 'icmp') return port === undefined ? undefined : '.port: a ping has none'
  if (typeof port === 'string' && port !== '') return undefined
  return Number.isInteger(port) && (port as number) >= 1 && (port as number) <= 65535
    ? undefined
    : `.port: ${port} is not a number from 1 to 65535`
}

/** Whether the other end is asked for by HTTP. */
export function isUrl(to: string): boolean {
  return /^https?:\/\//.test(to)
}

/** What an assertion is called: its name, or what it says. */
export function nameOf({ name, from, to, port, protocol = 'tcp', expect }: Assertion): string {
  if (name !== undefined) return name
  const word = expect === 'allow' ? 'reaches' : 'does not reach'
  const where = isUrl(to) ? to : protocol === 'icmp' ? `${to} by ping` : `${to}:${port}/${protocol}`
  return `${from} ${word} ${where}`
}
