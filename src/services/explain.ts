import { type Address, contains, type Prefix } from '../addr/index.ts'
import { type ObjectKey, type Snapshot, splitKey } from '../cluster/index.ts'
import { compileService } from './compile.ts'
import {
  type Because,
  type Candidate,
  type Frontend,
  mayRunOn,
  type NodeView,
  type Outcome,
  type ServiceModel,
  type Transport,
  type Use,
} from './model.ts'

/** A new connection that stands on this node, on its way to somewhere. */
export interface ServiceQuestion {
  /** The address it comes from; a pod's own or the node's. */
  readonly source: Address
  readonly destination: Address
  readonly protocol: Transport
  readonly port: number
}

/** What the explanation is drawn from. */
export interface ServiceContext {
  readonly node: NodeView
  /** The Services that have the destination as an address. */
  readonly models: readonly ServiceModel[]
  readonly podPrefixes: readonly Prefix[]
  readonly servicePrefixes: readonly Prefix[]
}

export type ServiceStep =
  | { readonly kind: 'not-a-service'; readonly says: string }
  | { readonly kind: 'unallocated'; readonly says: string }
  | { readonly kind: 'address'; readonly service: ObjectKey; readonly says: string; readonly because: Because }
  | { readonly kind: 'port'; readonly says: string; readonly because: Because }
  | { readonly kind: 'no-port'; readonly says: string; readonly because: Because }
  | {
      readonly kind: 'candidate'
      readonly candidate: Candidate
      readonly probability: number
      readonly says: string
      readonly because: Because
    }
  | { readonly kind: 'outcome'; readonly says: string; readonly because: Because }

/** Where a connection may end, each with its probability. */
export interface Target {
  readonly address: Address
  readonly port: number
  readonly probability: number
  /** Under which address the endpoint sees the client: its own, or one of this node. */
  readonly source: 'kept' | 'masqueraded'
  readonly because: Because
}

export interface ServiceAnswer {
  readonly steps: readonly ServiceStep[]
  readonly outcome: /** The packet goes on as it is. */
    | { readonly kind: 'pass' }
    | { readonly kind: 'balance'; readonly service: ObjectKey; readonly targets: readonly Target[] }
    | { readonly kind: 'reject'; readonly reason: 'no-endpoints' | 'no-such-port'; readonly because: Because }
    | { readonly kind: 'drop'; readonly reason: 'no-local-endpoints' | 'unallocated'; readonly because: Because }
}

/** The models of the Services that have `address` as a ClusterIP. Looks at every Service: for questions, not for rounds. */
export function servicesAt(snapshot: Snapshot, address: Address, node: NodeView): readonly ServiceModel[] {
  const models: ServiceModel[] = []
  for (const [key, service] of snapshot.services) {
    const { clusterIP, clusterIPs } = service.spec
    if (clusterIP !== address && clusterIPs?.includes(address) !== true) continue
    models.push(compileService(service, snapshot.slicesOf(key), node))
  }
  return models.sort((a, b) => (a.created < b.created || (a.created === b.created && a.key < b.key) ? -1 : 1))
}

/** What the Services of this node do to a new connection, and why. */
export function explainService(question: ServiceQuestion, context: ServiceContext): ServiceAnswer {
  const { destination, protocol, port } = question
  const frontends = context.models.flatMap((model) =>
    model.frontends.filter(({ address }) => address === destination).map((frontend) => ({ model, frontend })),
  )
  const first = frontends[0]
  if (first === undefined) return explainStranger(destination, context)
  const hit = frontends.find(({ frontend }) => frontend.protocol === protocol && frontend.port === port)
  const { model } = hit ?? first
  const steps: ServiceStep[] = [
    {
      kind: 'address',
      service: model.key,
      says: `${destination} is the ClusterIP of service/${model.key}`,
      because: (hit ?? first).frontend.because.address,
    },
  ]
  if (hit === undefined)
    return explainNoPort(
      question,
      model,
      frontends.map(({ frontend }) => frontend),
      steps,
    )
  return explainFrontend(question, hit.frontend, model, steps, context)
}

