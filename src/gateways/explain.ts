import { hostName, hostText, patternsOf } from './host.ts'
import { whyNot } from './match.ts'
import {
  type Because,
  type Entrance,
  type GatewayModel,
  type HostTier,
  type HttpAction,
  type HttpRule,
  type ListenerModel,
  mostTiers,
  type StreamRoute,
  type Target,
} from './model.ts'

/** A request as it arrives. `sni` is undefined without TLS, and empty for TLS without a name. */
export interface RequestQuestion {
  /** Where it arrives: the port that nodes bind. Unless told, that of Ingresses for its scheme. */
  readonly port?: number
  readonly host: string
  /** Without the query. */
  readonly path: string
  readonly sni?: string
  /** `GET` unless told. */
  readonly method?: string
  /** By name in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  /** Decoded, of several values the first. */
  readonly query?: Readonly<Record<string, string>>
}

/** A rule of the listener that did not get the request, and why. */
export interface Lost {
  readonly because: Because
  readonly says: string
}

interface Told {
  readonly entrance?: Entrance
  readonly listener?: ListenerModel
  /** At most 20. */
  readonly lost: readonly Lost[]
}

export type RequestAnswer = Told &
  (
    | { readonly kind: 'forwarded'; readonly backend: string; readonly rule: HttpRule; readonly action: HttpAction }
    /** By the gateway itself: an error, or a filter. */
    | { readonly kind: 'answered'; readonly status: number; readonly says: string; readonly rule?: HttpRule }
    /** The connection is carried as bytes; nobody looks at the request. */
    | { readonly kind: 'stream'; readonly backend: string; readonly stream: StreamRoute }
    /** The connection does not come to be. */
    | { readonly kind: 'closed'; readonly says: string }
  )

/**
 * What becomes of a request: through which entrance and listener, by which rule (its because names object and field), with which
 * filters, to which backend; and why the other rules of the listener lost. Of weighted backends the first is told, all are in `action`.
 */
export function explainRequest(model: GatewayModel, question: RequestQuestion): RequestAnswer {
  const entrance = findEntrance(model, question)
  if (entrance === undefined) return { kind: 'closed', says: 'nothing listens there', lost: [] }
  const { sni } = question
  const name = hostName(question.host)
  if (entrance.protocol === 'TCP' || entrance.protocol === 'UDP') return explainStream(entrance, '', undefined)
  const asked = entrance.protocol === 'TLS' ? hostName(sni ?? '') : undefined
  if (asked !== undefined) {
    const connected = patternsOf(asked, entrance.listeners)[0]
    if (connected === undefined) return { kind: 'closed', says: `no listener is for "${asked}"`, entrance, lost: [] }
    if (connected.mode !== 'http') return explainStream(entrance, asked, connected)
    const wanted = patternsOf(name, entrance.listeners)[0]
    if (wanted?.id !== connected.id) {
      const says = `the connection was made for "${sni}", and ${name} belongs to another ${wanted ? `listener (${wanted.id})` : 'gateway'}`
      return { kind: 'answered', status: 421, says, entrance, listener: connected, lost: [] }
    }
  }
  return explainHttp(entrance, name, question)
}

function findEntrance({ entrances }: GatewayModel, { port, sni }: RequestQuestion): Entrance | undefined {
  if (port !== undefined) return entrances.find((one) => one.port === port)
  return entrances.find(({ id }) => id === (sni === undefined ? 'http' : 'https'))
}

function explainStream(entrance: Entrance, name: string, listener: ListenerModel | undefined): RequestAnswer {
  const told = { entrance, ...(listener && { listener }), lost: [] }
  const stream = listener === undefined ? entrance.streams[0] : patternsOf(name, entrance.streams)[0]
  if (stream === undefined) return { kind: 'closed', says: `no route is for ${name || 'this port'}`, ...told }
  const target = stream.action.targets[0]?.target
  if (target?.kind === 'backend') return { kind: 'stream', backend: target.id, stream, ...told }
  return { kind: 'closed', says: target?.says ?? 'no backend has a weight', ...told }
}

function explainHttp(entrance: Entrance, name: string, question: RequestQuestion): RequestAnswer {
  const lost: Lost[] = []
  const tiers = patternsOf(name, entrance.tiers)
  const listener = entrance.listeners.find(({ id }) => id === tiers[0]?.listener)
  const told = { entrance, ...(listener && { listener }), lost }
  for (const tier of chainOf(tiers[0], entrance)) {
    for (const rule of tier.rules) {
      const reason = whyNot(rule, question)
      if (reason === undefined) return { ...answerOf(rule, entrance), ...told }
      if (lost.length < 20) lost.push({ because: rule.because, says: reason })
    }
  }
  return { kind: 'answered', status: 404, says: `no route is for ${name}${question.path}`, ...told }
}

/** A tier and the less specific ones that come after it, as many as are looked at. */
function chainOf(first: HostTier | undefined, { tiers }: Entrance): HostTier[] {
  const chain: HostTier[] = []
  for (let tier = first; tier !== undefined && chain.length < mostTiers; ) {
    chain.push(tier)
    const { parent } = tier
    tier = parent && tiers.find(({ host }) => hostText(host) === hostText(parent))
  }
  return chain
}

function answerOf(rule: HttpRule, { protocol }: Entrance) {
  const { action } = rule
  const isShown = action.filters.some((filter) => filter.kind === 'client-certificate' && filter.mode !== 'off')
  if (isShown && protocol !== 'TLS')
    return { kind: 'answered', status: 308, says: 'certificates are shown by HTTPS', rule } as const
  const redirect = action.filters.find((filter) => filter.kind === 'redirect')
  if (redirect?.kind === 'redirect')
    return { kind: 'answered', status: redirect.status, says: 'a filter redirects', rule } as const
  const target: Target | undefined = action.targets[0]?.target
  if (target === undefined) return { kind: 'answered', status: 503, says: 'no backend has a weight', rule } as const
  if (target.kind === 'broken') return { kind: 'answered', status: 500, says: target.says, rule } as const
  return { kind: 'forwarded', backend: target.id, rule, action } as const
}
