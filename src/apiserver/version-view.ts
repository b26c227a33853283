import { isCustom } from '../customresources/index.ts'
import { apiVersionOf, type Kind, type KubeObject } from '../objects/index.ts'
import { Entry } from './entry.ts'

// Kept as long as the state that they show.
const views = new WeakMap<Entry, Map<string, Entry>>()

/** A stored state in the version of the kind that it is asked for; only the apiVersion differs (conversion strategy None). */
export function entryAs(kind: Kind, entry: Entry): Entry {
  if (!isCustom(kind)) return entry
  const apiVersion = apiVersionOf(kind)
  if (entry.value.apiVersion === apiVersion) return entry
  let known = views.get(entry)
  if (known === undefined) {
    known = new Map()
    views.set(entry, known)
  }
  let view = known.get(apiVersion)
  if (view === undefined) {
    const value = { ...entry.value, apiVersion }
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
