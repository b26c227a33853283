import { keyOf } from '../cluster/index.ts'
import type { KubeObject } from '../objects/index.ts'
import type { ObjectKey } from './contract.ts'

/** What is told about one change: added, changed or removed. */
export type ChangeCallback<T> = (old: T | undefined, current: T | undefined, key: ObjectKey) => void

/** The cache of one kind: takes lists and events, and tells each difference once. */
export interface Store<T extends KubeObject> {
  readonly objects: ReadonlyMap<ObjectKey, T>
  set(object: T): void
  remove(object: T): void
  /** Takes a whole list as the truth; what is not in it is gone. */
  replace(items: readonly T[]): void
}

/** An empty store that tells `onChange`. */
export function openStore<T extends KubeObject>(onChange: ChangeCallback<T>): Store<T> {
  const objects = new Map<ObjectKey, T>()
  const remove = (key: ObjectKey, old: T) => {
    objects.delete(key)
    onChange(old, undefined, key)
  }
  const set = (incoming: T) => {
    const key = keyOf(incoming)
    const old = objects.get(key)
    if (old !== undefined && old.metadata.uid === incoming.metadata.uid) {
      if (old.metadata.resourceVersion === incoming.metadata.resourceVersion) return
      const current = slim(incoming)
      objects.set(key, current)
      onChange(old, current, key)
      return
    }
    // Another object under the same name: whoever follows uids must see the end of the first.
    if (old !== undefined) remove(key, old)
    const current = slim(incoming)
    objects.set(key, current)
    onChange(undefined, current, key)
  }
  return {
    objects,
    set,
    remove(object) {
      const key = keyOf(object)
      const old = objects.get(key)
      if (old !== undefined) remove(key, old)
    },
    replace(items) {
      const listed = new Set(items.map(keyOf))
      for (const [key, old] of [...objects]) if (!listed.has(key)) remove(key, old)
      for (const item of items) set(item)
    },
  }
}

/** Without managedFields, which nobody here reads and which are often half of an object. */
function slim<T extends KubeObject>(object: T): T {
  if (object.metadata.managedFields === undefined) return object
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
