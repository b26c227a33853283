import { type Address, type Family, familyOf } from '../addr/index.ts'
import { type Because, type Finding, keyOf, type Snapshot } from '../cluster/index.ts'
import type { Node, Pod, Service } from '../objects/index.ts'
import { type Candidate, compileService, type Frontend, type NodeView } from '../services/index.ts'
import type { Answer, Branch, Question, Step, Verdict } from './answer.ts'
import { findEnd, type Source } from './end.ts'
import { explainName, nameOf } from './name.ts'
import { walk } from './walk.ts'

/** What the cluster is like beyond its objects. */
export interface ClusterFacts {
  readonly clusterDomain: string
}

/**
 * Which way a connection goes and which objects make it so, by the model alone: total, and pure. Steps that the kernel
 * can confirm say what to ask it.
 */
export function explainConnection(snapshot: Snapshot, question: Question, facts: ClusterFacts): Answer {
  const from = findEnd(snapshot, question.from)
  if (from.kind === 'unknown') return refuse(question, from.says, from.because, [])
  if (from.source === undefined) {
    return refuse(question, `${from.label} sends nothing; ask from a pod or a node`, from.because, [])
  }
  const { source } = from
  const named = explainName(snapshot, source, question, facts)
  if (named.kind === 'stuck') return refuse(question, named.says, named.because, named.steps)
  const steps = [sourceStep(source), ...named.steps]
  const target = findEnd(snapshot, named.to)
  if (target.kind === 'unknown') return refuse(question, target.says, target.because, steps)
  const service = target.service ?? findServiceAt(snapshot, target.address)
  if (service !== undefined) return throughService(snapshot, question, source, service, target.address, steps)
  const port = portOf(question, target.pod)
  if (typeof port === 'string') return refuse(question, port, target.because, steps)
  const address = target.addresses.find((a) => question.family === undefined || familyOf(a) === question.family)
  if (address === undefined) return refuse(question, `${target.label} has no address yet`, target.because, steps)
  const path = walk(snapshot, source, { address, port, transport: question.transport })
  return { ...base(question), verdict: path.verdict, steps: [...steps, ...path.steps], branches: [], findings: [] }
}

function throughService(
  snapshot: Snapshot,
  question: Question,
  source: Source,
  service: Service,
  address: Address | undefined,
  before: readonly Step[],
): Answer {
  const key = keyOf(service)
  const model = compileService(service, snapshot.slicesOf(key), viewOf(snapshot.nodes.get(source.node)))
  const { findings } = model
  const { subject } = model
  if (subject.kind === 'ignored' && subject.reason === 'headless') {
    return headless(snapshot, question, source, service, before, findings)
  }
  if (subject.kind === 'ignored') {
    const says = `no node serves ${nameOf(service)}: ${subject.because.field} is ${subject.because.value || 'empty'}`
    return refuse(question, says, subject.because, before, findings)
  }
  const matching = model.frontends.filter(
    (one) =>
      one.protocol === question.transport &&
      (question.port === undefined || one.port === question.port || one.portName === question.port) &&
      (address === undefined || one.address === address) &&
      (question.family === undefined || one.family === question.family),
  )
  const [frontend] = matching
  if (frontend === undefined) {
    const has = model.frontends.map((one) => `${one.port}/${one.protocol}${one.portName && ` (${one.portName})`}`)
    const says = `${nameOf(service)} has no port ${question.port ?? ''}/${question.transport}, so the connection is refused (ICMP port unreachable); it has ${[...new Set(has)].join(', ') || 'none'}`
    return refuse(
      question,
      says,
      { object: `service/${key}`, field: 'spec.ports', value: has.join(', ') },
      before,
      findings,
    )
  }
  if (question.port === undefined && new Set(matching.map((one) => one.port)).size > 1) {
    const says = `${nameOf(service)} has several ports; say which: ${[...new Set(matching.map((one) => one.port))].join(', ')}`
    return refuse(question, says, { object: `service/${key}`, field: 'spec.ports', value: '' }, before, findings)
  }
  return balance(snapshot, question, source, service, frontend, before, findings)
}

