import { type Address, familyOf, type Prefix } from '../addr/index.ts'
import { type Because, type Finding, keyOf, type Snapshot } from '../cluster/index.ts'
import type { Pod, Service } from '../objects/index.ts'
import { nodePrefixes } from '../pods/index.ts'
import {
  compileService,
  explainService,
  findSubject,
  type ServiceAnswer,
  type ServiceContext,
  servicesAt,
} from '../services/index.ts'
import type { Answer, Branch, Question, Step, Verdict } from './answer.ts'
import { type Blame, blameNoEndpoints } from './blame.ts'
import { findEnd, type Source } from './end.ts'
import { findAddressSource, findOwner, viewOf } from './entry.ts'
import { headlessEndpoints } from './headless.ts'
import { explainName } from './name.ts'
import { serviceSteps } from './service-steps.ts'
import { type Destination, walk } from './walk.ts'

/** What the cluster is like beyond the objects that are asked for. */
export interface ClusterFacts {
  readonly clusterDomain: string
  readonly servicePrefixes: readonly Prefix[]
}

interface Asked {
  readonly snapshot: Snapshot
  readonly question: Question
  readonly facts: ClusterFacts
  readonly source: Source
}

/**
 * Which way a connection goes and which objects make it so, by the model alone: total, and pure. Steps that the kernel
 * can confirm say what to ask it.
 */
export function explainConnection(snapshot: Snapshot, question: Question, facts: ClusterFacts): Answer {
  const from = findEnd(snapshot, question.from)
  if (from.kind === 'unknown') return refuse(question, from.says, from.because, [])
  const target = findEnd(snapshot, question.to)
  const source = from.source ?? findAddressSource(snapshot, from, target)
  if (source === undefined) {
    return refuse(question, `${from.label} sends nothing; ask from a pod, a node or an address`, from.because, [])
  }
  const asked: Asked = { snapshot, question, facts, source }
  const steps: Step[] = [sourceStep(source)]
  if (target.kind === 'unknown') return refuse(question, target.says, target.because, steps)
  if (target.service !== undefined) return toService(asked, target.service, steps)
  const address = target.addresses.find((a) => question.family === undefined || familyOf(a) === question.family)
  if (address === undefined) return refuse(question, `${target.label} has no address yet`, target.because, steps)
  const port = portOf(question, target.pod)
  if (typeof port === 'string') return refuse(question, port, target.because, steps)
  const destination = { address, port, transport: question.transport }
  const answer = explainService(toQuestion(source, destination), contextOf(asked, address))
  if (answer.outcome.kind !== 'pass') return conclude(asked, answer, destination, steps, [])
  const path = walk(snapshot, source, destination)
  const owner = findOwner(snapshot, address)?.metadata.name
  if (owner !== undefined && owner !== source.node) {
    // Node ports answer on the node whose address it is.
    const there: Asked = { ...asked, source: { ...source, node: owner } }
    const port = explainService(toQuestion(source, destination), contextOf(there, address))
    if (port.outcome.kind !== 'pass') return conclude(there, port, destination, [...steps, ...path.steps], [])
  }
  const missed = answer.steps.some(({ kind }) => kind === 'no-port') ? serviceSteps(source, answer, destination) : []
  const all = [...steps, ...missed, ...path.steps]
  return { ...base(question), verdict: path.verdict, steps: all, branches: [], findings: [] }
}

