import { type Address, contains, findAddress, type Prefix } from '../addr/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import type { Service } from '../objects/index.ts'
import type { SeenAs, ServiceAnswer, ServiceQuestion, ServiceStep, Share, Target } from './answer.ts'
import { compileService } from './compile.ts'
import { kinds, sayOutcome, sayUse } from './explain-words.ts'
import { type Candidate, type Frontend, loopback, mayRunOn, type NodeView, type ServiceModel } from './model.ts'

/** What the explanation is drawn from. */
export interface ServiceContext {
  readonly node: NodeView
  /** The Services that have the destination as an address. */
  readonly models: readonly ServiceModel[]
  readonly podPrefixes: readonly Prefix[]
  /** Those of the node. */
  readonly ownPodPrefixes: readonly Prefix[]
  readonly servicePrefixes: readonly Prefix[]
  /** Addresses of the node beyond those that the view tells. */
  readonly localAddresses?: readonly Address[]
  /** External ports at which clients from outside are the address itself to endpoints, but for those whose answers would not find it; absent where who holds addresses is not known. */
  readonly carried?: {
    readonly ports: readonly { readonly address: Address; readonly protocol: 'tcp' | 'udp'; readonly port: number }[]
    readonly boundPrefixes: readonly Prefix[]
  }
}

const nothing = (): Share => ({ one: 0, of: 1 })

/** The models of the Services that answer at `address` on this node. Looks at every Service: for questions, not for rounds. */
export function servicesAt(snapshot: Snapshot, address: Address, node: NodeView): readonly ServiceModel[] {
  const models: ServiceModel[] = []
  for (const [key, service] of snapshot.services) {
    if (!mayAnswerAt(service, address, node)) continue
    const model = compileService(service, snapshot.slicesOf(key), node)
    if (model.frontends.some((frontend) => frontend.address === address)) models.push(model)
  }
  return models.sort((a, b) => (a.created < b.created || (a.created === b.created && a.key < b.key) ? -1 : 1))
}

function mayAnswerAt({ spec, status }: Service, address: Address, node: NodeView): boolean {
  const { clusterIP, clusterIPs, externalIPs, ports } = spec
  // Objects spell IPv6 as they like, the model does not; of IPv4 there is one spelling.
  const is = (text: string | undefined): boolean =>
    text === address || (text?.includes(':') === true && findAddress(text) === address)
  if (is(clusterIP) || clusterIPs?.some(is) || externalIPs?.some(is)) return true
  if (status?.loadBalancer?.ingress?.some(({ ip }) => is(ip))) return true
  const here = node.nodePortAddresses.includes(address) || (address === loopback && node.loopbackNodePorts === true)
  return here && (ports?.some(({ nodePort = 0 }) => nodePort !== 0) ?? false)
}

/** What the Services of this node do to a new connection, and why. */
export function explainService(question: ServiceQuestion, context: ServiceContext): ServiceAnswer {
  const { destination, protocol, port } = question
  const frontends = context.models.flatMap((model) =>
    model.frontends.filter(({ address }) => address === destination).map((frontend) => ({ model, frontend })),
  )
  const hit = frontends.find(({ frontend }) => frontend.protocol === protocol && frontend.port === port)
  if (hit !== undefined) return explainFrontend(question, hit.frontend, hit.model, context)
  const first = frontends.find(({ frontend }) => frontend.kind === 'cluster-ip') ?? frontends[0]
  if (first === undefined) return explainStranger(destination, context)
  return explainNoPort(
    question,
    first.model,
    frontends.map(({ frontend }) => frontend),
  )
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
): ServiceAnswer {
  const clusterIp = frontends.find(({ kind }) => kind === 'cluster-ip')
  const ping = protocol === 'icmp'
  const there = frontends.map((one) => `${one.protocol}/${one.port}`).join(', ')
  const because = { object: `service/${model.key}`, field: 'spec.ports', value: there }
  if (clusterIp === undefined) {
    const [first] = frontends
    const says = `no Service answers ${ping ? 'a ping' : `${protocol}/${port}`} at ${first?.address} (only ${there}): it goes on as it is`
    return { steps: [{ kind: 'no-port', says, because }], outcome: { kind: 'pass' } }
  }
  const refused = 'refused with ICMP port unreachable'
  const says = ping
    ? `a ClusterIP answers no ping, only ${there}: ${refused}; ping a pod instead`
    : `it has no port ${protocol}/${port}, only ${there}: ${refused}`
  const steps: ServiceStep[] = [addressStep(clusterIp, model), { kind: 'no-port', says, because }]
  return { steps, outcome: { kind: 'reject', reason: 'no-such-port', because } }
}

function addressStep({ kind, address, because }: Frontend, { key }: ServiceModel): ServiceStep {
  return {
    kind: 'address',
    service: key,
    says: `${address} is ${kinds[kind]} of service/${key}`,
    because: because.address,
  }
}

