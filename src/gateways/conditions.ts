import type { Condition } from '../objects/index.ts'

/** New conditions with the times of those they repeat; a condition's time is that of its last change of status. */
export function keepTimes(old: readonly Condition[] | undefined, next: readonly Condition[], now: string): Condition[] {
  return next.map((condition) => {
    const before = old?.find(({ type, status }) => type === condition.type && status === condition.status)
    return { ...condition, lastTransitionTime: before?.lastTransitionTime ?? now }
  })
}
