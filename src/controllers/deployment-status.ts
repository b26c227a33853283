import type { Condition, Deployment, ReplicaSet } from '../objects/index.ts'
import { resolveLimits } from './deployment-plan.ts'
import { findCondition, timestamp } from './pod-state.ts'

/** Conditions of Deployments also say when they were last written. */
export type DeploymentCondition = Condition & { lastUpdateTime?: string }
type Status = NonNullable<Deployment['status']>

const defaultDeadlineSeconds = 600
/** Upstream's word for "no deadline". */
const noDeadline = 2_147_483_647

/** What has just happened to the current ReplicaSet. */
export type RolloutNews = 'created' | 'found' | undefined

/** The status of a Deployment with its conditions Available, Progressing and ReplicaFailure; and when to look again. */
export function deploymentStatus(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  news: RolloutNews,
  now: number,
): { status: Status; nextInMs: number | undefined } {
  const counts = countReplicas(deployment, current, old)
  const before = (deployment.status?.conditions ?? []) as DeploymentCondition[]
  const minimum = (deployment.spec.replicas ?? 1) - resolveLimits(deployment).unavailable
  let conditions = set(before, availableCondition((counts.availableReplicas ?? 0) >= minimum), now)
  conditions = progress(deployment, counts, current, conditions, news, now)
  conditions = replicaFailure(conditions, current, old)
  const status: Status = { ...counts, conditions }
  const { collisionCount } = deployment.status ?? {}
  return {
    status: collisionCount === undefined ? status : { ...status, collisionCount },
    nextInMs: deadlineInMs(deployment, conditions, now),
  }
}

function countReplicas(deployment: Deployment, current: ReplicaSet | undefined, old: readonly ReplicaSet[]): Status {
  const all = current === undefined ? old : [...old, current]
  const total = (of: (status: NonNullable<ReplicaSet['status']>) => number | undefined) =>
    all.reduce((count, { status }) => count + ((status && of(status)) ?? 0), 0)
  const availableReplicas = total((status) => status.availableReplicas)
  const wanted = all.reduce((count, { spec }) => count + (spec.replicas ?? 1), 0)
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: total((status) => status.replicas),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: total((status) => status.readyReplicas),
    availableReplicas,
    unavailableReplicas: Math.max(0, wanted - availableReplicas),
  }
}

/** Every replica is of the current template and available, and no old one is left. */
export function isComplete(deployment: Deployment, status: Status): boolean {
  const replicas = deployment.spec.replicas ?? 1
  return (
    status.updatedReplicas === replicas &&
    status.replicas === replicas &&
    status.availableReplicas === replicas &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  )
}

function availableCondition(enough: boolean): DeploymentCondition {
  return enough
    ? {
        type: 'Available',
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      }
    : {
        type: 'Available',
        status: 'False',
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      }
}

function progressing(status: Condition['status'], reason: string, message: string): DeploymentCondition {
  return { type: 'Progressing', status, reason, message }
}

function progress(
  deployment: Deployment,
  counts: Status,
  current: ReplicaSet | undefined,
  before: DeploymentCondition[],
  news: RolloutNews,
  now: number,
): DeploymentCondition[] {
  const seconds = deployment.spec.progressDeadlineSeconds ?? defaultDeadlineSeconds
  if (seconds === noDeadline) return before.filter(({ type }) => type !== 'Progressing')
  let conditions = pausedConditions(deployment, before, now)
  if (deployment.spec.paused) return conditions
  const name =
    current === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${current.metadata.name}"`
  if (news === 'created')
    conditions = set(
      conditions,
      progressing('True', 'NewReplicaSetCreated', `Created new replica set "${current?.metadata.name}"`),
      now,
    )
  else if (news === 'found' && findCondition(conditions, 'Progressing') === undefined)
    conditions = set(
      conditions,
      progressing('True', 'FoundNewReplicaSet', `Found new replica set "${current?.metadata.name}"`),
      now,
    )
  const known = findCondition(conditions, 'Progressing')
  if (known?.reason === 'NewReplicaSetAvailable' && counts.replicas === counts.updatedReplicas) return conditions
  if (isComplete(deployment, counts))
    return set(conditions, progressing('True', 'NewReplicaSetAvailable', `${name} has successfully progressed.`), now)
  if (hasMoved(deployment.status ?? {}, counts))
    return refresh(conditions, progressing('True', 'ReplicaSetUpdated', `${name} is progressing.`), now)
  if (hasTimedOut(known, seconds, now))
    return set(conditions, progressing('False', 'ProgressDeadlineExceeded', `${name} has timed out progressing.`), now)
  return conditions
}

