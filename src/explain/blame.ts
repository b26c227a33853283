import { type Because, keyOf, type Snapshot } from '../cluster/index.ts'
import { type EndpointStep, explainEndpoint, hasSelectedEndpoints, selects } from '../endpoints/index.ts'
import type { Pod, Service } from '../objects/index.ts'
import type { Step } from './answer.ts'
import { nearestPods } from './selected-pods.ts'

/** Why a Service has nothing to offer on a port: what to read, and the one object and field to blame. */
export interface Blame {
  readonly steps: readonly Step[]
  readonly says: string
  readonly because: Because
}

const shown = 3

/** Looks for the reason among the pods: those that the selector takes but that do not serve, else those that it just misses. */
export function blameNoEndpoints(snapshot: Snapshot, service: Service, port: number | undefined): Blame | undefined {
  const object = `service/${keyOf(service)}`
  if (!hasSelectedEndpoints(service)) {
    const says = 'the Service has no selector, and no EndpointSlice of its lists a ready endpoint with this port'
    return { steps: [], says, because: { object, field: 'spec.selector', value: '' } }
  }
  const pods = [...snapshot.pods.values()].filter(({ metadata }) => metadata.namespace === service.metadata.namespace)
  const selected = pods.filter((pod) => selects(service, pod))
  const candidates = selected.length > 0 ? selected : nearestPods(service, pods)
  const found = candidates.slice(0, shown).flatMap((pod) => blocker(snapshot, service, pod, port))
  const [first] = found
  const steps = found.map(
    ({ pod, step }): Step => ({
      stage: 'endpoint',
      says: `pod/${keyOf(pod)}: ${step.says}${step.try === undefined ? '' : ` (${step.try})`}`,
      because: step.because,
    }),
  )
  if (first === undefined || selected.length === 0) {
    const selector = Object.entries(service.spec.selector ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(',')
    const says = `its selector ${selector} matches none of the ${pods.length} pods of namespace ${service.metadata.namespace}`
    return { steps, says, because: { object, field: 'spec.selector', value: selector } }
  }
  return { steps, says: `pod/${keyOf(first.pod)}: ${first.step.says}`, because: first.step.because }
}

function blocker(
  snapshot: Snapshot,
  service: Service,
  pod: Pod,
  port: number | undefined,
): { pod: Pod; step: EndpointStep }[] {
  const node = pod.spec.nodeName === undefined ? undefined : snapshot.nodes.get(pod.spec.nodeName)
  const { steps } = explainEndpoint({ service, pod, node, ...(port === undefined ? {} : { port }) })
  const step = steps.find(({ kind }) => kind === 'blocks')
  return step === undefined ? [] : [{ pod, step }]
}
