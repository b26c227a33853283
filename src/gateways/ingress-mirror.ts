import type { AnnotationReader } from './annotation-reader.ts'
import type { Ingress } from './ingress.ts'
import { notPermitted, type Referred, readServiceUrl, type ServiceUrl } from './ingress-auth.ts'

/** The Service that gets a copy of every request; one that cannot be is told, and requests are served all the same. */
export function readMirror(
  read: AnnotationReader,
  { metadata: { namespace = '' } }: Ingress,
  { grants }: Referred,
): ServiceUrl | undefined {
  const text = read.text('mirror-target')
  if (text === undefined) return undefined
  const at = readServiceUrl(text.replace(/\/?\$request_uri$/, '/'), namespace)
  if (at === undefined || at.path !== '/') {
    const says = `"${text.slice(0, 120)}" is no Service that is asked for the same path`
    const remedy = 'write http://SERVICE.NAMESPACE.svc.cluster.local:PORT$request_uri'
    read.refuse('mirror-target', says, remedy, 'AnnotationIgnored')
    return undefined
  }
  return notPermitted(read, 'mirror-target', at, namespace, grants) === undefined ? at : undefined
}