/** By the name of a Service: the name first, as an application would, then the address that it stands for. */
function toService(asked: Asked, service: Service, before: readonly Step[]): Answer {
  const { snapshot, question, source, facts } = asked
  const key = keyOf(service)
  const name = explainName(snapshot, source, service, facts)
  const steps = [...before, ...name.steps]
  const model = compileService(service, snapshot.slicesOf(key), viewOf(snapshot.nodes.get(source.node)))
  const { subject, frontends, findings } = model
  if (subject.kind === 'ignored') {
    if (subject.reason === 'headless') return toHeadless(asked, service, steps, findings)
    const says = `no node serves service/${key}: ${subject.because.field} is ${subject.because.value || 'empty'}`
    return refuse(question, says, subject.because, steps, findings)
  }
  const fitting = frontends.filter((one) => question.family === undefined || one.family === question.family)
  const matching = fitting.filter(
    (one) =>
      one.protocol === question.transport &&
      (question.port === undefined || one.port === question.port || one.portName === question.port),
  )
  const ports = [...new Set(fitting.map((one) => `${one.port}/${one.protocol}${one.portName && ` (${one.portName})`}`))]
  const because = { object: `service/${key}`, field: 'spec.ports', value: ports.join(', ') }
  if (question.port === undefined && new Set(matching.map(({ port }) => port)).size > 1) {
    return refuse(
      question,
      `service/${key} has several ports; say which: ${ports.join(', ')}`,
      because,
      steps,
      findings,
    )
  }
  const address = matching[0]?.address ?? fitting[0]?.address
  const port = matching[0]?.port ?? (typeof question.port === 'number' ? question.port : undefined)
  if (address === undefined) {
    const says = `service/${key} has no ${question.family === undefined ? 'ClusterIP' : `IPv${question.family} ClusterIP`}`
    return refuse(question, says, { ...because, field: 'spec.clusterIPs' }, steps, findings)
  }
  if (port === undefined) {
    const says = `service/${key} has no ${question.transport} port ${question.port === undefined ? '' : `"${question.port}" `}(it has ${ports.join(', ')})`
    return refuse(question, says, because, steps, findings)
  }
  const destination = { address, port, transport: question.transport }
  const context = { ...contextOf(asked, address), models: [model] }
  return conclude(asked, explainService(toQuestion(source, destination), context), destination, steps, findings)
}

/** What became of a connection to a Service's address, and the way to each endpoint. */
function conclude(
  { snapshot, question, source }: Asked,
  answer: ServiceAnswer,
  destination: Destination,
  before: readonly Step[],
  findings: readonly Finding[],
): Answer {
  const { outcome } = answer
  const steps = [...before, ...serviceSteps(source, answer, destination)]
  const last = answer.steps.at(-1)
  if (outcome.kind === 'pass') throw new Error('a Service address does not pass')
  if (outcome.kind !== 'balance') {
    const blame = outcome.reason === 'no-endpoints' ? blameFor(snapshot, answer, destination.port) : undefined
    const says = [last?.says ?? outcome.reason, ...(blame === undefined ? [] : [blame.says])].join(': ')
    const verdict: Verdict = { kind: 'deny', says, because: blame?.because ?? outcome.because }
    return { ...base(question), verdict, steps: [...steps, ...(blame?.steps ?? [])], branches: [], findings }
  }
  const { targets } = outcome
  const branches = targets.map((target): Branch => {
    const nodeOf = answer.steps.find((one) => one.kind === 'candidate' && one.candidate.address === target.address)
    const node = nodeOf?.kind === 'candidate' ? nodeOf.candidate.node : undefined
    return branchTo({ snapshot, question, source }, { ...target, node }, targets.length)
  })
  const because = answer.steps.find((one) => one.kind === 'port')
  const name = `service/${outcome.service}`
  const verdict = overall(branches, because?.kind === 'port' ? because.because : source.because, name)
  return { ...base(question), verdict, steps, branches, findings }
}

function blameFor(snapshot: Snapshot, answer: ServiceAnswer, port: number): Blame | undefined {
  const subject = findSubject(answer)
  const service = subject && snapshot.services.get(`${subject.namespace}/${subject.name}`)
  return service && blameNoEndpoints(snapshot, service, port)
}

/** A headless Service is names alone: the client connects to the pods themselves. */
function toHeadless(asked: Asked, service: Service, before: readonly Step[], findings: readonly Finding[]): Answer {
  const { snapshot, question, source } = asked
  const key = keyOf(service)
  const because: Because = { object: `service/${key}`, field: 'spec.clusterIP', value: 'None' }
  const offered = headlessEndpoints(snapshot.slicesOf(key), question)
  const says = `service/${key} is headless: its name stands for the pods’ own addresses (${offered.length})`
  const steps: Step[] = [...before, { stage: 'service', node: source.node, says, because }]
  if (offered.length === 0) {
    const none = `service/${key} has no ready endpoint on that port: its name has no address`
    return { ...base(question), verdict: { kind: 'deny', says: none, because }, steps, branches: [], findings }
  }
  const branches = offered.map((one) => branchTo({ snapshot, question, source }, one, offered.length))
  return { ...base(question), verdict: overall(branches, because, `service/${key}`), steps, branches, findings }
}

