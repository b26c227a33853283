import { ageColumn, nameColumn, text, wide } from './column.ts'
import type { Column } from './contract.ts'
import { renderAge } from './duration.ts'
import type { Container, ContainerStatus, Pod } from './types.ts'

/** What one pod's row says beyond the object's own fields. */
interface Summary {
  readonly ready: number
  readonly total: number
  readonly reason: string
  readonly restarts: number
  /** When a container last ended, RFC 3339. */
  readonly lastRestart: string | undefined
}

const restarting = (container: Container | undefined) => container?.restartPolicy === 'Always'

/** Counts restarts and remembers the latest end among container statuses. */
function countRestarts(statuses: readonly ContainerStatus[]): { restarts: number; last: string | undefined } {
  const ends = statuses.map((status) => status.lastState?.terminated?.finishedAt ?? '').sort()
  return {
    restarts: statuses.reduce((sum, status) => sum + (status.restartCount ?? 0), 0),
    last: ends.at(-1) || undefined,
  }
}

/** Why initialisation is not over, e.g. `Init:0/2`, or undefined when it is. Also how many restarting init containers are ready. */
function initialising(pod: Pod): { reason: string | undefined; ready: number; seen: ContainerStatus[] } {
  const containers = new Map(pod.spec.initContainers?.map((container) => [container.name, container]))
  const seen: ContainerStatus[] = []
  let ready = 0
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    seen.push(status)
    const { terminated, waiting } = status.state ?? {}
    if (terminated?.exitCode === 0) continue
    if (restarting(containers.get(status.name)) && status.started) {
      if (status.ready) ready++
      continue
    }
    if (terminated !== undefined) return { reason: `Init:${terminatedReason(terminated)}`, ready, seen }
    if (waiting?.reason && waiting.reason !== 'PodInitializing')
      return { reason: `Init:${waiting.reason}`, ready, seen }
    return { reason: `Init:${index}/${pod.spec.initContainers?.length ?? 0}`, ready, seen }
  }
  return { reason: undefined, ready, seen }
}

function terminatedReason(terminated: { reason?: string; signal?: number; exitCode: number }): string {
  if (terminated.reason) return terminated.reason
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`
}

/** Upstream's `printPod`: the STATUS that people know is made of phase, conditions and container states. */
export function summarisePod(pod: Pod): Summary {
  const { spec, status = {} } = pod
  const conditions = status.conditions ?? []
  const isTrue = (type: string) => conditions.some((item) => item.type === type && item.status === 'True')
  const init = initialising(pod)
  const sidecars = new Set(spec.initContainers?.filter(restarting).map((container) => container.name))
  let reason = status.reason || status.phase || ''
  if (conditions.some((item) => item.type === 'PodScheduled' && item.reason === 'SchedulingGated'))
    reason = 'SchedulingGated'
  let ready = init.ready
  let { restarts, last } = countRestarts(init.seen)
  if (init.reason !== undefined) reason = init.reason
  if (init.reason === undefined || isTrue('Initialized')) {
    const main = summariseContainers(status.containerStatuses ?? [], reason, isTrue('Ready'))
    reason = main.reason
    ready += main.ready
    ;({ restarts, last } = countRestarts([
      ...init.seen.filter((item) => sidecars.has(item.name)),
      ...(status.containerStatuses ?? []),
    ]))
  }
  if (pod.metadata.deletionTimestamp) {
    if (status.reason === 'NodeLost') reason = 'Unknown'
    else if (status.phase !== 'Succeeded' && status.phase !== 'Failed') reason = 'Terminating'
  }
  return { ready, total: (spec.containers?.length ?? 0) + sidecars.size, reason, restarts, lastRestart: last }
}

function summariseContainers(
  statuses: readonly ContainerStatus[],
  phase: string,
  podReady: boolean,
): { reason: string; ready: number } {
  let reason = phase
  let ready = 0
  for (const { state = {}, ready: isReady } of statuses.toReversed()) {
    if (state.waiting?.reason) reason = state.waiting.reason
    else if (state.terminated !== undefined) reason = terminatedReason(state.terminated)
    else if (isReady && state.running !== undefined) ready++
  }
  // One container ended well while another runs on.
  if (reason === 'Completed' && ready > 0) reason = podReady ? 'Running' : 'NotReady'
  return { reason, ready }
}

function readinessGates({ spec, status }: Pod): string {
  const gates = spec.readinessGates ?? []
  if (gates.length === 0) return '<none>'
  const open = gates.filter(({ conditionType }) =>
    status?.conditions?.some((item) => item.type === conditionType && item.status === 'True'),
  )
  return `${open.length}/${gates.length}`
}

/** `kubectl get pods`. */
export const podColumns: readonly Column[] = [
  nameColumn,
  text<Pod>('Ready', 'Containers that are ready, of all that should be.', (pod) => {
    const { ready, total } = summarisePod(pod)
    return `${ready}/${total}`
  }),
  text<Pod>('Status', "The aggregate state of the pod's containers.", (pod) => summarisePod(pod).reason),
  text<Pod>('Restarts', 'How often containers have been restarted, and when last.', (pod, now) => {
    const { restarts, lastRestart } = summarisePod(pod)
    return restarts === 0 || lastRestart === undefined
      ? String(restarts)
      : `${restarts} (${renderAge(lastRestart, now)} ago)`
  }),
  ageColumn,
  wide(
    text<Pod>(
      'IP',
      'The primary address of the pod.',
      ({ status }) => status?.podIPs?.[0]?.ip || status?.podIP || '<none>',
    ),
  ),
  wide(text<Pod>('Node', 'The node that runs the pod.', ({ spec }) => spec.nodeName || '<none>')),
  wide(
    text<Pod>(
      'Nominated Node',
      'The node that will run the pod once others have made room.',
      ({ status }) => (status as { nominatedNodeName?: string } | undefined)?.nominatedNodeName || '<none>',
    ),
  ),
  wide(
    text<Pod>('Readiness Gates', 'Conditions of others that count for readiness: true ones, of all.', readinessGates),
  ),
]
