import { type Deployment, Deployments, type ReplicaSet } from '../objects/index.ts'
import { controllerReference } from './owner.ts'
import { hashOf, podTemplateHashLabel, sameTemplate } from './template-hash.ts'

const prefix = 'deployment.kubernetes.io/'
/** Counts the templates that a Deployment has had; `kubectl rollout history` reads it. */
export const revisionAnnotation = `${prefix}revision`
export const revisionHistoryAnnotation = `${prefix}revision-history`
const desiredAnnotation = `${prefix}desired-replicas`
const maxAnnotation = `${prefix}max-replicas`

/** Annotations of a Deployment that its ReplicaSets do not get. */
const notCopied = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredAnnotation,
  maxAnnotation,
  'deprecated.deployment.rollback.to',
])

/** A ReplicaSet that should have another size. */
export interface Resize {
  readonly replicaSet: ReplicaSet
  readonly replicas: number
}

export const sizeOf = (replicaSet: ReplicaSet): number => replicaSet.spec.replicas ?? 1
const availableOf = (replicaSet: ReplicaSet): number => replicaSet.status?.availableReplicas ?? 0
const sum = (replicaSets: readonly ReplicaSet[], of: (replicaSet: ReplicaSet) => number) =>
  replicaSets.reduce((total, replicaSet) => total + of(replicaSet), 0)
const byAge = (a: ReplicaSet, b: ReplicaSet) =>
  Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? '') ||
  (a.metadata.name < b.metadata.name ? -1 : 1)

/** The ReplicaSet of the current template, the oldest of several; and all the others. */
export function splitReplicaSets(
  deployment: Deployment,
  owned: readonly ReplicaSet[],
): { readonly current: ReplicaSet | undefined; readonly old: readonly ReplicaSet[] } {
  const sorted = owned.toSorted(byAge)
  const current = sorted.find(({ spec }) => sameTemplate(spec.template, deployment.spec.template))
  return { current, old: sorted.filter((one) => one !== current) }
}

/** maxSurge rounded up and maxUnavailable rounded down; both 0 would stand still, so one may be unavailable then. */
export function resolveLimits(deployment: Deployment): { readonly surge: number; readonly unavailable: number } {
  if (deployment.spec.strategy?.type === 'Recreate') return { surge: 0, unavailable: 0 }
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec.strategy?.rollingUpdate ?? {}
  const replicas = deployment.spec.replicas ?? 1
  const surge = scaleValue(maxSurge, replicas, Math.ceil)
  const unavailable = scaleValue(maxUnavailable, replicas, Math.floor)
  if (surge === 0 && unavailable === 0) return { surge, unavailable: 1 }
  return { surge, unavailable: Math.min(unavailable, replicas) }
}

/** An IntOrString as a number of `total`; anything that is neither counts as 0. */
export function scaleValue(value: number | string, total: number, round: (value: number) => number): number {
  if (typeof value === 'number') return value
  const percent = /^(\d+)%$/.exec(value)?.[1]
  if (percent !== undefined) return round((Number(percent) * total) / 100)
  return Number.isInteger(Number(value)) && value !== '' ? Number(value) : 0
}

/** The size that the current ReplicaSet may have right now. */
export function currentSize(deployment: Deployment, all: readonly ReplicaSet[], current: ReplicaSet): number {
  const replicas = deployment.spec.replicas ?? 1
  if (deployment.spec.strategy?.type === 'Recreate') return replicas
  const total = sum(all, sizeOf)
  const limit = replicas + resolveLimits(deployment).surge
  if (total >= limit) return sizeOf(current)
  return sizeOf(current) + Math.min(limit - total, replicas - sizeOf(current))
}

/** How the old ReplicaSets of a rolling update shrink now: unhealthy pods first, then what availability allows. */
export function shrinkOld(deployment: Deployment, old: readonly ReplicaSet[], current: ReplicaSet): Resize[] {
  const replicas = deployment.spec.replicas ?? 1
  const all = [...old, current]
  if (sum(old, sizeOf) === 0) return []
  const { unavailable } = resolveLimits(deployment)
  const minAvailable = replicas - unavailable
  // A new ReplicaSet whose pods never become available must not let the healthy old ones go.
  const newUnavailable = sizeOf(current) - availableOf(current)
  const budget = sum(all, sizeOf) - minAvailable - newUnavailable
  if (budget <= 0) return []
  const sizes = new Map(old.map((replicaSet) => [replicaSet, sizeOf(replicaSet)]))
  const sorted = old.toSorted(byAge)
  let left = budget
  for (const replicaSet of sorted) {
    const unhealthy = Math.max(0, (sizes.get(replicaSet) ?? 0) - availableOf(replicaSet))
    const gone = Math.min(left, unhealthy)
    left -= gone
    sizes.set(replicaSet, (sizes.get(replicaSet) ?? 0) - gone)
  }
  // What was unhealthy did not count as available, so it does not count against this budget.
  let spare = sum(all, availableOf) - minAvailable
  for (const replicaSet of sorted) {
    const size = sizes.get(replicaSet) ?? 0
    const gone = Math.min(Math.max(0, spare), size)
    spare -= gone
    sizes.set(replicaSet, size - gone)
  }
  return [...sizes].flatMap(([replicaSet, size]) =>
    size === sizeOf(replicaSet) ? [] : [{ replicaSet, replicas: size }],
  )
}