function branchTo(
  { snapshot, question, source }: Pick<Asked, 'snapshot' | 'question' | 'source'>,
  one: { address: Address; port: number; node?: string | undefined; because: Because; source?: 'kept' | 'masqueraded' },
  of: number,
): Branch {
  const { address, port } = one
  const pod = snapshot.findPod(address)
  const path = walk(snapshot, source, { address, port, transport: question.transport }, one.source)
  return {
    endpoint: {
      address,
      port,
      ...(pod === undefined ? {} : { pod: keyOf(pod) }),
      ...(one.node === undefined ? {} : { node: one.node }),
    },
    share: { one: 1, of },
    verdict: path.verdict,
    steps: [
      { stage: 'endpoint', says: `${address} port ${port} takes new connections`, because: one.because },
      ...path.steps,
    ],
  }
}

function overall(branches: readonly Branch[], because: Because, name: string): Verdict {
  const denied = branches.filter(({ verdict }) => verdict.kind === 'deny')
  const [first] = denied
  if (first === undefined) {
    const count = branches.length === 1 ? 'at its one endpoint' : `at one of ${branches.length} endpoints`
    return { kind: 'allow', says: `reaches ${name} ${count}`, because }
  }
  const says = `${denied.length} of ${branches.length} endpoints cannot be reached: ${first.verdict.says}`
  return { kind: 'deny', says, because: first.verdict.because }
}

function sourceStep(source: Source): Step {
  const addresses = source.addresses.length > 0 ? `, ${source.addresses.join(' and ')}` : ''
  return {
    stage: 'source',
    node: source.node,
    says:
      source.outside === true
        ? `${source.label} is beyond the cluster; its packets come in at ${source.node}`
        : `${source.label} is on ${source.node}${addresses}`,
    because: source.because,
  }
}

/** The port as a number, or what is wrong with it. */
function portOf(question: Question, pod: Pod | undefined): number | string {
  if (typeof question.port === 'number') return question.port
  const ports = (pod?.spec.containers ?? []).flatMap((container) => container.ports ?? [])
  const same = ports.filter((one) => (one.protocol ?? 'TCP').toLowerCase() === question.transport)
  if (question.port !== undefined) {
    const named = same.find((one) => one.name === question.port)
    return named?.containerPort ?? `"${question.port}" names no container port of the pod; use a number`
  }
  const [only] = same
  if (only !== undefined && same.length === 1) return only.containerPort
  return `say which port, as in pod/NAME:${only?.containerPort ?? 8080}`
}

function toQuestion(source: Source, { address, port, transport }: Destination): Parameters<typeof explainService>[0] {
  const own = source.addresses.find((one) => familyOf(one) === familyOf(address))
  // A source without an address of that family cannot send at all; the walk tells so.
  return { source: own ?? source.addresses[0] ?? address, destination: address, protocol: transport, port }
}

function contextOf({ snapshot, source, facts }: Asked, address: Address): ServiceContext {
  const node = viewOf(snapshot.nodes.get(source.node))
  return {
    node,
    models: servicesAt(snapshot, address, node),
    podPrefixes: [...snapshot.nodes.values()].flatMap(nodePrefixes),
    servicePrefixes: facts.servicePrefixes,
  }
}

function base(question: Question): Pick<Answer, 'schema' | 'question' | 'assumptions'> {
  const assumptions = ['every node has applied the newest objects, unless a line from its kernel says otherwise']
  return { schema: 'plumb.network/why/v1', question, assumptions }
}

function refuse(
  question: Question,
  says: string,
  because: Because,
  steps: readonly Step[],
  findings: readonly Finding[] = [],
): Answer {
  return { ...base(question), verdict: { kind: 'deny', says, because }, steps, branches: [], findings }
}
