import { randomUUID } from 'node:crypto'
import { errors, type FieldError, type KubeObject } from '../objects/index.ts'
import type { Core } from './core.ts'
import { Refusal } from './refusal.ts'
import type { Scope } from './scope.ts'
import { keyOf } from './scope.ts'
import { isRecord, type JsonRecord, timestamp } from './value.ts'

const kind = { group: 'authentication.k8s.io', kind: 'TokenRequest' }
const usualSeconds = 3600
const shortestSeconds = 600

interface Bound {
  readonly kind: 'Pod' | 'Secret' | 'Node'
  readonly object: KubeObject
}

/** The answer to a TokenRequest: a signed token for the account, its audiences and its lifetime (KEP-1205). */
export function requestToken(core: Core, scope: Scope, account: KubeObject, body: unknown): object {
  const spec = isRecord(body) && isRecord(body.spec) ? body.spec : {}
  if (isRecord(body) && body.kind !== undefined && body.kind !== kind.kind)
    throw new Refusal(errors.badRequest(`${String(body.kind)} cannot be handled as a TokenRequest`))
  const audiences = audiencesOf(core, spec.audiences)
  const seconds = secondsOf(spec.expirationSeconds)
  const bound = boundObject(core, scope, account, spec.boundObjectRef)
  const now = Math.floor(Date.now() / 1000)
  const { name, namespace = '', uid = '' } = account.metadata
  const token = core.tokens.key.sign({
    aud: audiences,
    exp: now + seconds,
    iat: now,
    iss: core.tokens.issuer,
    jti: randomUUID(),
    'kubernetes.io': { namespace, ...boundClaims(bound), serviceaccount: { name, uid } },
    nbf: now,
    sub: `system:serviceaccount:${namespace}:${name}`,
  })
  return {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { name, namespace, creationTimestamp: timestamp() },
    spec: { audiences, expirationSeconds: seconds, boundObjectRef: spec.boundObjectRef ?? null },
    status: { token, expirationTimestamp: timestamp((now + seconds) * 1000) },
  }
}

function audiencesOf(core: Core, asked: unknown): readonly string[] {
  if (asked === undefined || asked === null) return [core.tokens.issuer]
  if (!Array.isArray(asked) || !asked.every((item) => typeof item === 'string') || asked.length > 64)
    throw new Refusal(errors.badRequest('spec.audiences must be a list of at most 64 strings'))
  return asked.length === 0 ? [core.tokens.issuer] : asked
}

function secondsOf(asked: unknown): number {
  const seconds = asked ?? usualSeconds
  const field = 'spec.expirationSeconds'
  const refuse = (detail: string) => {
    const message = `Invalid value: ${JSON.stringify(seconds)}: ${detail}`
    return invalid({ reason: 'FieldValueInvalid', field, message })
  }
  if (typeof seconds !== 'number' || !Number.isInteger(seconds)) throw refuse('must be an integer')
  if (seconds < shortestSeconds) throw refuse('may not specify a duration less than 10 minutes')
  if (seconds > 2 ** 32) throw refuse('may not specify a duration larger than 2^32 seconds')
  return seconds
}

const places = { Pod: '/pods', Secret: '/secrets', Node: '/nodes' } as const

function boundObject(core: Core, scope: Scope, account: KubeObject, reference: unknown): Bound | undefined {
  if (!isRecord(reference)) return undefined
  const { name, uid } = reference
  const place = reference.kind as Bound['kind']
  if (!Object.hasOwn(places, place)) {
    const message = `cannot bind token to object of type ${String(reference.apiVersion)}, Kind=${String(reference.kind)}`
    throw new Refusal(errors.badRequest(message))
  }
  const plural = places[place].slice(1)
  const key = keyOf(place === 'Node' ? undefined : scope.namespace, String(name))
  const object = core.store.collection(places[place]).find(key)?.value
  if (object === undefined) throw new Refusal(errors.notFound({ group: '', plural }, String(name)))
  if (uid && uid !== object.metadata.uid) {
    const cause = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`
    throw new Refusal(errors.conflict({ group: '', plural }, String(name), cause))
  }
  const { serviceAccountName } = (object as KubeObject & { spec?: { serviceAccountName?: string } }).spec ?? {}
  if (place === 'Pod' && serviceAccountName !== account.metadata.name) {
    const message = `cannot bind token for serviceaccount ${JSON.stringify(account.metadata.name)} to pod running with different serviceaccount name.`
    throw new Refusal(errors.badRequest(message))
  }
  return { kind: place, object }
}

function boundClaims(bound: Bound | undefined): JsonRecord {
  if (bound === undefined) return {}
  const { name, uid } = bound.object.metadata
  const { nodeName } = (bound.object as KubeObject & { spec?: { nodeName?: string } }).spec ?? {}
  const node = bound.kind === 'Pod' && nodeName ? { node: { name: nodeName } } : {}
  return { [bound.kind.toLowerCase()]: { name, uid }, ...node }
}

function invalid(error: FieldError): Refusal {
  return new Refusal(errors.invalid(kind, '', [error]))
}
