import { findAddress } from '../addr/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import {
  type Entrance,
  explainRequest,
  type GatewayModel,
  gatewayNameLabel,
  type RequestAnswer,
} from '../gateways/index.ts'

type Request = Omit<Parameters<typeof explainRequest>[1], 'port'>

/** What becomes of a request at the gateway that it comes to, and what had to be taken for granted to tell which one that is. */
export interface Routed {
  readonly answer: RequestAnswer
  readonly assumptions: readonly string[]
}

/**
 * Asks every entrance that clients reach by this port. An address in the URL is one Gateway's alone; where a name may lead to several, it is
 * taken to lead to one that has a route for the request.
 */
export function routeByPort(model: GatewayModel, snapshot: Snapshot, request: Request, port: number): Routed {
  const own = gatewayAt(snapshot, request.host)
  const all = model.entrances.filter((one) => one.shownPort === port && one.protocol !== 'UDP')
  const candidates = own === undefined ? all : all.filter(({ id }) => id.startsWith(`${own}:`))
  const answers = candidates.map((one) => explainRequest(model, { ...request, port: one.port }))
  const ranked = answers.toSorted((a, b) => rank(a) - rank(b))
  const [best] = ranked
  if (best === undefined) return { answer: explainRequest(model, { ...request, port: -1 }), assumptions: [] }
  const takers = ranked.filter((one) => rank(one) === rank(best))
  const assumptions =
    takers.length > 1
      ? [
          `${request.host} leads to ${sayEntrance(best.entrance)}: ${takers.length} gateways listen on port ${port} and would treat it alike`,
        ]
      : []
  return { answer: best, assumptions }
}

/** `namespace:name` of the Gateway whose Service has the address. */
function gatewayAt({ services }: Snapshot, host: string): string | undefined {
  const address = findAddress(host.replace(/^\[|\]$/g, ''))
  if (address === undefined) return undefined
  for (const { metadata, status } of services.values()) {
    const gateway = metadata.labels?.[gatewayNameLabel]
    if (gateway === undefined) continue
    if (status?.loadBalancer?.ingress?.some(({ ip = '' }) => findAddress(ip) === address))
      return `${metadata.namespace}:${gateway}`
  }
  return undefined
}

/** Whoever forwards it comes first, then whoever has rules or a listener for the name. */
function rank({ kind, lost, listener, ...rest }: RequestAnswer): number {
  if (kind === 'forwarded' || kind === 'stream') return 0
  if ('rule' in rest && rest.rule !== undefined) return 1
  if (lost.length > 0 || (listener !== undefined && listener.host.kind !== 'any')) return 2
  return kind === 'answered' ? 3 : 4
}

/** `gateway/shop/edge`, or the gateway of Ingresses. */
export function sayEntrance(entrance: Entrance | undefined): string {
  const [namespace = '', name] = entrance?.id.split(':') ?? []
  return name === undefined ? 'the gateway of Ingresses' : `gateway/${namespace}/${name}`
}