function balance(
  snapshot: Snapshot,
  question: Question,
  source: Source,
  service: Service,
  frontend: Frontend,
  before: readonly Step[],
  findings: readonly Finding[],
): Answer {
  const { outcome } = frontend
  const chosen = outcome.kind === 'balance' ? outcome.endpoints : []
  const steps: Step[] = [...before, ...frontendSteps(source, service, frontend, chosen)]
  for (const one of frontend.candidates) {
    if (one.use.kind === 'passed-over') steps.push(passedOver(snapshot, one))
  }
  if (outcome.kind !== 'balance') {
    const says =
      outcome.kind === 'reject'
        ? `${nameOf(service)} has no endpoint that serves port ${frontend.port}: the connection is refused (ICMP port unreachable)`
        : `${nameOf(service)} has endpoints on other nodes only, and its policy is Local: the packet is dropped`
    return {
      ...base(question),
      verdict: { kind: 'deny', says, because: outcome.because },
      steps,
      branches: [],
      findings,
    }
  }
  const branches = chosen.map((one) => branch(snapshot, question, source, one, chosen.length))
  return { ...base(question), verdict: overall(branches, outcome.because, nameOf(service)), steps, branches, findings }
}

function frontendSteps(source: Source, service: Service, frontend: Frontend, chosen: readonly Candidate[]): Step[] {
  const { address, port, protocol, because } = frontend
  return [
    {
      stage: 'service',
      node: source.node,
      says: `${address} is the ClusterIP of ${nameOf(service)}`,
      because: because.address,
    },
    {
      stage: 'service',
      node: source.node,
      says: `port ${port}/${protocol}${frontend.portName && ` (${frontend.portName})`}: ${chosen.length} of ${frontend.candidates.length} endpoints take new connections`,
      because: because.port,
      observation: {
        kind: 'frontend',
        node: source.node,
        address,
        transport: protocol,
        port,
        expect: chosen.map((one) => ({ address: one.address, port: one.port })),
      },
    },
  ]
}

/** A headless Service is names alone: the client connects to the pods themselves. */
function headless(
  snapshot: Snapshot,
  question: Question,
  source: Source,
  service: Service,
  before: readonly Step[],
  findings: readonly Finding[],
): Answer {
  const key = keyOf(service)
  const because: Because = { object: `service/${key}`, field: 'spec.clusterIP', value: 'None' }
  const offered = headlessEndpoints(snapshot, question, key)
  const says = `${nameOf(service)} is headless: its name stands for the pods’ own addresses (${offered.length})`
  const steps: Step[] = [...before, { stage: 'service', node: source.node, says, because }]
  if (offered.length === 0) {
    const none = `${nameOf(service)} has no ready endpoint: the name has no address`
    return { ...base(question), verdict: { kind: 'deny', says: none, because }, steps, branches: [], findings }
  }
  const branches = offered.map((one) => branch(snapshot, question, source, one, offered.length))
  return { ...base(question), verdict: overall(branches, because, nameOf(service)), steps, branches, findings }
}

function headlessEndpoints(
  snapshot: Snapshot,
  question: Question,
  key: string,
): Pick<Candidate, 'address' | 'port' | 'node' | 'because'>[] {
  return snapshot.slicesOf(key).flatMap((slice) => {
    const family: Family = slice.addressType === 'IPv6' ? 6 : 4
    if (slice.addressType === 'FQDN' || (question.family ?? 4) !== family) return []
    const port = slice.ports?.find(
      (one) =>
        (one.protocol ?? 'TCP').toLowerCase() === question.transport &&
        (question.port === undefined || one.name === question.port || one.port === question.port),
    )?.port
    const number = port ?? (typeof question.port === 'number' ? question.port : undefined)
    if (number === undefined) return []
    return slice.endpoints.flatMap((endpoint, index) =>
      endpoint.conditions?.ready === false
        ? []
        : [
            {
              address: endpoint.addresses[0] as Address,
              port: number,
              node: endpoint.nodeName,
              because: {
                object: `endpointslice/${keyOf(slice)}`,
                field: `endpoints[${index}]`,
                value: endpoint.addresses[0] ?? '',
              },
            },
          ],
    )
  })
}