/** Whether the Deployment was scaled since its ReplicaSets were sized: their annotation holds the size that was aimed at. */
export function isScaling(deployment: Deployment, active: readonly ReplicaSet[]): boolean {
  return active.some((replicaSet) => {
    const desired = replicaSet.metadata.annotations?.[desiredAnnotation]
    return desired !== undefined && Number(desired) !== (deployment.spec.replicas ?? 1)
  })
}

/** Spreads a change of size over the ReplicaSets of an unfinished rollout in proportion to what they have. */
export function scaleProportionally(deployment: Deployment, all: readonly ReplicaSet[]): Resize[] {
  const replicas = deployment.spec.replicas ?? 1
  const active = all.filter((replicaSet) => sizeOf(replicaSet) > 0)
  const total = sum(active, sizeOf)
  const allowed = replicas > 0 ? replicas + resolveLimits(deployment).surge : 0
  const toAdd = allowed - total
  // Growing favours the newest of equals, shrinking the oldest.
  const sorted = active.toSorted((a, b) => sizeOf(b) - sizeOf(a) || (toAdd > 0 ? byAge(b, a) : byAge(a, b)))
  const sizes = new Map<ReplicaSet, number>()
  let added = 0
  for (const replicaSet of sorted) {
    const share = toAdd === 0 ? 0 : proportion(replicaSet, deployment, allowed, toAdd, added)
    added += share
    sizes.set(replicaSet, Math.max(0, sizeOf(replicaSet) + share))
  }
  const [largest] = sorted
  if (largest !== undefined && toAdd !== 0) sizes.set(largest, Math.max(0, (sizes.get(largest) ?? 0) + toAdd - added))
  return [...sizes].map(([replicaSet, size]) => ({ replicaSet, replicas: size }))
}

function proportion(
  replicaSet: ReplicaSet,
  deployment: Deployment,
  allowed: number,
  toAdd: number,
  added: number,
): number {
  const size = sizeOf(replicaSet)
  if (size === 0) return 0
  const before = Number(replicaSet.metadata.annotations?.[maxAnnotation]) || deployment.status?.replicas || allowed
  const fraction = Math.round((size * allowed) / before) - size
  const left = toAdd - added
  return toAdd > 0 ? Math.min(fraction, left) : Math.max(fraction, left)
}

/** What a ReplicaSet of this Deployment carries as annotations. The revision is the caller's. */
export function replicaSetAnnotations(
  deployment: Deployment,
  existing: Readonly<Record<string, string>>,
  revision: number | undefined,
): Record<string, string> {
  const copied = Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !notCopied.has(key))
  const annotations = { ...existing, ...Object.fromEntries(copied), ...sizeAnnotations(deployment) }
  if (revision === undefined) return annotations
  const old = existing[revisionAnnotation]
  if (old !== undefined && Number(old) < revision) {
    const history = existing[revisionHistoryAnnotation]
    annotations[revisionHistoryAnnotation] = history === undefined || history === '' ? old : `${history},${old}`
  }
  annotations[revisionAnnotation] = String(revision)
  return annotations
}

/** The size that is aimed at and the most that a rollout may have: what scaling in proportion counts from. */
export function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const replicas = deployment.spec.replicas ?? 1
  return {
    [desiredAnnotation]: String(replicas),
    [maxAnnotation]: String(replicas + resolveLimits(deployment).surge),
  }
}

/** One more than the highest revision among these. */
export function nextRevision(old: readonly ReplicaSet[]): number {
  return Math.max(0, ...old.map((one) => Number(one.metadata.annotations?.[revisionAnnotation]) || 0)) + 1
}

/** Old ReplicaSets that the history has no more room for: empty, settled ones, lowest revision first. */
export function expiredHistory(deployment: Deployment, old: readonly ReplicaSet[]): ReplicaSet[] {
  const limit = deployment.spec.revisionHistoryLimit ?? 10
  const revision = (one: ReplicaSet) => Number(one.metadata.annotations?.[revisionAnnotation]) || 0
  const excess = old.length - limit
  if (excess <= 0) return []
  return old
    .toSorted((a, b) => revision(a) - revision(b) || byAge(a, b))
    .slice(0, excess)
    .filter(
      (one) =>
        sizeOf(one) === 0 &&
        (one.status?.replicas ?? 0) === 0 &&
        (one.status?.observedGeneration ?? 0) >= (one.metadata.generation ?? 0) &&
        one.metadata.deletionTimestamp === undefined,
    )
}

/** The ReplicaSet of the current template, at the size that it may have at once. */
export function newReplicaSet(deployment: Deployment, old: readonly ReplicaSet[]): ReplicaSet {
  const { spec, metadata, status } = deployment
  const hash = hashOf(spec.template, status?.collisionCount ?? 0)
  const labels = { ...spec.template.metadata?.labels, [podTemplateHashLabel]: hash }
  const replicaSet: ReplicaSet = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${metadata.name}-${hash}`,
      ...(metadata.namespace && { namespace: metadata.namespace }),
      labels,
      annotations: replicaSetAnnotations(deployment, {}, nextRevision(old)),
      ownerReferences: [controllerReference(Deployments, deployment)],
    },
    spec: {
      replicas: 0,
      ...(spec.minReadySeconds !== undefined && { minReadySeconds: spec.minReadySeconds }),
      selector: {
        ...spec.selector,
        matchLabels: { ...spec.selector.matchLabels, [podTemplateHashLabel]: hash },
      },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  }
  const replicas = currentSize(deployment, [...old, replicaSet], replicaSet)
  return { ...replicaSet, spec: { ...replicaSet.spec, replicas } }
}
