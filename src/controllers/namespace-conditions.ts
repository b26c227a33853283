import type { Resource } from '../client/index.ts'
import type { Condition } from '../objects/index.ts'
import { withCondition } from './pod-state.ts'

/** What is left of one kind in a namespace that is being deleted. */
export interface Remains {
  readonly resource: Resource
  readonly count: number
  readonly finalizers: readonly string[]
}

/** The conditions by which `kubectl describe namespace` tells why a namespace does not go, in upstream's words. */
export function namespaceConditions(
  old: readonly Condition[] | undefined,
  remains: readonly Remains[],
  now: number,
): Condition[] {
  const kinds = remains
    .map(({ resource, count }) => `${qualified(resource)} has ${count} resource instances`)
    .sort()
    .join(', ')
  const perFinalizer = new Map<string, number>()
  for (const finalizer of remains.flatMap(({ finalizers }) => finalizers))
    perFinalizer.set(finalizer, (perFinalizer.get(finalizer) ?? 0) + 1)
  const finalizers = [...perFinalizer]
    .map(([finalizer, count]) => `${finalizer} in ${count} resource instances`)
    .sort()
    .join(', ')
  const conditions: Condition[] = [
    remains.length === 0
      ? condition('NamespaceContentRemaining', 'False', 'ContentRemoved', 'All content successfully removed')
      : condition('NamespaceContentRemaining', 'True', 'SomeResourcesRemain', `Some resources are remaining: ${kinds}`),
    perFinalizer.size === 0
      ? condition(
          'NamespaceFinalizersRemaining',
          'False',
          'ContentHasNoFinalizers',
          'All content-preserving finalizers finished',
        )
      : condition(
          'NamespaceFinalizersRemaining',
          'True',
          'SomeFinalizersRemain',
          `Some content in the namespace has finalizers remaining: ${finalizers}`,
        ),
  ]
  return conditions.reduce<Condition[]>((all, one) => withCondition(all, one, now), [...(old ?? [])])
}

function condition(type: string, status: 'True' | 'False', reason: string, message: string): Condition {
  return { type, status, reason, message }
}

function qualified({ plural, group }: Resource): string {
  return group === '' ? `${plural}.` : `${plural}.${group}`
}
