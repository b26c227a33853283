import { isCustom } from '../customresources/index.ts'
import { apiVersionOf, type Kind, type KubeObject } from '../objects/index.ts'
import { decodeObject } from './decode.ts'
import { Entry } from './entry.ts'
import type { Scope } from './scope.ts'

// Kept as long as the state that they show.
const views = new WeakMap<Entry, Map<string, Entry>>()

/** A stored state in the version of the kind that it is asked for; of custom kinds only the apiVersion differs (conversion strategy None). */
export function entryAs(kind: Kind, entry: Entry): Entry {
  if (!isCustom(kind) && kind.stored === undefined) return entry
  const apiVersion = apiVersionOf(kind)
  if (entry.value.apiVersion === apiVersion) return entry
  let known = views.get(entry)
  if (known === undefined) {
    known = new Map()
    views.set(entry, known)
  }
  let view = known.get(apiVersion)
  if (view === undefined) {
    const value = kind.stored?.fromStored(entry.value) ?? { ...entry.value, apiVersion }
    const { collection, key, revision, created } = entry
    view = new Entry(collection, key, revision, created, Buffer.from(JSON.stringify(value)), value)
    known.set(apiVersion, view)
  }
  return view
}

/** Gives the object the version in which its definition stores all objects. */
export function toStorage(kind: Kind, object: KubeObject): void {
  if (isCustom(kind)) object.apiVersion = apiVersionOf({ group: kind.group, version: kind.custom.storageVersion })
}

/** The scope as which a write goes on once its object has the version that is stored. */
export function storedScope(scope: Scope): Scope {
  return scope.kind.stored === undefined ? scope : { ...scope, kind: scope.kind.stored.kind }
}

/**
 * An object of a built-in kind in the version that is stored; throws a Refusal when a field that it carries as text does not fit
 * that version.
 */
export function asStored<T extends KubeObject>(kind: Kind, object: T): T {
  if (kind.stored === undefined) return object
  return decodeObject(kind.stored.kind, kind.stored.toStored(object), 'Ignore', () => undefined) as T
}
