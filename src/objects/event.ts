import type { FieldError } from './contract.ts'
import { invalid } from './field-error.ts'
import type { KubeEvent } from './types.ts'

/** Upstream's `legacyValidateEvent`: an event lies in its object's namespace; those about cluster-scoped objects in `default` or `kube-system`. */
export function validateEvent({ metadata, involvedObject }: KubeEvent): FieldError[] {
  const namespace = involvedObject?.namespace ?? ''
  const home = metadata.namespace ?? ''
  const matches = namespace === '' ? home === 'default' || home === 'kube-system' : namespace === home
  return matches ? [] : [invalid('involvedObject.namespace', namespace, 'does not match event.namespace')]
}
