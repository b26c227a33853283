import type { Informer } from '../client/index.ts'
import type { KubeObject } from '../objects/index.ts'

/** The objects of an informer, found by what they name: a node, an owner's uid, a namespace. */
export interface ObjectIndex<T extends KubeObject> {
  /** The objects that name `value`; empty when none does. The array is the caller's own. */
  find(value: string): T[]
  /** Every value that is named. */
  values(): IterableIterator<string>
}

/** Follows an informer. Subscribe before the handlers that ask the index, so that they see it up to date. */
export function openIndex<T extends KubeObject>(
  informer: Informer<T>,
  valuesOf: (object: T) => readonly string[],
): ObjectIndex<T> {
  const byValue = new Map<string, Map<string, T>>()
  informer.onChange((old, current, key) => {
    const before = old === undefined ? [] : valuesOf(old)
    const after = current === undefined ? [] : valuesOf(current)
    for (const value of before) {
      if (after.includes(value)) continue
      const objects = byValue.get(value)
      objects?.delete(key)
      if (objects?.size === 0) byValue.delete(value)
    }
    if (current === undefined) return
    for (const value of after) {
      const objects = byValue.get(value)
      if (objects === undefined) byValue.set(value, new Map([[key, current]]))
      else objects.set(key, current)
    }
  })
  return {
    find: (value) => [...(byValue.get(value)?.values() ?? [])],
    values: () => byValue.keys(),
  }
}
