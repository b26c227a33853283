import type { AnnotationReader } from './annotation-reader.ts'
import type { Ingress } from './ingress.ts'
import { findReferred, type Referred, referredKey } from './ingress-referred.ts'
import type { Filter } from './model.ts'

/** RFC 9110, 5.1; those that say how a message is framed are the gateway's own. */
const headerName = /^[\w!#$%&'*+.^`|~-]{1,256}$/
const framing = /^(connection|content-length|keep-alive|te|trailer|transfer-encoding|upgrade)$/i
const headerValue = /^[\x20-\x7e]{0,4096}$/

/** Headers of answers, as the ConfigMap of `custom-headers` has them; who cannot be given them gets none of the answers, as at ingress-nginx. */
export function readCustomHeaders(
  read: AnnotationReader,
  { metadata: { namespace = '' } }: Ingress,
  referred: Referred,
): { readonly filter?: Filter; readonly blocked?: string } {
  const { set = [], blocked } = readHeaders(read, 'custom-headers', namespace, referred)
  if (blocked !== undefined) return { blocked }
  return set.length === 0 ? {} : { filter: { kind: 'response-headers', change: { set, add: [], remove: [] } } }
}

/** Names and values of the ConfigMap that an annotation names; none without it. */
export function readHeaders(
  read: AnnotationReader,
  annotation: string,
  namespace: string,
  { configMaps, grants }: Pick<Referred, 'configMaps' | 'grants'>,
): { readonly set?: readonly (readonly [name: string, value: string])[]; readonly blocked?: string } {
  const named = read.text(annotation)
  if (named === undefined) return {}
  const block = (says: string, remedy: string, code: string) => {
    read.refuse(annotation, says, remedy, code)
    return { blocked: says }
  }
  const key = referredKey(named, namespace)
  const remedy = 'create it with a key for each header'
  const referred = findReferred(read, annotation, 'ConfigMap', configMaps, { key, namespace, grants, remedy })
  if ('blocked' in referred) return referred
  const found = referred.object
  const set = Object.entries(found.data ?? {})
  const wrong = set.find(
    ([header, value]) => !headerName.test(header) || framing.test(header) || !headerValue.test(value),
  )
  if (wrong !== undefined)
    return block(
      `header "${wrong[0].slice(0, 80)}" of configmap/${key} cannot be set`,
      'name headers that do not frame messages, with one line of ASCII each',
      'ConfigMapInvalid',
    )
  return { set }
}
