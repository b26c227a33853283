import type { KubeObject } from '../objects/index.ts'

/** `namespace/name`, or `name` for cluster-scoped objects. */
export type ObjectKey = string

/** The key of an object within its kind. */
export function keyOf(object: KubeObject): ObjectKey {
  const { namespace, name } = object.metadata
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`
}

/** The namespace and the name that a key joins; the namespace is empty for cluster-scoped objects. */
export function splitKey(key: ObjectKey): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/')
  return slash < 0 ? { namespace: '', name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}
