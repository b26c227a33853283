import { keyOf } from '../cluster/index.ts'
import { AnnotationReader } from './annotation-reader.ts'
import { boundPort, gatewayServiceName } from './gateway-service.ts'
import { hostText } from './host.ts'
import { compare } from './ingress-class.ts'
import { readLimits } from './ingress-particulars.ts'
import { Shared } from './keyed.ts'
import { type GatewayState, isServed, type ListenerState } from './listeners.ts'
import type { Authority, Certificate, Entrance, Finding, StreamRoute } from './model.ts'
import { readTrustedProxies } from './proxy-protocol.ts'
import type { Sources } from './sources.ts'
import { type Claim, Tiers } from './tiers.ts'

/** A stream with what orders it among those for the same host: of them the oldest has it. */
export type StreamClaim = StreamRoute & { readonly order: string }

/** The listeners of a Gateway that share a port, with the routes that they have. */
class Port {
  readonly #name: string
  readonly #listeners: readonly ListenerState[]
  readonly tiers: Tiers
  readonly streams = new Shared<StreamClaim>((a, b) => compare(a.order, b.order))
  readonly certificates: readonly Certificate[]
  readonly authorities: readonly Authority[]
  #last: Entrance | undefined

  constructor(name: string, listeners: readonly ListenerState[]) {
    this.#name = name
    this.#listeners = listeners
    this.tiers = new Tiers(listeners.filter(isForRequests))
    this.certificates = listeners.flatMap((one) => one.certificates)
    this.authorities = listeners.flatMap(({ validation }) => (validation === undefined ? [] : [validation.bundle]))
  }

  /** What is bound; nothing until the Gateway's Service says which port. The same object as long as it says the same. */
  entrance(
    gateway: string,
    port: number | undefined,
    clients: Pick<Entrance, 'trustedProxies' | 'limits'>,
  ): Entrance | undefined {
    if (port === undefined) return undefined
    const tiers = this.tiers.list()
    const streams = this.streams.list()
    const last = this.#last
    if (last?.port === port && last.tiers === tiers && last.streams === streams) return last
    const [first] = this.#listeners as [ListenerState]
    const validation = this.#listeners.find((one) => one.validation !== undefined)?.validation
    this.#last = {
      id: `${gateway}:${this.#name}`,
      port,
      shownPort: first.spec.port,
      protocol: first.protocol,
      star: 'suffix',
      listeners:
        last?.listeners ??
        this.#listeners.map(({ id, host, mode, certificates: own, because }) => ({
          id,
          host,
          mode,
          certificates: own.map((certificate) => certificate.id),
          because,
        })),
      tiers,
      streams,
      ...(validation && { clientValidation: { authority: validation.authority, mode: validation.mode } }),
      because: first.because,
      ...clients,
    }
    return this.#last
  }
}

/** The ports of a Gateway that can be bound. Lives as long as its listeners are the same. */
export class Ports {
  readonly #state: GatewayState
  readonly #ports: readonly { readonly number: number; readonly protocol: 'TCP' | 'UDP'; readonly port: Port }[]
  readonly #byListener: ReadonlyMap<ListenerState, Port>
  readonly #clients: Pick<Entrance, 'trustedProxies' | 'limits'>
  readonly findings: readonly Finding[]

  constructor(state: GatewayState) {
    this.#state = state
    const { gateway } = state
    const served = state.accepted.ok ? state.listeners.filter(isServed) : []
    const named = Map.groupBy(served, ({ protocol, spec }) => `${spec.port}${protocol === 'UDP' ? '/udp' : ''}`)
    const byListener = new Map<ListenerState, Port>()
    this.#ports = [...named].map(([name, listeners]) => {
      const port = new Port(name, listeners)
      for (const listener of listeners) byListener.set(listener, port)
      const { protocol, spec } = listeners[0]!
      return { number: spec.port, protocol: protocol === 'UDP' ? 'UDP' : 'TCP', port }
    })
    this.#byListener = byListener
    const object = `gateway/${keyOf(gateway)}`
    const annotations = state.accepted.ok ? gateway.metadata.annotations : undefined
    const trusted = readTrustedProxies(annotations, object)
    const read = new AnnotationReader(annotations ?? {}, object, ['plumb.network/'])
    const limits = readLimits(read, object)
    this.#clients = { trustedProxies: trusted.prefixes, ...(limits && { limits }) }
    this.findings = [...trusted.findings, ...read.findings]
  }

  add(listener: ListenerState, claim: Claim | StreamClaim): void {
    const port = this.#byListener.get(listener)
    if ('rules' in claim) port?.tiers.add(claim)
    else port?.streams.add(hostText(claim.host), claim)
  }

  remove(listener: ListenerState, claim: Claim | StreamClaim): void {
    const port = this.#byListener.get(listener)
    if ('rules' in claim) port?.tiers.remove(claim)
    else port?.streams.remove(hostText(claim.host), claim)
  }

  served(
    services: Sources['services'],
  ): { entrance: Entrance; certificates: readonly Certificate[]; authorities: readonly Authority[] }[] {
    const { gateway } = this.#state
    const { namespace, name } = gateway.metadata
    const service = services.get(`${namespace}/${gatewayServiceName(gateway)}`)
    return this.#ports.flatMap(({ number, protocol, port }) => {
      const bound = boundPort(service, number, protocol)
      const entrance = port.entrance(`${namespace}:${name}`, bound, this.#clients)
      const { certificates, authorities } = port
      return entrance === undefined ? [] : [{ entrance, certificates, authorities }]
    })
  }
}

/** Whether requests are told apart at a listener, not only connections. */
export function isForRequests({ protocol, mode }: ListenerState): boolean {
  return (protocol === 'HTTP' || protocol === 'TLS') && mode === 'http'
}
