import type { Address } from '../addr/index.ts'
import type { Transport } from '../explain/index.ts'

/** The network namespace in which a probe starts. */
export type Place =
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'node'; readonly name: string }
  /** The client beyond the router. */
  | { readonly kind: 'outside' }

/** The steps of the ladder, from the process in the pod to the client outside. */
export const rungs = [
  'loopback',
  'pod',
  'own-node',
  'other-node',
  'client-pod',
  'name',
  'cluster-ip',
  'hairpin',
  'node-port',
  'external',
  'gateway',
] as const
export type Rung = (typeof rungs)[number]

/** What is said once the connection is there. */
export type Speech =
  /** Nothing: the handshake is the answer. */
  | { readonly kind: 'connect' }
  | {
      readonly kind: 'http'
      readonly host: string
      readonly path: string
      /** Bytes of an extra header. */
      readonly padding?: number
      /** Asks a second time on the same connection, after so many milliseconds; the second answer is the outcome. */
      readonly idleMs?: number
    }
  | { readonly kind: 'https'; readonly host: string; readonly path: string; readonly sni: string }
  /** HTTP/2 without TLS: the preface and empty SETTINGS. */
  | { readonly kind: 'h2c' }
  /** A question to the cluster's DNS. */
  | { readonly kind: 'dns'; readonly name: string; readonly type: 'A' | 'AAAA' }
  /** A datagram of one byte: silence says nothing, a refusal does. */
  | { readonly kind: 'datagram' }

/** One thing to try. */
export interface Probe {
  readonly id: string
  readonly rung: Rung
  readonly from: Place
  readonly address: Address
  readonly port: number
  readonly transport: Transport
  readonly speech: Speech
  /** How many connections; more than one where each may be led elsewhere. */
  readonly tries: number
  /** The pod or node that should answer, where it is one alone. */
  readonly target?: string
}

/** What the packets said, seen where the probe started. */
export interface Wire {
  /** How often the first packet left, or nothing when none did. */
  readonly sent: number
  /** TTL or hop limit of the first packet back. */
  readonly ttl?: number
  /** Who sent it. */
  readonly from?: Address
  /** Different MAC addresses cannot be seen here; different TTLs of one address can. */
  readonly flags?: string
  /** How often the first packet came in at the node that was asked, where that was watched too. */
  readonly arrived?: number
}

/** What came of one try. */
export type Outcome =
  | {
      readonly kind: 'answered'
      readonly says: string
      readonly http?: HttpAnswer
      readonly tls?: TlsAnswer
      readonly addresses?: readonly string[]
    }
  /** The sender has no local port left for that address and port. */
  | { readonly kind: 'exhausted'; readonly says: string }
  | {
      readonly kind: 'refused'
      readonly by: 'reset' | 'icmp' | 'unknown'
      readonly from?: Address
      readonly says: string
    }
  /** No route, or a router says so. */
  | { readonly kind: 'unreachable'; readonly says: string }
  /** Nothing came back to the first packet. */
  | { readonly kind: 'silence' }
  /** Connected, then closed before anything was answered. */
  | { readonly kind: 'closed'; readonly how: 'end' | 'reset' }
  /** Connected, then nothing. */
  | { readonly kind: 'stalled' }
  /** Something was answered that is not the language that was spoken. */
  | {
      readonly kind: 'garbled'
      readonly speaks: 'tls' | 'http' | 'h2' | 'proxy' | 'other'
      readonly says: string
      /** By which TLS was refused (RFC 8446, 6.2). */
      readonly alert?: 'no_application_protocol' | 'certificate_required' | 'handshake_failure'
    }
  /** The probe could not be sent. */
  | { readonly kind: 'unseen'; readonly says: string }

export interface HttpAnswer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Bytes of the body that came, where the connection ended or stalled before as many as Content-Length says. */
  readonly cut?: { readonly bytes: number; readonly promised: number }
}

export interface TlsAnswer {
  readonly alpn: string | undefined
  readonly subject: string
  readonly names: readonly string[]
  /** RFC 3339. */
  readonly notBefore: string
  readonly notAfter: string
}

/** A probe and what came of each try. */
export interface ProbeResult {
  readonly probe: Probe
  readonly tries: readonly { readonly outcome: Outcome; readonly ms: number; readonly wire: Wire | undefined }[]
}

/** The outcomes of a result without repetition, the commonest first. */
export function outcomesOf({ tries }: ProbeResult): readonly { readonly outcome: Outcome; readonly count: number }[] {
  const counts = new Map<string, { outcome: Outcome; count: number }>()
  for (const { outcome } of tries) {
    const id = renderOutcome(outcome)
    counts.set(id, { outcome, count: (counts.get(id)?.count ?? 0) + 1 })
  }
  return [...counts.values()].sort((a, b) => b.count - a.count)
}

/** Whether at least one try was sent. */
export function wasSent({ tries }: ProbeResult): boolean {
  return tries.some(({ outcome }) => outcome.kind !== 'unseen')
}

/** Whether every try was answered by a server that did not say that it failed; tries that could not be sent do not count. */
export function isGood(result: ProbeResult): boolean {
  return findBad(result) === undefined
}

function isGoodOutcome(outcome: Outcome): boolean {
  if (outcome.kind !== 'answered' || outcome.http === undefined) return outcome.kind === 'answered'
  // RFC 9209: an error of a proxy on the way, whatever its status.
  const { status, headers, cut } = outcome.http
  return status < 500 && cut === undefined && !/error=/.test(headers['proxy-status'] ?? '')
}

/** The first try that was not good; one that could not be sent only where none could. */
export function findBad({ tries }: ProbeResult): Outcome | undefined {
  const outcomes = tries.map(({ outcome }) => outcome)
  const sent = outcomes.filter(({ kind }) => kind !== 'unseen')
  return sent.length === 0 ? outcomes[0] : sent.find((outcome) => !isGoodOutcome(outcome))
}

/** `refused (RST)`, `silence`, `HTTP 200`, … */
export function renderOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'answered':
      return outcome.says
    case 'refused': {
      const how = outcome.by === 'reset' ? 'RST' : outcome.by === 'icmp' ? `ICMP ${outcome.says}` : outcome.says
      const words = [how, outcome.from === undefined ? '' : `from ${outcome.from}`].filter((word) => word !== '')
      return words.length === 0 ? 'refused' : `refused (${words.join(' ')})`
    }
    case 'unreachable':
      return `unreachable (${outcome.says})`
    case 'exhausted':
      return `not sent: ${outcome.says}`
    case 'silence':
      return 'silence'
    case 'closed':
      return outcome.how === 'reset'
        ? 'connected, then reset without an answer'
        : 'connected, then closed without an answer'
    case 'stalled':
      return 'connected, then no answer'
    case 'garbled':
      return outcome.says
    case 'unseen':
      return `not tried: ${outcome.says}`
    default:
      return outcome satisfies never
  }
}

/** `pod/shop/web-a`, `node/node-1`, `outside`. */
export function renderPlace(place: Place): string {
  switch (place.kind) {
    case 'pod':
      return `pod/${place.namespace}/${place.name}`
    case 'node':
      return `node/${place.name}`
    case 'outside':
      return 'outside'
    default:
      return place satisfies never
  }
}