function branch(
  snapshot: Snapshot,
  question: Question,
  source: Source,
  one: Pick<Candidate, 'address' | 'port' | 'node' | 'because'>,
  of: number,
): Branch {
  const pod = snapshot.findPod(one.address)
  const path = walk(snapshot, source, { address: one.address, port: one.port, transport: question.transport })
  return {
    endpoint: {
      address: one.address,
      port: one.port,
      ...(pod === undefined ? {} : { pod: keyOf(pod) }),
      ...(one.node === undefined ? {} : { node: one.node }),
    },
    share: { one: 1, of },
    verdict: path.verdict,
    steps: [{ stage: 'endpoint', says: `${one.address}:${one.port}`, because: one.because }, ...path.steps],
  }
}

function overall(branches: readonly Branch[], because: Because, name: string): Verdict {
  const denied = branches.filter(({ verdict }) => verdict.kind === 'deny')
  const [first] = denied
  if (first === undefined) {
    const count = branches.length === 1 ? 'its one endpoint' : `one of ${branches.length} endpoints`
    return { kind: 'allow', says: `reaches ${name} at ${count}`, because }
  }
  const says = `${denied.length} of ${branches.length} endpoints cannot be reached: ${first.verdict.says}`
  return { kind: 'deny', says, because: first.verdict.because }
}

function passedOver(snapshot: Snapshot, one: Candidate): Step {
  const pod = snapshot.findPod(one.address)
  const why = one.use.kind === 'passed-over' ? one.use.why.replaceAll('-', ' ') : ''
  const who = pod === undefined ? '' : ` (pod/${keyOf(pod)})`
  return { stage: 'endpoint', says: `${one.address}:${one.port}${who} gets none: ${why}`, because: one.because }
}

function sourceStep(source: Source): Step {
  return {
    stage: 'source',
    node: source.node,
    says: `${source.label} is on ${source.node}${source.addresses.length > 0 ? `, ${source.addresses.join(' and ')}` : ''}`,
    because: source.because,
  }
}

/** The port as a number, or what is wrong with it. */
function portOf(question: Question, pod: Pod | undefined): number | string {
  const ports = (pod?.spec.containers ?? []).flatMap((container) => container.ports ?? [])
  const same = ports.filter((one) => (one.protocol ?? 'TCP').toLowerCase() === question.transport)
  if (typeof question.port === 'number') return question.port
  if (question.port !== undefined) {
    const named = same.find((one) => one.name === question.port)
    return named?.containerPort ?? `"${question.port}" names no container port of the pod; use a number`
  }
  const [only] = same
  if (only !== undefined && same.length === 1) return only.containerPort
  return `say which port, as in pod/NAME:${only?.containerPort ?? 8080}`
}

function findServiceAt(snapshot: Snapshot, address: Address | undefined): Service | undefined {
  if (address === undefined) return undefined
  for (const service of snapshot.services.values()) {
    if (service.spec.clusterIPs?.includes(address) || service.spec.clusterIP === address) return service
  }
  return undefined
}

function viewOf(node: Node | undefined): NodeView {
  return { name: node?.metadata.name ?? '', zone: node?.metadata.labels?.['topology.kubernetes.io/zone'] }
}

function base(question: Question): Pick<Answer, 'schema' | 'question' | 'assumptions'> {
  return {
    schema: 'plumb.network/why/v1',
    question,
    assumptions: ['every node has applied the newest objects (see the observed lines)'],
  }
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