function explainFrontend(
  question: ServiceQuestion,
  frontend: Frontend,
  model: ServiceModel,
  context: ServiceContext,
): ServiceAnswer {
  const { portName, sources, affinity, hashing } = frontend
  const named = portName === '' ? '' : ` ("${portName}")`
  const word = frontend.kind === 'node-port' ? 'node port' : 'port'
  const portSays = `${question.protocol}/${question.port} is its ${word}${named}`
  const steps: ServiceStep[] = [
    addressStep(frontend, model),
    { kind: 'port', says: portSays, because: frontend.because.port },
  ]
  if (sources !== undefined) {
    const { because } = sources
    const allowed = sources.allowed.some((prefix) => contains(prefix, question.source))
    const says = `${question.source} is ${allowed ? 'within' : 'in none of'} loadBalancerSourceRanges`
    steps.push({ kind: 'sources', says: allowed ? says : `${says}: dropped without an answer`, because })
    if (!allowed) return { steps, outcome: { kind: 'drop', reason: 'source-not-allowed', because } }
  }
  const from = placeOf(question.source, context)
  const isInside = from === 'pod' || from === 'node'
  const { outcome, candidates } = (isInside ? frontend.inside : undefined) ?? frontend
  if (frontend.inside !== undefined && isInside) {
    const says = `${from === 'pod' ? 'a pod of the node' : 'the node itself'} gets every endpoint, although externalTrafficPolicy is Local`
    const because = { object: `service/${model.key}`, field: 'spec.externalTrafficPolicy', value: 'Local' }
    steps.push({ kind: 'inside', says, because })
  }
  const share = outcome.kind === 'balance' ? shares(outcome.endpoints, affinity !== undefined) : nothing
  for (const candidate of candidates) {
    const { one, of } = candidate.use.kind === 'chosen' ? share(candidate) : nothing()
    const probability = one / of
    const weight = candidate.weight === 1 ? '' : `, weight ${candidate.weight}`
    const says = `${candidate.address} port ${candidate.port}: ${sayUse(candidate.use)}${weight}`
    steps.push({ kind: 'candidate', candidate, probability, says, because: candidate.because })
  }
  if (model.drain !== undefined && candidates.some(({ terminating }) => terminating)) {
    const says = `connections to endpoints that terminate are cut ${model.drain.seconds} s after that began`
    steps.push({ kind: 'drain', says, because: model.drain.because })
  }
  if (affinity !== undefined && outcome.kind === 'balance') {
    const says = `a client that comes again within ${affinity.timeoutSeconds} s returns to its endpoint`
    steps.push({ kind: 'affinity', says, because: affinity.because })
  }
  if (hashing !== undefined && outcome.kind === 'balance') {
    const of = hashing.by === 'connection' ? 'address and port' : 'address'
    const says = `a hash of the client’s ${of} finds the endpoint, on every node the same`
    steps.push({ kind: 'hashing', says, because: hashing.because })
  }
  steps.push({ kind: 'outcome', says: sayOutcome(outcome), because: outcome.because })
  if (outcome.kind !== 'balance') return { steps, outcome }
  const carried = from === 'outside' ? carriedBy(frontend, context) : 'no'
  if (carried !== 'no') {
    const { address, because } = frontend
    const held = carried === 'maybe' ? 'where one node at a time holds' : 'one node at a time holds'
    const says = `${held} ${address} (L2Advertisement), endpoints see ${address} as the client, and connections survive that node`
    steps.push({ kind: 'survival', says, because: because.address })
  }
  const taking = outcome.endpoints.filter((one) => share(one).one > 0)
  const targets = taking.map((candidate): Target => {
    const { address, port, node, because } = candidate
    const own = question.source === address && mayRunOn(context.node.name, node)
    const isBound = context.carried?.boundPrefixes.some((prefix) => contains(prefix, address)) === true
    const masked: SeenAs = own || masquerades(frontend.masquerade, from) ? 'masqueraded' : 'kept'
    const source = carried === 'yes' && !isBound ? 'external' : masked
    const part = share(candidate)
    return { address, port, probability: part.one / part.of, share: part, source, because }
  })
  return { steps, outcome: { kind: 'balance', service: model.key, targets } }
}

/** Whether the next holder of the address carries connections on, for which the address itself becomes their source. */
function carriedBy(frontend: Frontend, { carried }: ServiceContext): 'yes' | 'no' | 'maybe' {
  const { kind, masquerade, address, protocol, port } = frontend
  if (kind !== 'load-balancer-ip' || masquerade !== 'everyone' || protocol === 'sctp') return 'no'
  if (carried === undefined) return 'maybe'
  const isCarried = carried.ports.some(
    (one) => one.address === address && one.protocol === protocol && one.port === port,
  )
  return isCarried ? 'yes' : 'no'
}

/** How many of how many connections each chosen endpoint gets. */
function shares(endpoints: readonly Candidate[], evenly: boolean): (one: Candidate) => Share {
  const total = endpoints.reduce((sum, { weight }) => sum + weight, 0)
  const same = endpoints.every(({ weight }) => weight === endpoints[0]?.weight)
  return evenly || same ? () => ({ one: 1, of: endpoints.length }) : ({ weight }) => ({ one: weight, of: total })
}

type Place = 'pod' | 'node' | 'other-pod' | 'outside'

/** Where a source is, as the rules tell it: a pod's prefix comes before the node's own addresses. */
function placeOf(source: Address, { node, podPrefixes, ownPodPrefixes, localAddresses = [] }: ServiceContext): Place {
  const isIn = (prefixes: readonly Prefix[]): boolean => prefixes.some((prefix) => contains(prefix, source))
  if (isIn(ownPodPrefixes)) return 'pod'
  if (isIn(podPrefixes)) return 'other-pod'
  const own = [node.addresses, node.nodePortAddresses, localAddresses, [loopback]].some((some) => some.includes(source))
  return own ? 'node' : 'outside'
}

function masquerades(who: Frontend['masquerade'], from: Place): boolean {
  switch (who) {
    case 'everyone':
      return true
    case 'strangers':
      return from !== 'pod' && from !== 'other-pod'
    case 'own':
      return from === 'node'
    default:
      return who satisfies never
  }
}
