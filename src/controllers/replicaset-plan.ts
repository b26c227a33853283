import { matches } from '../cluster/index.ts'
import type { Condition, Pod, ReplicaSet } from '../objects/index.ts'
import { availableInMs, findCondition, isActive, isPodReady, withCondition, withoutCondition } from './pod-state.ts'

/** At most so many pods are made or removed in one go (upstream's BurstReplicas). */
export const burstReplicas = 500

/** What a ReplicaSet lacks. */
export type ReplicaPlan =
  | { readonly kind: 'none' }
  | { readonly kind: 'create'; readonly count: number }
  | { readonly kind: 'delete'; readonly pods: readonly Pod[] }

/** How many pods to make, or which to remove. `related` are the pods of sibling ReplicaSets, for spreading the removal. */
export function planReplicas(
  replicas: number,
  owned: readonly Pod[],
  related: readonly Pod[],
  now: number,
): ReplicaPlan {
  const active = owned.filter(isActive)
  const missing = replicas - active.length
  if (missing > 0) return { kind: 'create', count: Math.min(missing, burstReplicas) }
  if (missing === 0) return { kind: 'none' }
  const count = Math.min(-missing, burstReplicas)
  return { kind: 'delete', pods: rankForDeletion(active, related, now).slice(0, count) }
}

/** Pods in the order in which they are given up (upstream's ActivePodsWithRanks): the least useful first. */
export function rankForDeletion(pods: readonly Pod[], related: readonly Pod[], now: number): Pod[] {
  const perNode = new Map<string, number>()
  for (const { spec } of related.filter(isActive))
    if (spec.nodeName) perNode.set(spec.nodeName, (perNode.get(spec.nodeName) ?? 0) + 1)
  const phases = { Pending: 0, Unknown: 1, Running: 2, Succeeded: 3, Failed: 3 }
  const keys = (pod: Pod): number[] => [
    pod.spec.nodeName ? 1 : 0,
    phases[pod.status?.phase ?? 'Pending'],
    isPodReady(pod) ? 1 : 0,
    Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0) || 0,
    // Crowded nodes give first.
    -(perNode.get(pod.spec.nodeName ?? '') ?? 0),
    // Younger ones first, by order of magnitude only: rollouts that were seconds apart must not always hit one node (KEP-2185).
    isPodReady(pod) ? ageMagnitude(findCondition(pod.status?.conditions, 'Ready')?.lastTransitionTime, now) : 0,
    -restarts(pod),
    ageMagnitude(pod.metadata.creationTimestamp, now),
  ]
  const ranked = pods.map((pod) => ({ pod, key: keys(pod) }))
  ranked.sort((a, b) => compareKeys(a.key, b.key) || ((a.pod.metadata.uid ?? '') < (b.pod.metadata.uid ?? '') ? -1 : 1))
  return ranked.map(({ pod }) => pod)
}

function compareKeys(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return (a[i] ?? 0) - (b[i] ?? 0)
  return 0
}

function ageMagnitude(time: string | undefined, now: number): number {
  const seconds = (now - Date.parse(time ?? '')) / 1000
  return Number.isNaN(seconds) || seconds < 1 ? 0 : Math.floor(Math.log2(seconds)) + 1
}

function restarts(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map(({ restartCount }) => restartCount ?? 0))
}

/** The status of a ReplicaSet, and when a ready pod becomes available next. `failure` is the last refusal to make or remove pods. */
export function replicaSetStatus(
  replicaSet: ReplicaSet,
  owned: readonly Pod[],
  failure: { readonly reason: 'FailedCreate' | 'FailedDelete'; readonly message: string } | undefined,
  now: number,
): { status: NonNullable<ReplicaSet['status']>; nextInMs: number | undefined } {
  const active = owned.filter(isActive)
  const waits = active.map((pod) => availableInMs(pod, replicaSet.spec.minReadySeconds ?? 0, now))
  const labels = replicaSet.spec.template?.metadata?.labels ?? {}
  const conditions = failureConditions(replicaSet.status?.conditions, failure, now)
  const later = waits.filter((wait) => wait !== undefined && wait > 0) as number[]
  return {
    status: {
      replicas: active.length,
      fullyLabeledReplicas: active.filter((pod) => matches(labels, pod.metadata.labels)).length,
      readyReplicas: active.filter(isPodReady).length,
      availableReplicas: waits.filter((wait) => wait === 0).length,
      ...(replicaSet.metadata.generation !== undefined && { observedGeneration: replicaSet.metadata.generation }),
      ...(conditions.length > 0 && { conditions }),
    },
    nextInMs: later.length === 0 ? undefined : Math.min(...later),
  }
}

function failureConditions(
  old: readonly Condition[] | undefined,
  failure: { readonly reason: string; readonly message: string } | undefined,
  now: number,
): Condition[] {
  if (failure === undefined) return withoutCondition(old, 'ReplicaFailure')
  return withCondition(old, { type: 'ReplicaFailure', status: 'True', ...failure }, now)
}
