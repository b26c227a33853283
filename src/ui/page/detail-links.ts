import type { EntryView } from '../../explain/index.ts'
import type { Box, Picture } from '../picture.ts'
import { el } from './dom.ts'
import { renderHash } from './hash.ts'

/** So many names of an entry are offered. */
const mostHosts = 3

type Link = readonly [href: string, text: string]

/** The other questions about an object; `data` is its view, where it has one. */
export function detailLinks(
  object: string,
  box: Box | undefined,
  picture: Picture | undefined,
  data: unknown,
): HTMLElement {
  const links = [...ofKind(object, box, picture, data)].map(([href, text]) => el('a', { class: 'action', href }, text))
  return el('p', { class: 'actions' }, ...links)
}

function* ofKind(object: string, box: Box | undefined, picture: Picture | undefined, data: unknown): Generator<Link> {
  const [kind = '', ...key] = object.split('/')
  if (kind === 'service') yield [whyService(key.join('/'), box), 'Why does it (not) answer?']
  if (kind === 'service')
    for (const from of neighbours(picture, object, 'to'))
      if (from.id.startsWith('address/') && from.id !== 'address/nodes') yield fromInternet(from, box)
  if (kind === 'address' && box !== undefined)
    for (const to of neighbours(picture, object, 'from')) if (to.rung === 'service') yield fromInternet(box, to)
  if (kind === 'address') yield [renderHash('addresses'), 'Who may hold it?']
  if (kind === 'nodeport') {
    const node = picture?.boxes.flatMap(({ pods = [] }) => pods.map((pod) => pod.node))[0]
    const [port = '', protocol = 'tcp'] = key
    const query = { from: 'internet', to: `node/${node}:${port}`, protocol: protocol === 'tcp' ? '' : protocol }
    if (node !== undefined) yield [renderHash('why', query), `Why does it (not) answer at ${node}?`]
  }
  if ((kind === 'ingress' || kind === 'gateway') && data !== undefined) yield* requests(data as EntryView)
  if (kind === 'pod') {
    yield [renderHash('why', { to: object }), 'Why does it (not) answer?']
    yield [renderHash('why', { from: object }), 'Ask from it']
  }
  if (kind === 'pod' || box?.rung === 'workload') yield [renderHash('reach', { of: object }), 'Who may talk to it?']
}

function neighbours(picture: Picture | undefined, object: string, side: 'from' | 'to'): readonly Box[] {
  const other = side === 'from' ? 'to' : 'from'
  const ids = new Set((picture?.edges ?? []).filter((edge) => edge[side] === object).map((edge) => edge[other]))
  return (picture?.boxes ?? []).filter(({ id }) => ids.has(id))
}

/** The first port that a Service's box tells. */
function portOf(box: Box | undefined): readonly [port: string, protocol: string] | undefined {
  const [, port, protocol] = /\b(\d+)\/(tcp|udp|sctp)/.exec(box?.lines.join(' ') ?? '') ?? []
  return port === undefined || protocol === undefined ? undefined : [port, protocol === 'tcp' ? '' : protocol]
}

function whyService(key: string, box: Box | undefined): string {
  const [port, protocol] = portOf(box) ?? []
  return renderHash('why', { to: `svc/${key}${port === undefined ? '' : `:${port}`}`, protocol })
}

function fromInternet({ name: address }: Box, service: Box | undefined): Link {
  const [port, protocol] = portOf(service) ?? []
  const to = `${address.includes(':') ? `[${address}]` : address}${port === undefined ? '' : `:${port}`}`
  return [renderHash('why', { from: 'internet', to, protocol }), `… from the internet at ${to}?`]
}

function* requests({ routes, listeners }: EntryView): Generator<Link> {
  const hosts = new Set(routes.flatMap(({ rules }) => rules.flatMap((rule) => rule.hosts)))
  const hasTls = (host: string): boolean =>
    listeners.some(({ hosts: own, certificates }) => certificates.length > 0 && own.includes(host))
  for (const host of [...hosts].filter((one) => !one.includes('*')).slice(0, mostHosts)) {
    const url = `${hasTls(host) ? 'https' : 'http'}://${host}/`
    yield [renderHash('why', { from: 'internet', to: url }), `Why does ${url} (not) answer?`]
  }
}
