import { errors, type FieldError, getKind, type KubeObject } from './index.ts'

/** Runs what the API server runs before storing: defaults, strategy, validation; answers the complaints as `field: message`. */
export function judge(kindName: string, object: object, old?: object, subresource?: string): string[] {
  return judged(kindName, object, old, subresource).complaints
}

/** As `judge`, with the object as it would be stored. */
export function judged(
  kindName: string,
  object: object,
  old?: object,
  subresource?: string,
): { object: KubeObject; complaints: string[] } {
  const kind = getKind(kindName)
  const copy = structuredClone(object) as KubeObject
  const before = old as KubeObject | undefined
  copy.metadata ??= { name: '' }
  if (kind.namespaced) copy.metadata.namespace ??= 'default'
  kind.applyDefaults(copy, before)
  kind.prepare(copy, before, subresource)
  const found: readonly FieldError[] = kind.validate(copy, before, subresource)
  return { object: copy, complaints: found.map((error) => errors.renderFieldError(error)) }
}
