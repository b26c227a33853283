import { familyOf, findAddress } from '../addr/index.ts'
import { keyOf, type Snapshot } from '../cluster/index.ts'
import type { Pod } from '../objects/index.ts'
import { explainService } from '../services/index.ts'
import type { Answer, Question, Step } from './answer.ts'
import { type Asked, base, type ClusterFacts, contextOf, refuse, toQuestion } from './asked.ts'
import { conclude } from './conclude.ts'
import { type FoundEnd, findEnd, type Source } from './end.ts'
import { findAddressSource, findOwner } from './entry.ts'
import { askFromOutside, type Outward } from './from-outside.ts'
import { policyFindings } from './policy-findings.ts'
import { serviceSteps } from './service-steps.ts'
import { toHostPort } from './to-host-port.ts'
import { toService } from './to-service.ts'
import { walk } from './walk.ts'

/**
 * Which way a connection goes and which objects make it so, by the model alone: total, and pure. Steps that the kernel
 * can confirm say what to ask it.
 */
export function explainConnection(snapshot: Snapshot, question: Question, facts: ClusterFacts): Answer {
  const from = findEnd(snapshot, question.from)
  const target = findEnd(snapshot, question.to)
  const outward = findOutward(snapshot, question, from, target)
  if (outward?.kind === 'ask') {
    const answer = explainConnection(snapshot, outward.question, facts)
    const { says, because } = outward
    const [first, ...rest] = answer.steps
    const steps = [...(first === undefined ? [] : [first]), { stage: 'name' as const, says, because }, ...rest]
    return { ...answer, question, steps }
  }
  const answer = explainWay(snapshot, question, facts, from, target)
  const concerned = [from, target].flatMap((end) => podsOf(snapshot, end))
  const chosen = answer.branches.flatMap(({ endpoint }) => snapshot.findPod(endpoint.address) ?? [])
  const entry = entryOf(snapshot, from, target)
  // What nodes say against what the objects ask for comes first: all else rests on it.
  const findings = [
    ...(entry?.findings ?? []),
    ...answer.findings,
    ...policyFindings(snapshot, [...concerned, ...chosen]),
  ]
  const assumptions = [...answer.assumptions, ...(entry?.assumptions ?? [])]
  return { ...answer, assumptions, findings: [...new Set(findings)] }
}

/** What a client outside asks for that means a Service. */
function findOutward(snapshot: Snapshot, question: Question, from: FoundEnd, target: FoundEnd): Outward | undefined {
  if (from.kind === 'unknown' || target.kind === 'unknown' || target.service === undefined) return undefined
  const source = from.source ?? findAddressSource(snapshot, from, target)
  const client = source?.outside === true ? source.addresses[0] : undefined
  return client && askFromOutside(question, target.service, client)
}

/** What the way in to an external address rests on. */
function entryOf(snapshot: Snapshot, from: FoundEnd, target: FoundEnd): Source['entry'] {
  if (from.kind === 'unknown') return undefined
  return (from.source ?? findAddressSource(snapshot, from, target))?.entry
}

/** The pods that an end stands for: itself, or what lies behind a Service's name. */
function podsOf(snapshot: Snapshot, end: FoundEnd): readonly Pod[] {
  if (end.kind === 'unknown') return []
  if (end.service === undefined) return end.pod === undefined ? [] : [end.pod]
  const endpoints = snapshot.slicesOf(keyOf(end.service)).flatMap((slice) => slice.endpoints)
  return endpoints.flatMap(({ addresses }) => {
    const address = findAddress(addresses[0] ?? '')
    return (address && snapshot.findPod(address)) ?? []
  })
}

function explainWay(
  snapshot: Snapshot,
  question: Question,
  facts: ClusterFacts,
  from: FoundEnd,
  target: FoundEnd,
): Answer {
  if (from.kind === 'unknown') return refuse(question, from.says, from.because, [])
  const source = from.source ?? findAddressSource(snapshot, from, target)
  if (source === undefined) {
    return refuse(question, `${from.label} sends nothing; ask from a pod, a node or an address`, from.because, [])
  }
  const asked: Asked = { snapshot, question, facts, source }
  const steps: Step[] = [sourceStep(source)]
  if (target.kind === 'unknown') return refuse(question, target.says, target.because, steps)
  if (target.service !== undefined) {
    const outward = findOutward(snapshot, question, from, target)
    if (outward?.kind === 'nothing') return refuse(question, outward.says, outward.because, steps)
    return toService(asked, target.service, steps)
  }
  const address = target.addresses.find((a) => question.family === undefined || familyOf(a) === question.family)
  if (address === undefined) return refuse(question, `${target.label} has no address yet`, target.because, steps)
  const port = portOf(question, target.pod)
  if (typeof port === 'string') return refuse(question, port, target.because, steps)
  const destination = { address, port, transport: question.transport }
  const answer = explainService(toQuestion(source, destination), contextOf(asked, address))
  if (answer.outcome.kind !== 'pass') return conclude(asked, answer, destination, steps, [])
  const path = walk(snapshot, source, destination)
  const owner = findOwner(snapshot, address)?.metadata.name
  if (owner !== undefined && owner !== source.node && path.verdict.kind !== 'deny') {
    // Node ports answer on the node whose address it is; the sender's own node has judged a packet to that node.
    const there: Asked = { ...asked, source: { ...source, node: owner, forwarded: true } }
    const port = explainService(toQuestion(source, destination), contextOf(there, address))
    if (port.outcome.kind !== 'pass') return conclude(there, port, destination, [...steps, ...path.steps], [])
  }
  if (owner !== undefined && path.verdict.kind !== 'deny') {
    const before = owner === source.node ? steps : [...steps, ...path.steps]
    const handed = toHostPort(asked, owner, destination, before)
    if (handed !== undefined) return handed
  }
  const missed = answer.steps.some(({ kind }) => kind === 'no-port') ? serviceSteps(source, answer, destination) : []
  const all = [...steps, ...missed, ...path.steps]
  const { verdict, seenAs } = path
  const seen = seenAs === undefined ? {} : { seenAs }
  return { ...base(question), verdict, ...seen, steps: all, branches: [], findings: [] }
}

function sourceStep(source: Source): Step {
  const addresses = source.addresses.length > 0 ? `, ${source.addresses.join(' and ')}` : ''
  return {
    stage: 'source',
    node: source.node,
    says:
      source.outside === true
        ? `${source.label} is beyond the cluster; its packets come in at ${source.node}${source.entry === undefined ? '' : `, ${source.entry.says}`}`
        : `${source.label} is on ${source.node}${addresses}`,
    because: source.because,
  }
}

/** The port as a number, or what is wrong with it. */
function portOf(question: Question, pod: Pod | undefined): number | string {
  if (question.transport === 'icmp') return 0
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
