import { apiVersionOf, type KubeObject } from '../objects/index.ts'
import { compare } from './compare.ts'
import { difference, type FieldSet } from './field-set.ts'
import type { FieldType } from './field-type.ts'
import { fieldsOf } from './fields-of.ts'
import { bare, type OwnedKind } from './update.ts'
import { isRecord } from './value.ts'

const annotation = 'kubectl.kubernetes.io/last-applied-configuration'

/** The fields that client-side apply wrote and that still have its values; undefined when it never wrote this object. */
export function allowedByLastApplied(type: FieldType, kind: OwnedKind, live: KubeObject): FieldSet | undefined {
  const text = live.metadata.annotations?.[annotation]
  if (!text) return undefined
  let last: unknown
  try {
    last = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(last) || last.apiVersion !== apiVersionOf(kind)) return undefined
  const { added, modified, removed } = compare(type, last, bare(live))
  return [added, modified, removed].reduce((rest, set) => difference(rest, set), fieldsOf(type, last))
}

/** The object with the annotation of client-side apply brought up to date, when it has one: kubectl may go back. */
export function withLastApplied(object: KubeObject, applied: KubeObject): KubeObject {
  const { annotations } = object.metadata
  if (!annotations?.[annotation]) return object
  const { [annotation]: _, ...others } = applied.metadata.annotations ?? {}
  const metadata = {
    ...applied.metadata,
    ...(applied.metadata.annotations === undefined ? {} : { annotations: others }),
  }
  const text = `${JSON.stringify(sorted({ ...applied, metadata }))}\n`
  return { ...object, metadata: { ...object.metadata, annotations: { ...annotations, [annotation]: text } } }
}

/** Go writes the keys of maps in order; kubectl compares this text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isRecord(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  )
}
