import { type Address, familyOf, findAddress } from '../addr/index.ts'
import { type Finding, keyOf, type Snapshot } from '../cluster/index.ts'
import type { Connection, Host, ListeningSocket, Namespace } from '../host/index.ts'
import type { NodePlan } from '../nodeplan/index.ts'
import { fixedSets, policyTableName } from '../policies/index.ts'
import { compileService, explainService, servicesAt } from '../services/index.ts'
import type { FlowRing } from './flow-ring.ts'
import type {
  ExplainRequest,
  ExplainResponse,
  FlowsRequest,
  FlowsResponse,
  ModelResponse,
  ObserveRequest,
  ObserveResponse,
} from './observe.ts'
import { answerFrontend } from './observe-frontend.ts'
import { BadQuestion, readAddress, readPort, readTransport } from './question.ts'

/** Where answers come from. */
export interface Sources {
  readonly host: Host
  readonly namespace: Namespace
  readonly nodeName: string
  readonly snapshot: Snapshot
  readonly plan: NodePlan
  /** Undefined while policies are not enforced. */
  readonly flows: FlowRing | undefined
  readonly findings: () => readonly Finding[]
  /** Whether nothing waits for a round. */
  readonly calm: () => boolean
}

export function answerModel({ snapshot, plan }: Sources, key: string): ModelResponse {
  const service = snapshot.services.get(key)
  if (service === undefined) throw new BadQuestion(`there is no service/${key}`, 404)
  return compileService(service, snapshot.slicesOf(key), plan.view)
}

export function answerExplain(sources: Sources, request: ExplainRequest): ExplainResponse {
  const { snapshot, plan, nodeName, namespace, calm } = sources
  const destination = readAddress('destination', request.destination)
  const source = readSource(sources, request, destination)
  const protocol = readTransport(request.protocol)
  const port = readPort('port', request.port)
  const context = {
    node: plan.view,
    models: servicesAt(snapshot, destination, plan.view),
    ...plan.scope,
    localAddresses: namespace.network.addresses().map(({ address }) => address),
  }
  const answer = explainService({ source, destination, protocol, port }, context)
  return { ...answer, node: nodeName, source, confirmed: plan.confirmed && calm() }
}

function readSource({ snapshot, plan, nodeName }: Sources, request: ExplainRequest, destination: Address): Address {
  const family = familyOf(destination)
  if (request.source !== undefined) return readAddress('source', request.source)
  if (request.sourcePod === undefined) {
    const own = plan.pods.addresses[family]
    if (own === undefined) throw new BadQuestion(`the node has no IPv${family} address; give source`)
    return own
  }
  const pod = snapshot.pods.get(request.sourcePod)
  // With policies the Snapshot holds the pods of every node.
  if (pod?.spec.nodeName !== nodeName) throw new BadQuestion(`pod/${request.sourcePod} is not on this node`, 404)
  const texts = pod.status?.podIPs?.map(({ ip }) => ip) ?? []
  const address = texts.flatMap((text) => findAddress(text) ?? []).find((one) => familyOf(one) === family)
  if (address === undefined) throw new BadQuestion(`pod/${keyOf(pod)} has no IPv${family} address`)
  return address
}

export async function answerObserve(sources: Sources, request: ObserveRequest): Promise<ObserveResponse> {
  const { host, nodeName } = sources
  const { network } = host.own
  const { route, neighbour, frontend, listeners, connections, policy } = request
  return {
    node: nodeName,
    ...(route === undefined ? {} : { route: answerRoute(sources, route) }),
    ...(neighbour === undefined
      ? {}
      : { neighbours: network.neighbours().filter(({ address }) => address === readAddress('neighbour', neighbour)) }),
    ...(frontend === undefined
      ? {}
      : { frontend: await answerFrontend(sources.namespace.network, sources.plan, frontend) }),
    ...(listeners === undefined ? {} : { listeners: answerListeners(sources, listeners) }),
    ...(policy === undefined ? {} : { policy: await answerPolicy(sources, policy) }),
    ...(connections === undefined ? {} : { connections: answerConnections(sources, connections) }),
  }
}

function answerRoute({ namespace }: Sources, question: NonNullable<ObserveRequest['route']>): ObserveResponse['route'] {
  const { source, inputInterface } = question
  return (
    namespace.network.lookupRoute(readAddress('route.destination', question.destination), {
      ...(source === undefined ? {} : { source: readAddress('route.source', source) }),
      ...(inputInterface === undefined ? {} : { inputInterface }),
    }) ?? null
  )
}

function answerListeners(
  { host, namespace: own }: Sources,
  question: NonNullable<ObserveRequest['listeners']>,
): readonly ListeningSocket[] {
  const wanted = ({ port }: ListeningSocket): boolean => question.port === undefined || port === question.port
  if (question.namespace === undefined) return own.network.listeners().filter(wanted)
  const namespace = host.openNamespace(question.namespace)
  try {
    return namespace.network.listeners().filter(wanted)
  } finally {
    namespace.close()
  }
}

function answerConnections(
  { namespace }: Sources,
  question: NonNullable<ObserveRequest['connections']>,
): readonly Connection[] {
  const address = readAddress('connections.address', question.address)
  const { port, protocol } = question
  const filter = { family: familyOf(address), ...(protocol === undefined ? {} : { protocol }) }
  return namespace.network.connections(filter).filter(({ original, reply }) => {
    const has = [original.source, original.destination, reply.source, reply.destination].includes(address)
    const ports = [original.sourcePort, original.destinationPort, reply.sourcePort, reply.destinationPort]
    return has && (port === undefined || ports.includes(port))
  })
}

export function answerFlows(sources: Sources, { after = 0, namespace }: FlowsRequest): FlowsResponse {
  if (!Number.isInteger(after) || after < 0) throw new BadQuestion(`after: ${JSON.stringify(after)} is not a count`)
  if (namespace !== undefined && typeof namespace !== 'string') throw new BadQuestion('namespace: is not a name')
  if (sources.flows === undefined) throw new BadQuestion('this node does not enforce policies (--policies off)', 404)
  return { node: sources.nodeName, ...sources.flows.since(after, namespace) }
}

async function answerPolicy(
  { namespace }: Sources,
  { direction, address: text }: NonNullable<ObserveRequest['policy']>,
): Promise<string | null> {
  const address = readAddress('policy.address', text)
  if (direction !== 'egress' && direction !== 'ingress') throw new BadQuestion('policy.direction: is not a direction')
  const family = familyOf(address)
  const map = fixedSets[family][direction]
  const elements = await namespace.network.elements(family === 4 ? 'ip' : 'ip6', policyTableName, map)
  return elements.find(({ key }) => key === address)?.value ?? null
}
