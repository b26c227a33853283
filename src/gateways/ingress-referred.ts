import type { ObjectKey } from '../cluster/index.ts'
import type { KubeObject } from '../objects/index.ts'
import type { AnnotationReader } from './annotation-reader.ts'
import { isPermitted } from './reference.ts'
import type { Lookup, Sources } from './sources.ts'

/** What annotations may refer to. */
export type Referred = Pick<Sources, 'secrets' | 'configMaps'> & {
  readonly grants: Sources['gatewayApi']['grants']
  /** Only what annotations say matters, and not what is in Secrets. */
  readonly isUnread?: true
}

/** `NAMESPACE/NAME`, or a name in the Ingress's own namespace. */
export function referredKey(text: string, ownNamespace: string): ObjectKey {
  const name = text.trim()
  return name.includes('/') ? name : `${ownNamespace}/${name}`
}

/** The object that an annotation of an Ingress names. Tells, and answers why, it cannot be had; `remedy` is how one is made. */
export function findReferred<T extends KubeObject>(
  read: AnnotationReader,
  annotation: string,
  kind: 'Secret' | 'ConfigMap',
  all: Lookup<T>,
  { key, namespace, grants, remedy }: { key: ObjectKey; namespace: string; grants: Referred['grants']; remedy: string },
): { readonly object: T } | { readonly blocked: string } {
  const block = (says: string, remedy: string, code: string) => {
    read.refuse(annotation, says, remedy, code)
    return { blocked: says }
  }
  const [of = '', name = ''] = key.split('/')
  const from = { group: 'networking.k8s.io', kind: 'Ingress', namespace }
  if (!isPermitted(from, { group: '', kind, namespace: of, name }, grants)) {
    const says = `no ReferenceGrant in ${of} lets Ingresses of ${namespace} use ${kind.toLowerCase()}/${key}`
    return block(says, `make one, or name a ${kind} of ${namespace}`, 'AnnotationNotServed')
  }
  const object = all.get(key)
  return object === undefined ? block(`there is no ${kind} ${key}`, remedy, `${kind}Missing`) : { object }
}
