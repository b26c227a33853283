import { Authorizer, celValue, type Decide } from '../cel/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { type Attributes, requestOf } from './attributes.ts'

/** The variables that expressions of admission see: `object`, `oldObject`, `request` and `authorizer`; what there is not is null. */
export function variablesOf(attributes: Attributes, decide: Decide): Readonly<Record<string, unknown>> {
  const { target, object, oldObject, name, namespace } = attributes
  const { group, resource, subresource } = target
  const words = { group, resource, subresource, namespace: target.namespaced ? namespace : '', name }
  return {
    object: objectValue(object),
    oldObject: objectValue(oldObject),
    request: celValue(requestOf(attributes)),
    authorizer: new Authorizer(decide, words),
  }
}

/** An object as a value of expressions; null for none. */
export function objectValue(object: KubeObject | undefined): unknown {
  return object === undefined ? null : celValue(object)
}
