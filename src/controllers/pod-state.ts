import type { Condition, Pod } from '../objects/index.ts'

/** The Ready condition says True. */
export function isPodReady(pod: Pod): boolean {
  return findCondition(pod.status?.conditions, 'Ready')?.status === 'True'
}

/** The ms until a ready pod becomes available, 0 when it is, undefined when it is not ready. */
export function availableInMs(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  const ready = findCondition(pod.status?.conditions, 'Ready')
  if (ready?.status !== 'True') return undefined
  if (minReadySeconds === 0) return 0
  const since = Date.parse(ready.lastTransitionTime ?? '')
  return Number.isNaN(since) ? undefined : Math.max(0, since + minReadySeconds * 1000 - now)
}

/** Succeeded or Failed: it will never run again. */
export function hasEnded(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

/** Counts as a replica: neither ended nor being deleted. */
export function isActive(pod: Pod): boolean {
  return !hasEnded(pod) && pod.metadata.deletionTimestamp === undefined
}

/** The condition of that type. */
export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type)
}

/** The conditions with this one set; its transition time moves only when its status does. */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  change: Omit<Condition, 'lastTransitionTime'>,
  now: number,
): Condition[] {
  const old = findCondition(conditions, change.type)
  const lastTransitionTime = old?.status === change.status ? (old.lastTransitionTime ?? timestamp(now)) : timestamp(now)
  return [...(conditions ?? []).filter(({ type }) => type !== change.type), { ...change, lastTransitionTime }]
}

/** The conditions without that type. */
export function withoutCondition(conditions: readonly Condition[] | undefined, type: string): Condition[] {
  return (conditions ?? []).filter((condition) => condition.type !== type)
}

/** `2024-01-02T03:04:05Z`, as Kubernetes writes times. */
export function timestamp(now: number): string {
  return new Date(now).toISOString().replace(/\.\d+Z$/, 'Z')
}
