import type { AnnotationReader } from './annotation-reader.ts'
import { readAuthorities, readCertificate } from './certificate.ts'
import { type Ingress, objectOf } from './ingress.ts'
import { findReferred, type Referred, referredKey } from './ingress-referred.ts'
import type { Authority, BackendTls, Certificate } from './model.ts'

/** How TLS is spoken to pods of an Ingress (`proxy-ssl-*`). */
export interface PodsTls {
  /** The Secret that is named for it, by its key. */
  readonly secret?: string
  readonly tls?: BackendTls
  readonly authority?: Authority
  readonly certificate?: Certificate
  /** Why nothing may be sent to them. */
  readonly blocked?: string
}

/** Reads what is asked of TLS to pods, which is spoken where `backend-protocol` says so. */
export function readPodsTls(
  read: AnnotationReader,
  ingress: Ingress,
  { secrets, grants, isUnread }: Referred,
): PodsTls {
  if (!/^(HTTPS|GRPCS)$/i.test(read.text('backend-protocol') ?? '')) return {}
  const host = read.like('proxy-ssl-name', /^[\w.-]+$/, 'a host') ?? ''
  const isChecked = read.flag('proxy-ssl-verify')
  const block = (name: string, says: string, remedy: string, code = 'AnnotationNotServed'): PodsTls => {
    read.refuse(name, says, remedy, code)
    return { blocked: says }
  }
  if (isChecked === undefined && read.text('proxy-ssl-verify') !== undefined)
    return { blocked: 'proxy-ssl-verify cannot be read' }
  const named = read.text('proxy-ssl-secret')
  if (named === undefined && isChecked)
    return block('proxy-ssl-verify', 'no authority is named for pods', 'name a Secret with ca.crt by proxy-ssl-secret')
  if (named === undefined) return { tls: { host, authority: 'unchecked', names: [] } }
  const namespace = ingress.metadata.namespace ?? ''
  const key = referredKey(named, namespace)
  if (isUnread) return { secret: key, tls: { host, authority: 'unchecked', names: [] } }
  const remedy = 'create it with tls.crt, tls.key and ca.crt'
  const referred = findReferred(read, 'proxy-ssl-secret', 'Secret', secrets, { key, namespace, grants, remedy })
  if ('blocked' in referred) return referred
  const secret = referred.object
  const because = { object: objectOf(ingress), field: 'metadata.annotations[proxy-ssl-secret]', value: key }
  const shown = secret.data?.['tls.crt'] === undefined ? undefined : readCertificate(secret, because)
  if (shown !== undefined && 'says' in shown) return block('proxy-ssl-secret', shown.says, shown.try, 'SecretInvalid')
  const own = shown && { certificate: shown }
  const tls = { host, authority: 'unchecked', names: [], ...(shown && { clientCertificate: shown.id }) }
  if (!isChecked) return { tls, ...own }
  if (host === '') return block('proxy-ssl-verify', 'no name is told that pods must have', 'name it by proxy-ssl-name')
  const found = readAuthorities(secret, `secret/${key}`)
  if ('says' in found) return block('proxy-ssl-secret', found.says, found.try, 'SecretInvalid')
  const id = `pods:${key.replace('/', ':')}`
  return { tls: { ...tls, authority: id }, authority: { id, pem: found.pem }, ...own }
}
