import { errors, type KubeObject, type Namespace } from '../objects/index.ts'
import { type Written as AdmittedWrite, admitted } from './admission-gate.ts'
import { admitBody, scaleView, writtenBy } from './admission-request.ts'
import { type Answer, json } from './answer.ts'
import { applyConfiguration, readConfiguration } from './apply.ts'
import { bindPod } from './binding.ts'
import { mediaType, parseBody } from './body.ts'
import type { Call, Core } from './core.ts'
import { dryRunOf } from './deletion.ts'
import type { Entry } from './entry.ts'
import { postEviction } from './eviction.ts'
import { trackWrites } from './field-manager.ts'
import { findPodIn, restrictToken } from './node-restriction.ts'
import { applyPatch, readPatch } from './patch.ts'
import { Refusal } from './refusal.ts'
import { getEntry, getObject, objectAnswer, patchObject, putObject } from './resource.ts'
import { success } from './review.ts'
import { scaleOf, withScale } from './scale.ts'
import { keyOf, type Scope } from './scope.ts'
import { requestToken } from './token-request.ts'
import { copyOf, isRecord } from './value.ts'
import { replaceState, updateObject } from './write.ts'

/** Answers a request to a subresource that is served from the store; 405 or 404 otherwise. */
export async function handleSubresource(core: Core, scope: Scope, call: Call): Promise<Answer> {
  const { subresource, kind } = scope
  if (subresource === undefined || !kind.subresources.includes(subresource as never))
    throw new Refusal(errors.noSuchResource())
  const { method } = call
  if (subresource === 'status' || subresource === 'ephemeralcontainers') {
    if (method === 'GET') return getObject(core, scope, call)
    if (method === 'PUT') return putObject(core, scope, call)
    if (method === 'PATCH') return patchObject(core, scope, call)
  }
  if (subresource === 'scale') {
    if (method === 'GET') return json(scaleOf(kind, getEntry(core, scope).value))
    if (method === 'PUT' || method === 'PATCH') return writeScale(core, scope, call)
  }
  if (subresource === 'finalize' && method === 'PUT') return finalizeNamespace(core, scope, call)
  if (subresource === 'token' && method === 'POST') {
    const body = await parseBody(await call.body(), call.headers['content-type'])
    const kind = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' }
    const value = await admitBody(core, writtenBy(scope, call, false), 'CREATE', kind, body)
    restrictToken(scope, value, findPodIn(core.reader, scope))
    return json(requestToken(core, scope, getEntry(core, scope).value, value), 201)
  }
  if (subresource === 'binding' && method === 'POST') return postBinding(core, scope, call)
  if (subresource === 'eviction' && method === 'POST') return postEviction(core, scope, call)
  throw new Refusal(errors.methodNotAllowed())
}

async function writeScale(core: Core, scope: Scope, call: Call): Promise<Answer> {
  if (call.method === 'PATCH' && mediaType(call.headers['content-type']) === applyPatch)
    return applyScale(core, scope, call)
  const body = await call.body()
  const isPatch = call.method === 'PATCH'
  const patch = isPatch ? await readPatch(scope.kind, body, call.headers['content-type']) : undefined
  const value = isPatch ? undefined : await parseBody(body, call.headers['content-type'])
  const change = (current: Entry): KubeObject => {
    const scale = patch === undefined ? value : patch.apply(copyOf(scaleOf(scope.kind, current.value)))
    return withScale(scope.kind, copyOf(current.value), scale)
  }
  const plain = { ...scope, subresource: undefined }
  const dryRun = dryRunOf(call.query.getAll('dryRun'))
  const track = trackWrites(scope, call)
  const { entry } = await admitted(core, scaleWrite(scope, call, dryRun), (transaction, gate) =>
    updateObject(plain, change, core.allocator, transaction, track, gate),
  )
  return json(scaleOf(scope.kind, entry.value))
}

/** An apply of a Scale is one of the object that specifies nothing but its replicas. */
async function applyScale(core: Core, scope: Scope, call: Call): Promise<Answer> {
  const scaleKind = { ...scope.kind, group: 'autoscaling', version: 'v1', kind: 'Scale' }
  const { applied, ...options } = await readConfiguration({ ...scope, kind: scaleKind }, call)
  const { replicas } = (applied as { spec?: { replicas?: unknown } }).spec ?? {}
  const { apiVersion, kind } = getEntry(core, scope).value
  const spec = replicas === undefined ? {} : { replicas }
  const own = { apiVersion, kind, metadata: { name: scope.name! }, spec } as KubeObject
  const plain = { ...scope, subresource: undefined }
  const written = scaleWrite(scope, call, dryRunOf(call.query.getAll('dryRun')))
  const { entry } = await admitted(core, written, (transaction, gate) =>
    applyConfiguration(plain, { ...options, applied: own }, core.allocator, transaction, gate, scope.subresource),
  )
  return json(scaleOf(scope.kind, entry.value))
}

function scaleWrite(scope: Scope, call: Call, dryRun: boolean): AdmittedWrite {
  return { ...writtenBy(scope, call, dryRun), view: scaleView(scope) }
}

/** Only `spec.finalizers` changes; a namespace that is going away and has none left is removed. */
async function finalizeNamespace(core: Core, scope: Scope, call: Call): Promise<Answer> {
  const value = await parseBody(await call.body(), call.headers['content-type'])
  const finalizers = isRecord(value) && isRecord(value.spec) ? (value.spec.finalizers ?? []) : []
  if (!Array.isArray(finalizers) || !finalizers.every((item) => typeof item === 'string'))
    throw new Refusal(errors.badRequest('spec.finalizers must be a list of strings'))
  const written = writtenBy(scope, call, dryRunOf(call.query.getAll('dryRun')))
  const { entry } = await admitted(core, written, (transaction, gate) => {
    const current = getCurrent(scope, transaction.find(scope.collection, keyOf(undefined, scope.name!)))
    const asked = isRecord(value) && isRecord(value.metadata) ? value.metadata.resourceVersion : undefined
    if (asked && asked !== String(current.revision)) throw new Refusal(errors.conflict(scope.kind, scope.name!))
    const namespace = copyOf(current.value) as Namespace
    namespace.spec = { ...namespace.spec, finalizers }
    gate?.validate(namespace, current)
    return replaceState(scope, current, namespace, core.allocator, transaction)
  })
  return objectAnswer(scope, call, entry, 200)
}

async function postBinding(core: Core, scope: Scope, call: Call): Promise<Answer> {
  const body = await parseBody(await call.body(), call.headers['content-type'])
  const dryRun = dryRunOf(call.query.getAll('dryRun'))
  const kind = { group: '', version: 'v1', kind: 'Binding' }
  const value = await admitBody(core, writtenBy(scope, call, dryRun), 'CREATE', kind, body)
  await core.store.write((transaction) => {
    const current = getCurrent(scope, transaction.find(scope.collection, keyOf(scope.namespace, scope.name!)))
    return replaceState(scope, current, bindPod(copyOf(current.value), value), core.allocator, transaction)
  }, dryRun)
  return json(success(201), 201)
}

function getCurrent(scope: Scope, entry: Entry | undefined): Entry {
  if (entry === undefined) throw new Refusal(errors.notFound(scope.kind, scope.name!))
  return entry
}
