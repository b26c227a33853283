import { type Address, findAddress, parseAddress } from '../addr/index.ts'
import type { Finding, Snapshot } from '../cluster/index.ts'
import { routeByPort } from '../explain/index.ts'
import type { GatewayModel, RequestAnswer } from '../gateways/index.ts'
import { nodeAddresses } from '../pods/index.ts'
import type { Cause } from './cause.ts'
import type { ControlResult } from './control.ts'
import type { Diagnosis } from './diagnosis.ts'
import type { Tested } from './examination.ts'
import type { Place, Probe } from './probe.ts'

/** A request from outside, as a client would send it. */
export interface AskedRequest {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly path: string
  /** Where clients connect to, unless it is the scheme's own. */
  readonly port?: number
  /** The Ingresses and routes that speak of its host, whether or not anybody serves them: `ingress/shop/web`. */
  readonly objects: readonly string[]
}

/** A request with what the gateways' model says of it. */
export interface RoutedRequest {
  readonly request: AskedRequest
  readonly model: GatewayModel
  readonly answer: RequestAnswer
  /** RFC 3339: certificates end. */
  readonly now: string
}

/** What rules about requests look at. */
export interface RequestExamination extends RoutedRequest {
  readonly tested: readonly Tested[]
  readonly controls: readonly ControlResult[]
  /** What the ladder of the Service behind the route said. */
  readonly backend: Diagnosis | undefined
}

/** Evidence about a request in, causes out. */
export interface RequestRule {
  readonly covers: readonly string[]
  judge(examination: RequestExamination): readonly Omit<Cause, 'rule'>[]
}

/** Asks the model of the gateways what becomes of a request, at the one of them that has a route for it. */
export function routeRequest(
  model: GatewayModel,
  snapshot: Snapshot,
  request: AskedRequest,
  now: string,
): RoutedRequest {
  const { scheme, host, path, port = scheme === 'http' ? 80 : 443 } = request
  const asked = { host, path: path.split('?')[0] ?? path, ...(scheme === 'https' ? { sni: host } : {}) }
  return { request, model, answer: routeByPort(model, snapshot, asked, port).answer, now }
}

/** The Service and port that a routed request goes to: `namespace/name` and the number. */
export function findBackend({
  answer,
  model,
}: RoutedRequest): { readonly service: string; readonly port: number } | undefined {
  if (answer.kind !== 'forwarded' && answer.kind !== 'stream') return undefined
  const backend = model.backends.find(({ id }) => id === answer.backend)
  const port = Number(answer.backend.split(':')[2]?.replace(/\D.*$/, ''))
  return backend === undefined || !Number.isInteger(port) ? undefined : { service: backend.service, port }
}

const maxNodes = 3

/** The probes of the last rung: the request itself at the gateway of each of a few nodes, from outside where there is such a place. */
export function gatewayProbes(
  snapshot: Snapshot,
  { request, answer }: RoutedRequest,
  outside: readonly Address[],
): readonly Probe[] {
  const { scheme, host, path } = request
  const port = answer.entrance?.port ?? request.port ?? (scheme === 'http' ? 80 : 443)
  const nodes = [...snapshot.nodes.values()]
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .slice(0, maxNodes)
  return nodes.flatMap((node): Probe[] => {
    const address = nodeAddresses(node)[4] ?? nodeAddresses(node)[6]
    if (address === undefined) return []
    const hasOutside = outside.some((one) => one.includes(':') === address.includes(':'))
    const from: Place = hasOutside ? { kind: 'outside' } : { kind: 'node', name: node.metadata.name }
    const speech =
      scheme === 'http'
        ? ({ kind: 'http', host, path } as const)
        : ({ kind: 'https', host, path, sni: findAddress(host) === undefined ? host : '' } as const)
    return [
      {
        id: `gateway ${node.metadata.name}`,
        rung: 'gateway',
        from,
        address: parseAddress(address),
        port,
        transport: 'tcp',
        speech,
        tries: 2,
        target: `node/${node.metadata.name}`,
      },
    ]
  })
}

/** Findings that concern a request: of the object that was named, of the rule that took it, and of those that nearly did. */
export function findingsFor({ request, model, answer }: RoutedRequest): readonly Finding[] {
  const rule = 'rule' in answer ? answer.rule : undefined
  const objects = [...request.objects, rule?.because.object, ...answer.lost.map(({ because }) => because.object)]
  return model.findings.filter(({ object }) => objects.includes(object))
}
