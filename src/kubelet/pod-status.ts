import type { Condition, Pod } from '../objects/index.ts'
import { type ContainerRecord, containerStatus } from './container-record.ts'

type PodStatus = NonNullable<Pod['status']>
type Phase = NonNullable<PodStatus['phase']>

/** What the status of a pod depends on besides its containers. */
export interface PodFacts {
  readonly startTime: string
  readonly hostAddresses: readonly string[]
  /** Empty until the network is there. */
  readonly podAddresses: readonly string[]
  /** The pod's network is set up. */
  readonly sandbox: boolean
}

/** The status as kubelet's `generateAPIPodStatus` computes it; conditions that others set are kept. */
export function computePodStatus(pod: Pod, all: readonly ContainerRecord[], facts: PodFacts, now: string): PodStatus {
  // What came to debug says nothing of the pod's own state.
  const records = all.filter((record) => record.role !== 'ephemeral')
  const ephemeral = all.filter((record) => record.role === 'ephemeral')
  const phase = computePhase(pod, records)
  const init = records.filter((record) => record.role !== 'app')
  const apps = records.filter((record) => record.role === 'app')
  return {
    phase,
    conditions: mergeConditions(pod.status?.conditions ?? [], computeConditions(pod, records, facts, phase), now),
    ...(facts.hostAddresses[0] === undefined ? {} : { hostIP: facts.hostAddresses[0] }),
    hostIPs: facts.hostAddresses.map((ip) => ({ ip })),
    ...(facts.podAddresses[0] === undefined ? {} : { podIP: facts.podAddresses[0] }),
    ...(facts.podAddresses.length === 0 ? {} : { podIPs: facts.podAddresses.map((ip) => ({ ip })) }),
    startTime: facts.startTime,
    ...(init.length === 0 ? {} : { initContainerStatuses: init.map(containerStatus) }),
    containerStatuses: apps.map(containerStatus),
    ...(ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: ephemeral.map(containerStatus) }),
    qosClass: pod.status?.qosClass ?? 'BestEffort',
  }
}

/** kubelet's `getPhase`: init containers first; a waiting container that ran before counts as stopped. */
export function computePhase(pod: Pod, records: readonly ContainerRecord[]): Phase {
  const restartPolicy = pod.spec.restartPolicy ?? 'Always'
  for (const record of records) {
    if (record.role === 'app' || isInitialised(record) || hasBegun(records)) continue
    const exit = (record.state.terminated ?? record.lastState?.terminated)?.exitCode
    return exit !== undefined && exit !== 0 && restartPolicy === 'Never' && record.role === 'init'
      ? 'Failed'
      : 'Pending'
  }
  const apps = records.filter((record) => record.role === 'app')
  const stopped = apps.filter(({ state, lastState }) => state.terminated ?? (state.waiting && lastState?.terminated))
  const running = apps.filter(({ state }) => state.running !== undefined)
  if (stopped.length + running.length < apps.length) return 'Pending'
  if (running.length > 0 || restartPolicy === 'Always') return 'Running'
  if (apps.every(({ state }) => state.terminated?.exitCode === 0)) return 'Succeeded'
  return restartPolicy === 'Never' ? 'Failed' : 'Running'
}

/** Whether the containers after this init container may start. */
export function isInitialised(record: ContainerRecord): boolean {
  return record.role === 'init' ? record.state.terminated?.exitCode === 0 : record.started
}

/** Whether an app container has run: then initialisation is over, whatever becomes of sidecars. */
function hasBegun(records: readonly ContainerRecord[]): boolean {
  return records.some(({ role, state, lastState }) => role === 'app' && (state.waiting === undefined || lastState))
}

type Verdict = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>

function computeConditions(pod: Pod, records: readonly ContainerRecord[], facts: PodFacts, phase: Phase): Verdict[] {
  const uninitialised = hasBegun(records)
    ? []
    : records.filter((record) => record.role !== 'app' && !isInitialised(record))
  const initialized: Verdict =
    phase === 'Succeeded'
      ? { type: 'Initialized', status: 'True', reason: 'PodCompleted' }
      : incomplete('Initialized', 'ContainersNotInitialized', 'incomplete', uninitialised)
  const containersReady = readiness('ContainersReady', records, phase)
  const gate = pod.spec.readinessGates
    ?.map(({ conditionType }) => gateProblem(pod, conditionType))
    .find((problem) => problem !== undefined)
  const ready: Verdict =
    containersReady.status === 'True' && gate !== undefined
      ? { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message: gate }
      : { ...containersReady, type: 'Ready' }
  return [
    { type: 'PodReadyToStartContainers', status: facts.sandbox ? 'True' : 'False' },
    initialized,
    ready,
    containersReady,
    { type: 'PodScheduled', status: 'True' },
  ]
}

function readiness(type: string, records: readonly ContainerRecord[], phase: Phase): Verdict {
  if (phase === 'Succeeded') return { type, status: 'False', reason: 'PodCompleted' }
  if (phase === 'Failed') return { type, status: 'False', reason: 'PodFailed' }
  const unready = records.filter((record) => record.role !== 'init' && !(record.state.running && record.ready))
  return incomplete(type, 'ContainersNotReady', 'unready', unready)
}

function incomplete(type: string, reason: string, what: string, records: readonly ContainerRecord[]): Verdict {
  if (records.length === 0) return { type, status: 'True' }
  const names = records.map(({ container }) => container.name).join(' ')
  return { type, status: 'False', reason, message: `containers with ${what} status: [${names}]` }
}

function gateProblem(pod: Pod, conditionType: string): string | undefined {
  const condition = pod.status?.conditions?.find(({ type }) => type === conditionType)
  if (condition === undefined) return `corresponding condition of pod readiness gate "${conditionType}" does not exist.`
  if (condition.status === 'True') return undefined
  return `the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`
}

/** Times of transition survive as long as the status stays; foreign conditions keep their place at the end. */
function mergeConditions(old: readonly Condition[], verdicts: readonly Verdict[], now: string): Condition[] {
  const own = verdicts.map((verdict): Condition => {
    const before = old.find(({ type }) => type === verdict.type)
    const lastTransitionTime = before?.status === verdict.status ? (before.lastTransitionTime ?? now) : now
    return { ...verdict, lastTransitionTime }
  })
  return [...own, ...old.filter(({ type }) => !verdicts.some((verdict) => verdict.type === type))]
}
