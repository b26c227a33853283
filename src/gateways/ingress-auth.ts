import { createHash } from 'node:crypto'
import type { AnnotationReader } from './annotation-reader.ts'
import type { Ingress } from './ingress.ts'
import { readHeaders } from './ingress-headers.ts'
import { findReferred, type Referred, referredKey } from './ingress-referred.ts'
import type { Filter, UserList } from './model.ts'
import { isPermitted } from './reference.ts'
import { readUsers } from './users.ts'

/** A Service's port by its URL, with what is asked there. */
export interface ServiceUrl {
  readonly namespace: string
  readonly name: string
  readonly port: number
  /** As in the URL, port included. */
  readonly host: string
  /** With the query. */
  readonly path: string
}

export interface ExternalAuth {
  readonly at: ServiceUrl
  readonly filter: Omit<Filter & { kind: 'external-auth' }, 'backend'>
}

export interface IngressAuth {
  readonly basic?: Filter & { kind: 'basic-auth' }
  readonly userList?: UserList
  readonly external?: ExternalAuth
  /** Why nobody can be let in. */
  readonly blocked?: string
}

/** Who may pass, by password or by the word of another Service. What cannot be read lets nobody in. */
export function readAuth(read: AnnotationReader, ingress: Ingress, referred: Referred): IngressAuth {
  const namespace = ingress.metadata.namespace ?? ''
  const basic = read.text('auth-type') === undefined ? {} : readBasic(read, namespace, referred)
  const external = read.text('auth-url') === undefined ? {} : readExternal(read, namespace, referred)
  if (basic.blocked === undefined && external.blocked === undefined) return { ...basic, ...external }
  return { blocked: basic.blocked ?? external.blocked ?? '' }
}

function readBasic(read: AnnotationReader, namespace: string, { secrets, grants }: Referred): IngressAuth {
  const block = (name: string, says: string, remedy: string, code = 'AnnotationNotServed'): IngressAuth => {
    read.refuse(name, says, remedy, code)
    return { blocked: says }
  }
  const type = read.text('auth-type')
  if (type !== 'basic') return block('auth-type', `"${type?.slice(0, 40)}" is not done here`, 'use basic, or auth-url')
  const key = referredKey(read.text('auth-secret') ?? '', namespace)
  const remedy = 'create it with htpasswd lines under the key "auth"'
  const referred = findReferred(read, 'auth-secret', 'Secret', secrets, { key, namespace, grants, remedy })
  if ('blocked' in referred) return referred
  const secret = referred.object
  const kind = read.text('auth-secret-type') === 'auth-map' ? 'auth-map' : 'auth-file'
  const found = readUsers(secret, kind)
  if ('says' in found)
    return block(
      'auth-secret',
      `secret/${key} ${found.says}`,
      'put lines of htpasswd under the key "auth"',
      'SecretInvalid',
    )
  const { users, faults } = found
  if (faults.length > 0) {
    const says = `passwords of ${faults.slice(0, 5).join(', ')} in secret/${key} are of an unknown kind; they cannot pass`
    read.refuse('auth-secret', says, 'make them with htpasswd -m or htpasswd -B', 'SecretInvalid')
  }
  const realm =
    read.like('auth-realm', /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,200}$/, 'a line without quotes') ??
    'Authentication Required'
  // Its name tells nothing of what is in it, but changes with it: what was found out about one is not believed of the next.
  const id = `users-${createHash('sha256')
    .update(JSON.stringify([key, users]))
    .digest('hex')
    .slice(0, 12)}`
  return { basic: { kind: 'basic-auth', realm, users: id }, userList: { id, users } }
}

function readExternal(read: AnnotationReader, namespace: string, { grants, configMaps }: Referred): IngressAuth {
  const text = read.text('auth-url') ?? ''
  const at = readServiceUrl(text, namespace)
  if (at === undefined) {
    const says = `"${text.slice(0, 120)}" is no URL of a Service`
    read.refuse('auth-url', says, 'write http://SERVICE.NAMESPACE.svc.cluster.local:PORT/PATH', 'AnnotationNotServed')
    return { blocked: says }
  }
  const blocked = notPermitted(read, 'auth-url', at, namespace, grants)
  if (blocked !== undefined) return { blocked }
  if (read.text('auth-cache-key') !== undefined)
    read.refuse('auth-cache-key', 'every request is asked about', 'take the annotation away', 'AnnotationIgnored')
  const sent = readHeaders(read, 'auth-proxy-set-headers', namespace, { grants, configMaps })
  const variable = sent.set?.find(([, value]) => value.includes('$'))
  if (variable !== undefined)
    read.refuse(
      'auth-proxy-set-headers',
      `${variable[0]} has a variable of nginx`,
      'write values as they are to be sent',
    )
  if (sent.blocked !== undefined || variable !== undefined)
    return { blocked: sent.blocked ?? `the header ${variable?.[0]} of the question cannot be set` }
  const signIn = read.like('auth-signin', /^(https?:\/\/|\/)[\x21\x23-\x7e]+$/, 'a URL')
  const filter: ExternalAuth['filter'] = {
    kind: 'external-auth',
    host: at.host,
    path: at.path,
    method: (read.like('auth-method', /^(GET|HEAD|POST|PUT|DELETE)$/, 'GET, HEAD, POST, PUT or DELETE') ??
      'GET') as 'GET',
    ...(signIn !== undefined && { signIn }),
    signInParameter: read.like('auth-signin-redirect-param', /^[\w-]{1,64}$/, 'the name of a parameter') ?? 'rd',
    headers: (read.list('auth-response-headers') ?? [])
      .filter((name) => /^[\w-]+$/.test(name))
      .map((name) => name.toLowerCase()),
    ...(sent.set && { sent: sent.set }),
  }
  return { external: { at, filter } }
}

/** Tells, and answers why, a Service of another namespace may not be asked. */
export function notPermitted(
  read: AnnotationReader,
  annotation: string,
  at: ServiceUrl,
  namespace: string,
  grants: Referred['grants'],
): string | undefined {
  const from = { group: 'networking.k8s.io', kind: 'Ingress', namespace }
  if (isPermitted(from, { group: '', kind: 'Service', namespace: at.namespace, name: at.name }, grants))
    return undefined
  const says = `no ReferenceGrant in ${at.namespace} lets Ingresses of ${namespace} use service/${at.namespace}/${at.name}`
  read.refuse(annotation, says, `make one in ${at.namespace}`, 'AnnotationNotServed')
  return says
}

/** `http://NAME[.NAMESPACE[.svc[.cluster.local]]][:PORT]/PATH`; undefined for every other URL. */
export function readServiceUrl(text: string, ownNamespace: string): ServiceUrl | undefined {
  if (/[\s"\\$]/.test(text) || text.length > 2048) return undefined
  const url = URL.parse(text)
  if (url === null || url.protocol !== 'http:' || url.username !== '') return undefined
  const [, name, namespace = ownNamespace] =
    /^([a-z][\w-]*)(?:\.([a-z0-9-]+)(?:\.svc(?:\.cluster\.local)?\.?)?)?$/.exec(url.hostname) ?? []
  if (name === undefined) return undefined
  return { name, namespace, port: Number(url.port || 80), host: url.host, path: `${url.pathname}${url.search}` }
}
