import { type Because, type Finding, keyOf } from '../cluster/index.ts'
import type { Service } from '../objects/index.ts'
import { compileService, explainService } from '../services/index.ts'
import type { Answer, Step } from './answer.ts'
import { type Asked, base, contextOf, refuse, toQuestion } from './asked.ts'
import { branchTo, overall } from './branch.ts'
import { conclude } from './conclude.ts'
import { findDnsDenial } from './dns-denial.ts'
import { viewOf } from './entry.ts'
import { headlessEndpoints } from './headless.ts'
import { explainName } from './name.ts'

/** By the name of a Service: the name first, as an application would, then the address that it stands for. */
export function toService(asked: Asked, service: Service, before: readonly Step[]): Answer {
  const { snapshot, question, source, facts } = asked
  const key = keyOf(service)
  const model = compileService(service, snapshot.slicesOf(key), viewOf(snapshot.nodes.get(source.node)))
  const { subject, frontends, findings } = model
  const denial = findDnsDenial(asked)
  if (denial !== undefined) {
    const { says, because } = denial.verdict
    return refuse(question, says, because, [...before, ...denial.steps], [...findings, ...denial.findings])
  }
  const name = explainName(snapshot, source, service, facts)
  const steps = [...before, ...name.steps]
  if (subject.kind === 'ignored') {
    if (subject.reason === 'headless') return toHeadless(asked, service, steps, findings)
    const says = `no node serves service/${key}: ${subject.because.field} is ${subject.because.value || 'empty'}`
    return refuse(question, says, subject.because, steps, findings)
  }
  // A name stands for the ClusterIP; node ports are at nodes.
  const fitting = frontends.filter(
    ({ kind, family }) => kind === 'cluster-ip' && (question.family === undefined || family === question.family),
  )
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
  const asksNoPort = question.transport === 'icmp' ? 0 : undefined
  const port = asksNoPort ?? matching[0]?.port ?? (typeof question.port === 'number' ? question.port : undefined)
  if (address === undefined) {
    const says = `service/${key} has no ${question.family === undefined ? 'ClusterIP' : `IPv${question.family} ClusterIP`}`
    return refuse(question, says, { ...because, field: 'spec.clusterIPs' }, steps, findings)
  }
  if (port === undefined) {
    const says = `service/${key} has no ${question.transport} port ${question.port === undefined ? '' : `"${question.port}" `}(it has ${ports.join(', ')})`
    return refuse(question, says, because, steps, findings)
  }
  const destination = { address, port, transport: question.transport }
  const context = contextOf(asked, address, [model])
  return conclude(asked, explainService(toQuestion(source, destination), context), destination, steps, findings)
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
  const branches = offered.map((one) => branchTo({ snapshot, question, source }, one, { one: 1, of: offered.length }))
  return { ...base(question), verdict: overall(branches, because, `service/${key}`), steps, branches, findings }
}
