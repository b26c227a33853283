import { findAddress } from '../addr/index.ts'
import type { End, Question, RequestAsked } from '../explain/index.ts'

/** What a connection is like beyond its ends, and a request. */
export interface AskedOptions {
  /** Of names that do not say theirs. */
  readonly namespace: string
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp'
  readonly family?: '4' | '6'
  readonly method?: string
  /** `NAME: VALUE` */
  readonly header: readonly string[]
  readonly sni?: string
}

/** What `plumb why` is asked: a connection, or a request through a gateway. */
export type Asked =
  | { readonly kind: 'connection'; readonly question: Question }
  | { readonly kind: 'request'; readonly source: End; readonly request: RequestAsked }

/** The words of the command line, or what is wrong with them. */
export function parseAsked(from: string, to: string, options: AskedOptions): Asked | string {
  if (!/^https?:\/\//.test(to)) {
    const question = parseQuestion(from, to, options)
    return typeof question === 'string' ? question : { kind: 'connection', question }
  }
  const source = parseEnd(from, options.namespace)
  if (typeof source === 'string') return source
  const request = parseRequest(to, options)
  return typeof request === 'string' ? request : { kind: 'request', source, request }
}

function parseRequest(url: string, { header, method, sni, family }: AskedOptions): RequestAsked | string {
  if (!URL.canParse(url)) return `"${url}" is no URL`
  const wrong = header.find((one) => !one.includes(':'))
  if (wrong !== undefined) return `-H "${wrong}" is not NAME: VALUE`
  const headers = header.map((one) => {
    const colon = one.indexOf(':')
    return [one.slice(0, colon).trim().toLowerCase(), one.slice(colon + 1).trim()]
  })
  return {
    url,
    headers: Object.fromEntries(headers),
    ...(method === undefined ? {} : { method }),
    ...(sni === undefined ? {} : { sni }),
    ...(family === undefined ? {} : { family: family === '4' ? 4 : 6 }),
  }
}

function parseQuestion(from: string, to: string, options: AskedOptions): Question | string {
  const source = parseEnd(from, options.namespace)
  if (typeof source === 'string') return source
  if (source.kind === 'service') return `"${from}" sends nothing; ask from pod/NAME or node/NAME`
  const split = splitPort(to)
  const target = parseEnd(split.end, options.namespace)
  if (typeof target === 'string') return target
  const port = split.port === undefined ? undefined : /^\d+$/.test(split.port) ? Number(split.port) : split.port
  if (typeof port === 'number' && (port < 1 || port > 65535)) return `port ${port} is not between 1 and 65535`
  return {
    from: source,
    to: target,
    transport: options.protocol,
    ...(port === undefined ? {} : { port }),
    ...(options.family === undefined ? {} : { family: options.family === '4' ? 4 : 6 }),
  }
}

/** `svc/web:80`, `10.0.0.1:80`, `[fd00::1]:80`; a bare IPv6 address has no port. */
export function splitPort(text: string): { end: string; port?: string } {
  const bracketed = /^\[(.+)\](?::(.+))?$/.exec(text)
  if (bracketed !== null)
    return { end: bracketed[1] ?? '', ...(bracketed[2] === undefined ? {} : { port: bracketed[2] }) }
  if (findAddress(text) !== undefined) return { end: text }
  const colon = text.lastIndexOf(':')
  return colon < 0 ? { end: text } : { end: text.slice(0, colon), port: text.slice(colon + 1) }
}

const kinds: Readonly<Record<string, 'pod' | 'service' | 'node'>> = {
  pod: 'pod',
  pods: 'pod',
  po: 'pod',
  svc: 'service',
  service: 'service',
  services: 'service',
  node: 'node',
  nodes: 'node',
  no: 'node',
}

/** A target that may leave its type out: `web` and `shop/web` are Services. */
export function parseTarget(text: string, namespace: string): End | string {
  const typed = Object.hasOwn(kinds, text.split('/')[0] ?? '') || findAddress(text) !== undefined
  return parseEnd(typed ? text : `svc/${text}`, namespace)
}

/** `TYPE/NAME`, `TYPE/NAMESPACE/NAME` or an address; otherwise what is wrong with it. */
export function parseEnd(text: string, namespace: string): End | string {
  const address = findAddress(text)
  if (address !== undefined) return { kind: 'address', address }
  const [type = '', ...names] = text.split('/')
  const kind = kinds[type]
  if (kind === undefined || names.length < 1 || names.length > 2 || names.some((name) => name === '')) {
    return `"${text}" is not pod/NAME, svc/NAME, node/NAME or an IP address`
  }
  const name = names.at(-1) ?? ''
  if (kind === 'node') return { kind, name }
  return { kind, name, namespace: names.length === 2 ? (names[0] ?? '') : namespace }
}
