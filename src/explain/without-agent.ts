import type { Answer, Observation, Step } from './answer.ts'
import type { ClusterFacts } from './asked.ts'

/**
 * The answer with what nodes without an agent of Plumb's have (`facts.enforcers`), unchanged where all have one: routes there are looked at and
 * not held against Plumb's own, and nobody is asked for Plumb's policy maps.
 */
export function withoutAgent(
  answer: Answer,
  { enforcers, agents = [] }: Pick<ClusterFacts, 'enforcers' | 'agents'>,
): Answer {
  if (enforcers === undefined) return answer
  const plumbs = new Set(agents)
  const isOthers = ({ node }: Step): boolean => node === undefined || !plumbs.has(node)
  const fit = (step: Step): Step => (isOthers(step) ? withoutExpectation(step, enforcers) : step)
  const steps = answer.steps.map(fit)
  const branches = answer.branches.map((one) => ({ ...one, steps: one.steps.map(fit) }))
  const judged = [...steps, ...branches.flatMap((one) => one.steps)].some(
    (one) => one.stage === 'policy' && isOthers(one),
  )
  const says = judged ? [`NetworkPolicies are judged by what they say; ${whoEnforces(enforcers)}`] : []
  return { ...answer, steps, branches, assumptions: [...answer.assumptions, ...says] }
}

function whoEnforces(enforcers: readonly string[]): string {
  return enforcers.length === 0
    ? 'who enforces them here, if anybody does, is not known'
    : `${enforcers.join(' and ')} may enforce them, and how far is not known here`
}

function withoutExpectation(step: Step, enforcers: readonly string[]): Step {
  const { observation, ...rest } = step
  if (observation === undefined) return step
  if (observation.kind === 'policy') return { ...rest, observed: { kind: 'unseen', says: whoEnforces(enforcers) } }
  return looser(rest, observation)
}

/** Which way packets take is the network plugin's business: words that only fit Plumb's own links are left out. */
function looser(step: Omit<Step, 'observation'>, observation: Observation): Step {
  if (observation.kind === 'route' && step.stage === 'route')
    return {
      ...step,
      says: `to ${observation.destination}, by the way that the network plugin has set`,
      observation: { ...observation, expect: {} },
    }
  if (observation.kind === 'route') return { ...step, observation: { ...observation, expect: {} } }
  if (observation.kind !== 'neighbour') return { ...step, observation }
  const { link: _, ...anyLink } = observation
  return { ...step, says: `who has ${observation.address} is asked on the link`, observation: anyLink }
}