function explainStranger(destination: Address, { servicePrefixes }: ServiceContext): ServiceAnswer {
  const prefix = servicePrefixes.find((one) => contains(one, destination))
  if (prefix === undefined) {
    return {
      steps: [{ kind: 'not-a-service', says: `${destination} is not the address of a Service` }],
      outcome: { kind: 'pass' },
    }
  }
  const says = `${destination} is in the Service prefix ${prefix}, but no Service has it`
  const because = { object: 'servicecidr', field: 'spec.cidrs', value: prefix }
  return { steps: [{ kind: 'unallocated', says }], outcome: { kind: 'drop', reason: 'unallocated', because } }
}

function explainNoPort(
  { protocol, port }: ServiceQuestion,
  model: ServiceModel,
  frontends: readonly Frontend[],
  steps: ServiceStep[],
): ServiceAnswer {
  const there = frontends.map((one) => `${one.protocol}/${one.port}`).join(', ')
  const because = { object: `service/${model.key}`, field: 'spec.ports', value: there }
  const says = `it has no port ${protocol}/${port}, only ${there}: refused with ICMP port unreachable`
  steps.push({ kind: 'no-port', says, because })
  return { steps, outcome: { kind: 'reject', reason: 'no-such-port', because } }
}

function explainFrontend(
  question: ServiceQuestion,
  frontend: Frontend,
  model: ServiceModel,
  steps: ServiceStep[],
  context: ServiceContext,
): ServiceAnswer {
  const { outcome, portName, candidates } = frontend
  const named = portName === '' ? '' : ` ("${portName}")`
  steps.push({
    kind: 'port',
    says: `${question.protocol}/${question.port} is its port${named}`,
    because: frontend.because.port,
  })
  const probability = outcome.kind === 'balance' ? 1 / outcome.endpoints.length : 0
  for (const candidate of candidates) {
    const share = candidate.use.kind === 'chosen' ? probability : 0
    const says = `${candidate.address} port ${candidate.port}: ${sayUse(candidate.use)}`
    steps.push({ kind: 'candidate', candidate, probability: share, says, because: candidate.because })
  }
  steps.push({ kind: 'outcome', says: sayOutcome(outcome), because: outcome.because })
  if (outcome.kind === 'reject') return { steps, outcome }
  if (outcome.kind === 'drop') return { steps, outcome }
  const targets = outcome.endpoints.map(({ address, port, node, because }): Target => {
    const source = masqueraded(question.source, { address, node }, context) ? 'masqueraded' : 'kept'
    return { address, port, probability, source, because }
  })
  return { steps, outcome: { kind: 'balance', service: model.key, targets } }
}

function masqueraded(
  source: Address,
  endpoint: { readonly address: Address; readonly node: string | undefined },
  { node, podPrefixes }: ServiceContext,
): boolean {
  if (source === endpoint.address && mayRunOn(node.name, endpoint.node)) return true
  return !podPrefixes.some((prefix) => contains(prefix, source))
}

const uses: Readonly<Record<Use['why'], string>> = {
  ready: 'ready',
  'hinted-node': 'ready, and hinted for this node',
  'hinted-zone': 'ready, and hinted for this zone',
  local: 'ready and on this node',
  'terminating-fallback': 'terminating but still serving, and none is ready',
  'not-ready': 'not ready',
  terminating: 'terminating, and others are ready',
  'hinted-elsewhere': 'ready, but hinted for elsewhere',
  'other-node': 'on another node, and the policy is Local',
  'listed-twice': 'listed in another slice too',
  'beyond-limit': 'beyond the most endpoints that one port can have',
}

function sayUse(use: Use): string {
  return use.kind === 'chosen' ? `chosen: ${uses[use.why]}` : `passed over: ${uses[use.why]}`
}

function sayOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'balance':
      return `evenly over ${outcome.endpoints.length} ${outcome.endpoints.length === 1 ? 'endpoint' : 'endpoints'}`
    case 'reject':
      return 'no endpoint serves this port: refused with ICMP port unreachable'
    case 'drop':
      return 'only other nodes have endpoints, and the policy is Local: dropped without an answer'
    default:
      return outcome satisfies never
  }
}

/** The namespace and name of the Service that an answer is about, if it is about one. */
export function findSubject(answer: ServiceAnswer): { readonly namespace: string; readonly name: string } | undefined {
  const step = answer.steps.find((one) => one.kind === 'address')
  return step?.kind === 'address' ? splitKey(step.service) : undefined
}
