import type { AnnotationReader } from './annotation-reader.ts'
import type { Ingress } from './ingress.ts'
import { notPermitted, readServiceUrl, type ServiceUrl } from './ingress-auth.ts'
import type { Referred } from './ingress-referred.ts'

/** A Service that gets copies. */
export interface Mirror {
  readonly at: ServiceUrl
  readonly host?: string
  readonly isBodiless?: true
}

/** The Service that gets a copy of every request; one that cannot be is told, and requests are served all the same. */
export function readMirror(
  read: AnnotationReader,
  { metadata: { namespace = '' } }: Ingress,
  { grants }: Referred,
): Mirror | undefined {
  const text = read.text('mirror-target')
  if (text === undefined) return undefined
  const at = readServiceUrl(text.replace(/\/?\$request_uri$/, '/'), namespace)
  if (at === undefined || at.path !== '/') {
    const says = `"${text.slice(0, 120)}" is no Service that is asked for the same path`
    const remedy = 'write http://SERVICE.NAMESPACE.svc.cluster.local:PORT$request_uri'
    read.refuse('mirror-target', says, remedy, 'AnnotationIgnored')
    return undefined
  }
  if (notPermitted(read, 'mirror-target', at, namespace, grants) !== undefined) return undefined
  const host = read.like('mirror-host', /^([\w.-]+(:\d{1,5})?|\$host|\$http_host)$/, 'a host')
  const isBodiless = read.flag('mirror-request-body') === false
  return { at, ...(host !== undefined && !host.startsWith('$') && { host }), ...(isBodiless && { isBodiless }) }
}
