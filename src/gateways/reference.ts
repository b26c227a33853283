import type { ObjectReference, ReferenceGrant } from './gateway-api.ts'

/** Who refers, as a ReferenceGrant's `from` names it. */
export interface Referrer {
  readonly group: string
  readonly kind: string
  readonly namespace: string
}

/** Whether a reference may be followed: within a namespace always, to another one by a ReferenceGrant there. */
export function isPermitted(
  from: Referrer,
  to: { readonly group: string; readonly kind: string; readonly namespace: string; readonly name: string },
  grants: readonly ReferenceGrant[],
): boolean {
  if (to.namespace === from.namespace) return true
  for (const { metadata, spec } of grants) {
    if (metadata.namespace !== to.namespace) continue
    const froms = (spec?.from ?? []).some(
      ({ group, kind, namespace }) =>
        (group ?? '') === from.group && kind === from.kind && namespace === from.namespace,
    )
    const tos = (spec?.to ?? []).some(
      ({ group, kind, name }) =>
        (group ?? '') === to.group && kind === to.kind && (name === undefined || name === '' || name === to.name),
    )
    if (froms && tos) return true
  }
  return false
}

/** A reference with its defaults: the core group, the referrer's namespace. */
export function completeReference(reference: ObjectReference, kind: string, namespace: string) {
  return {
    group: reference.group ?? '',
    kind: reference.kind ?? kind,
    namespace: reference.namespace ?? namespace,
    name: reference.name,
  }
}
