import { Buffer } from 'node:buffer'
import type { FieldError } from './contract.ts'
import { complaints, forbidden, immutable, invalid, required, tooLong } from './field-error.ts'
import { configMapKey } from './names.ts'
import { sameMeaning } from './same-meaning.ts'
import type { ConfigMap, Secret } from './types.ts'

/** A ConfigMap or Secret holds at most 1 MiB. */
const maxBytes = 1024 * 1024

/** Upstream's `ValidateConfigMap` and its update. */
export function validateConfigMap(map: ConfigMap, old: ConfigMap | undefined): FieldError[] {
  const { data = {}, binaryData = {} } = map
  const errors: FieldError[] = []
  let bytes = 0
  for (const [key, value] of Object.entries(data)) {
    errors.push(...complaints(`data[${key}]`, key, configMapKey(key)))
    if (Object.hasOwn(binaryData, key))
      errors.push(invalid(`data[${key}]`, key, 'duplicate of key present in binaryData'))
    bytes += Buffer.byteLength(value)
  }
  for (const [key, value] of Object.entries(binaryData)) {
    errors.push(...complaints(`binaryData[${key}]`, key, configMapKey(key)))
    bytes += Buffer.byteLength(value, 'base64')
  }
  if (bytes > maxBytes) errors.push(tooLong('[]', maxBytes))
  if (old?.immutable) errors.push(...validateSealed(map, old, ['data', 'binaryData']))
  return errors
}

function validateSealed<T extends ConfigMap | Secret>(
  object: T,
  old: T,
  keys: readonly (keyof T & string)[],
): FieldError[] {
  const sealed = 'field is immutable when `immutable` is set'
  const errors = object.immutable ? [] : [forbidden('immutable', sealed)]
  for (const key of keys) if (!sameContent(object[key], old[key])) errors.push(forbidden(key, sealed))
  return errors
}

function sameContent(a: unknown, b: unknown): boolean {
  return sameMeaning(a ?? {}, b ?? {})
}

/** What each typed Secret must contain. */
const contents: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
}

/** Upstream's `ValidateSecret` and its update. */
export function validateSecret(secret: Secret, old: Secret | undefined): FieldError[] {
  const { type = 'Opaque', data = {}, metadata } = secret
  const errors = Object.keys(data).flatMap((key) => complaints(`data[${key}]`, key, configMapKey(key)))
  const bytes = Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value, 'base64'), 0)
  if (bytes > maxBytes) errors.push(tooLong('data', maxBytes))
  for (const key of contents[type] ?? []) if (!Object.hasOwn(data, key)) errors.push(required(`data[${key}]`))
  if (type === 'kubernetes.io/basic-auth' && !('username' in data) && !('password' in data))
    errors.push(required('data[username]'), required('data[password]'))
  const account = 'kubernetes.io/service-account.name'
  if (type === 'kubernetes.io/service-account-token' && !metadata.annotations?.[account])
    errors.push(required(`metadata.annotations[${account}]`))
  if (old === undefined) return errors
  if (type !== (old.type ?? 'Opaque')) errors.push(immutable('type', type))
  if (old.immutable) errors.push(...validateSealed(secret, old, ['data']))
  return errors
}

/** Upstream's conversion and defaults of a Secret: `stringData` is written into `data`, the type is Opaque unless given. */
export function defaultSecret(secret: Secret): void {
  secret.type ||= 'Opaque'
  if (secret.stringData === undefined) return
  secret.data ??= {}
  for (const [key, value] of Object.entries(secret.stringData)) secret.data[key] = Buffer.from(value).toString('base64')
  delete secret.stringData
}
