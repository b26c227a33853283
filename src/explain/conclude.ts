import type { Finding, Snapshot } from '../cluster/index.ts'
import { findSubject, type ServiceAnswer } from '../services/index.ts'
import type { Answer, Branch, Step, Verdict } from './answer.ts'
import { type Asked, base } from './asked.ts'
import { type Blame, blameNoEndpoints } from './blame.ts'
import { branchTo, overall } from './branch.ts'
import type { Destination } from './destination.ts'
import { serviceSteps } from './service-steps.ts'

/** What became of a connection to a Service's address, and the way to each endpoint. */
export function conclude(
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
    return branchTo({ snapshot, question, source }, { ...target, node }, target.share, destination)
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
