import type { Informer } from '../client/index.ts'
import { keyOf, matches } from '../cluster/index.ts'
import type { KubeObject, LabelSelector, Pod } from '../objects/index.ts'
import type { Context } from './context.ts'
import type { Expectations } from './expectations.ts'
import { type ObjectIndex, openIndex } from './object-index.ts'
import { findController } from './owner.ts'

/** The index value of objects of a namespace that nobody controls. */
const orphans = (namespace: string | undefined) => `orphans of ${namespace ?? ''}`

/** Dependents by the uid of their controller, and orphans by namespace. One per kind of dependents, shared by controllers. */
export function openDependents<T extends KubeObject>(informer: Informer<T>): ObjectIndex<T> {
  return openIndex(informer, (object) => [findController(object)?.uid ?? orphans(object.metadata.namespace)])
}

/** What `owner` may own: what it controls, and orphans of its namespace that its selector selects. */
export function candidatesFor<T extends KubeObject>(
  dependents: ObjectIndex<T>,
  owner: KubeObject,
  selector: LabelSelector | undefined,
): T[] {
  const free = dependents.find(orphans(owner.metadata.namespace))
  return [
    ...dependents.find(owner.metadata.uid ?? ''),
    ...free.filter((object) => matches(selector, object.metadata.labels)),
  ]
}

/**
 * Wakes the owners of a dependent when it changes: its controller, the one it had before, and for an orphan every owner
 * whose selector selects it. Settles the owner's expectations on the way.
 */
export function followDependents<T extends KubeObject, O extends KubeObject & { spec: { selector?: LabelSelector } }>(
  context: Context,
  wiring: {
    readonly dependents: Informer<T>
    readonly owners: Informer<O>
    readonly ownerKind: string
    readonly expectations?: Expectations
    readonly wake: (key: string, dependent: T | undefined) => void
  },
): void {
  const { dependents, owners, ownerKind, expectations, wake } = wiring
  const ownerKey = (object: T | undefined): string | undefined => {
    const controller = object === undefined ? undefined : findController(object)
    if (object === undefined || controller === undefined || controller.kind !== ownerKind) return undefined
    const key = `${object.metadata.namespace}/${controller.name}`
    return owners.get(key)?.metadata.uid === controller.uid ? key : undefined
  }
  const stop = dependents.onChange((old, current) => {
    const before = ownerKey(old)
    const after = ownerKey(current)
    if (old === undefined && after !== undefined) expectations?.creationSeen(after)
    if (old !== undefined && before !== undefined && (current === undefined || isLeaving(current)))
      expectations?.deletionSeen(before, old.metadata.uid ?? '')
    if (before !== undefined) wake(before, current)
    if (after !== undefined && after !== before) wake(after, current)
    if (current === undefined || findController(current) !== undefined) return
    for (const owner of owners.values())
      if (
        owner.metadata.namespace === current.metadata.namespace &&
        matches(owner.spec.selector, current.metadata.labels)
      )
        wake(keyOf(owner), current)
  })
  context.onClose(stop)
}

function isLeaving(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined
}

/** The dependents of pods are found through this one index by every workload controller. */
const podIndexes = new WeakMap<Informer<Pod>, ObjectIndex<Pod>>()

/** The index of pods by controller, made once per informer. */
export function podsByController(informer: Informer<Pod>): ObjectIndex<Pod> {
  const known = podIndexes.get(informer) ?? openDependents(informer)
  podIndexes.set(informer, known)
  return known
}
