import type { FieldError } from './contract.ts'
import { forbidden, required } from './field-error.ts'
import type { KubeObject } from './types.ts'

/** Which names a kind takes. */
export type NameRule = 'subdomain' | 'label' | 'dns1035' | 'segment'

/** Upstream's `ValidateObjectMeta`. */
export function validateMetadata(
  object: KubeObject,
  _old: KubeObject | undefined,
  namespaced: boolean,
  _rule: NameRule,
): FieldError[] {
  const errors: FieldError[] = []
  if (!object.metadata.name) errors.push(required('metadata.name', 'name or generateName is required'))
  if (namespaced && !object.metadata.namespace) errors.push(required('metadata.namespace'))
  if (!namespaced && object.metadata.namespace) errors.push(forbidden('metadata.namespace', 'not allowed on this type'))
  return errors
}