function pausedConditions(deployment: Deployment, before: DeploymentCondition[], now: number): DeploymentCondition[] {
  const known = findCondition(before, 'Progressing')
  // A rollout that has failed stays failed, paused or not.
  if (known?.reason === 'ProgressDeadlineExceeded') return before
  if (deployment.spec.paused && known?.reason !== 'DeploymentPaused')
    return set(before, progressing('Unknown', 'DeploymentPaused', 'Deployment is paused'), now)
  if (!deployment.spec.paused && known?.reason === 'DeploymentPaused')
    return set(before, progressing('Unknown', 'DeploymentResumed', 'Deployment is resumed'), now)
  return before
}

function hasMoved(old: Status, counts: Status): boolean {
  const outdated = (status: Status) => (status.replicas ?? 0) - (status.updatedReplicas ?? 0)
  return (
    (counts.updatedReplicas ?? 0) > (old.updatedReplicas ?? 0) ||
    outdated(counts) < outdated(old) ||
    (counts.readyReplicas ?? 0) > (old.readyReplicas ?? 0) ||
    (counts.availableReplicas ?? 0) > (old.availableReplicas ?? 0)
  )
}

function hasTimedOut(known: DeploymentCondition | undefined, seconds: number, now: number): boolean {
  if (known === undefined || known.reason === 'NewReplicaSetAvailable') return false
  if (known.reason === 'ProgressDeadlineExceeded') return true
  const since = Date.parse(known.lastUpdateTime ?? known.lastTransitionTime ?? '')
  return since + seconds * 1000 < now
}

function deadlineInMs(deployment: Deployment, conditions: DeploymentCondition[], now: number): number | undefined {
  const known = findCondition(conditions, 'Progressing') as DeploymentCondition | undefined
  const seconds = deployment.spec.progressDeadlineSeconds ?? defaultDeadlineSeconds
  if (known === undefined || deployment.spec.paused || seconds === noDeadline) return undefined
  if (known.reason === 'NewReplicaSetAvailable' || known.reason === 'ProgressDeadlineExceeded') return undefined
  // Timestamps are whole seconds, hence one more.
  return Math.max(0, Date.parse(known.lastUpdateTime ?? '') + (seconds + 1) * 1000 - now)
}

function replicaFailure(
  conditions: DeploymentCondition[],
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): DeploymentCondition[] {
  const sources = current === undefined ? old : [current, ...old]
  const failure = sources
    .map(({ status }) => findCondition(status?.conditions, 'ReplicaFailure'))
    .find((found) => found !== undefined)
  const others = conditions.filter(({ type }) => type !== 'ReplicaFailure')
  return failure === undefined ? others : [...others, failure]
}

/** Sets a condition unless it says the same already. */
function set(
  conditions: readonly DeploymentCondition[],
  change: DeploymentCondition,
  now: number,
): DeploymentCondition[] {
  const known = findCondition(conditions, change.type)
  if (known?.status === change.status && known.reason === change.reason) return [...conditions]
  return refresh(conditions, change, now)
}

/** Sets a condition and its time of update, also when it says the same: there was progress again. */
function refresh(
  conditions: readonly DeploymentCondition[],
  change: DeploymentCondition,
  now: number,
): DeploymentCondition[] {
  const known = findCondition(conditions, change.type)
  const time = timestamp(now)
  const lastTransitionTime = known?.status === change.status ? (known.lastTransitionTime ?? time) : time
  const condition = { ...change, lastUpdateTime: time, lastTransitionTime }
  return conditions.some(({ type }) => type === change.type)
    ? conditions.map((one) => (one.type === change.type ? condition : one))
    : [...conditions, condition]
}
