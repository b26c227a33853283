import { randomInt, randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { isCustom } from '../customresources/index.ts'
import { errors, type Kind, type KubeObject, type Namespace, type Pod, type Service } from '../objects/index.ts'
import { admitIngress, admitNamespace, admitPod } from './admission.ts'
import type { Gate } from './admission-gate.ts'
import { admitDefinition } from './definition-admission.ts'
import { Entry } from './entry.ts'
import { setManagedFields, type Track } from './field-manager.ts'
import { restrictNode } from './node-restriction.ts'
import { Refusal } from './refusal.ts'
import { admitRole } from './role-admission.ts'
import { keyOf, type Scope } from './scope.ts'
import type { ServiceAllocator } from './service-allocation.ts'
import { carryOver } from './service-carry-over.ts'
import { admitServiceCidr, followRanges } from './service-cidr.ts'
import type { Transaction } from './store.ts'
import { copyOf, timestamp } from './value.ts'
import { toStorage } from './version-view.ts'

const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789'

/** The state after a write, and whether the object is there no longer because the write removed its last finalizer. */
export interface Written {
  readonly entry: Entry
  readonly removed: boolean
}

/** Stores a new object: names it, fills in what the server knows, admits, validates, allocates. */
export function createObject(
  scope: Scope,
  given: KubeObject,
  allocator: ServiceAllocator,
  transaction: Transaction,
  track?: Track,
  gate?: Gate,
): Written {
  const { kind } = scope
  const { metadata } = given
  if (isCustom(kind) && kind.custom.terminating) throw new Refusal(errors.methodNotAllowed(kind, 'create'))
  if (metadata.resourceVersion)
    throw new Refusal(errors.badRequest('resourceVersion should not be set on objects to be created'))
  delete metadata.resourceVersion
  checkNamespace(scope, given)
  if (!metadata.name && metadata.generateName) metadata.name = generateName(scope, metadata.generateName, transaction)
  admitNamespace(scope, metadata.name ?? '', transaction)
  metadata.uid = randomUUID()
  metadata.creationTimestamp = timestamp()
  if (isService(kind) && (given as Service).spec) carryOver((given as Service).spec, undefined)
  kind.applyDefaults(given)
  const object = gate?.mutate(given, undefined) ?? given
  checkNamespace(scope, object)
  const service = isService(kind) ? (object as Service) : undefined
  // Defaults are the writer's, what the server allocates and admission adds is nobody's.
  setManagedFields(object, track?.(undefined, object))
  kind.prepare(object, undefined, undefined)
  restrictNode(scope, object, undefined, transaction)
  if (isPod(kind)) admitPod(object as Pod, transaction)
  if (kind.group === 'networking.k8s.io' && kind.kind === 'Ingress') admitIngress(object, transaction)
  refuseInvalid(kind, object, undefined, undefined)
  const { name } = object.metadata
  const key = keyOf(scope.namespace, name)
  if (transaction.find(scope.collection, key) !== undefined) throw new Refusal(errors.alreadyExists(kind, name))
  if (service !== undefined) allocator.allocate(service, undefined, transaction)
  admitRole(scope, object, undefined, transaction)
  admitDefinition(scope, object, transaction)
  admitServiceCidr(scope, object)
  gate?.validate(object, undefined)
  toStorage(kind, object)
  const entry = transaction.put(scope.collection, key, object)
  followRanges(scope.collection, allocator, transaction)
  return { entry: transaction.dryRun ? tried(entry, undefined) : entry, removed: false }
}

/**
 * Stores a new state of an object, or of its `status`. `change` makes it from a private copy of the stored one. No-op writes
 * leave the resourceVersion as it is.
 */
export function updateObject(
  scope: Scope,
  change: (current: Entry) => KubeObject,
  allocator: ServiceAllocator,
  transaction: Transaction,
  track?: Track,
  gate?: Gate,
): Written {
  const { kind, collection, subresource } = scope
  const name = scope.name!
  const key = keyOf(scope.namespace, name)
  const current = transaction.find(collection, key)
  if (current === undefined) throw new Refusal(errors.notFound(kind, name))
  const old = current.value
  const given = change(current)
  checkIdentity(scope, given)
  checkPreconditions(scope, given, old)
  const whole = isService(kind) && subresource === undefined
  if (whole && (given as Service).spec) carryOver((given as Service).spec, (old as Service).spec)
  kind.applyDefaults(given, old)
  const object = gate?.mutate(given, current) ?? given
  checkIdentity(scope, object)
  const service = whole ? (object as Service) : undefined
  if (track !== undefined) setManagedFields(object, track(old, object))
  prepareUpdate(kind, object, old, subresource)
  restrictNode(scope, object, old, transaction)
  refuseInvalid(kind, object, old, subresource)
  if (service !== undefined) allocator.allocate(service, old as Service, transaction)
  admitRole(scope, object, old, transaction)
  admitDefinition(scope, object, transaction)
  admitServiceCidr(scope, object)
  gate?.validate(object, current)
  return replaceState(scope, current, object, allocator, transaction)
}

/** The object is the one that the request is about. */
function checkIdentity(scope: Scope, object: KubeObject): void {
  checkNamespace(scope, object)
  object.metadata.name ??= scope.name!
  if (object.metadata.name === scope.name) return
  const message = `the name of the object (${object.metadata.name}) does not match the name on the URL (${scope.name})`
  throw new Refusal(errors.badRequest(message))
}

/** Puts a checked state in the place of the current one; removes the object when nothing holds it any longer. */
export function replaceState(
  scope: Scope,
  current: Entry,
  object: KubeObject,
  allocator: ServiceAllocator,
  transaction: Transaction,
): Written {
  object.metadata.resourceVersion = String(current.revision)
  toStorage(scope.kind, object)
  if (isFinished(scope.kind, object)) {
    transaction.put(scope.collection, current.key, object)
    return { entry: removeObject(scope, current.key, allocator, transaction), removed: true }
  }
  if (sameState(object, current)) return { entry: current, removed: false }
  const entry = transaction.put(scope.collection, current.key, object)
  return { entry: transaction.dryRun ? tried(entry, current.revision) : entry, removed: false }
}

/** The answer of a dry run: the state without a revision that nobody will ever see. */
function tried({ collection, key, created, value }: Entry, revision: number | undefined): Entry {
  const object = copyOf(value)
  if (revision === undefined) delete object.metadata.resourceVersion
  else object.metadata.resourceVersion = String(revision)
  return new Entry(collection, key, revision ?? 0, created, Buffer.from(JSON.stringify(object)), object)
}

/** Removes an object for good and gives back what it held. */
export function removeObject(
  scope: Pick<Scope, 'kind' | 'collection'>,
  key: string,
  allocator: ServiceAllocator,
  transaction: Transaction,
): Entry {
  const last = transaction.remove(scope.collection, key)
  if (isService(scope.kind)) allocator.release(last.value as Service, transaction)
  followRanges(scope.collection, allocator, transaction)
  return last
}

/** Throws the 422 that validation asks for, if any. */
export function refuseInvalid(
  kind: Kind,
  object: KubeObject,
  old: KubeObject | undefined,
  subresource: string | undefined,
): void {
  const found = kind.validate(object, old, subresource)
  if (found.length > 0) throw new Refusal(errors.invalid(kind, object.metadata.name ?? '', found))
}

function isService(kind: Kind): boolean {
  return kind.group === '' && kind.kind === 'Service'
}

function isPod(kind: Kind): boolean {
  return kind.group === '' && kind.kind === 'Pod'
}

/** Whether nothing holds a deleted object any longer: no finalizers, no grace left. */
function isFinished(kind: Kind, { metadata, ...rest }: KubeObject): boolean {
  if (metadata.deletionTimestamp === undefined || (metadata.finalizers?.length ?? 0) > 0) return false
  if ((metadata.deletionGracePeriodSeconds ?? 0) > 0) return false
  if (kind.kind === 'Namespace' && kind.group === '') return !(rest as Namespace).spec?.finalizers?.length
  return true
}

function sameState(object: KubeObject, current: Entry): boolean {
  const text = JSON.stringify(object)
  // Equal values have texts of equal length, whatever the order of their keys; most changes end here, unparsed.
  if (Buffer.byteLength(text) !== current.json.length) return false
  return text === current.json.toString() || isDeepStrictEqual(JSON.parse(text), JSON.parse(current.json.toString()))
}

function prepareUpdate(kind: Kind, object: KubeObject, old: KubeObject, subresource: string | undefined): void {
  const before = old.metadata
  const { metadata } = object
  if (before.generateName !== undefined) metadata.generateName ??= before.generateName
  if (kind.namespaced && before.namespace !== undefined) metadata.namespace = before.namespace
  kind.prepare(object, old, subresource)
  // Deletion is asked for by DELETE alone; an update can neither start nor stop it.
  for (const field of ['deletionTimestamp', 'deletionGracePeriodSeconds'] as const) {
    if (before[field] === undefined) delete metadata[field]
    else Object.assign(metadata, { [field]: before[field] })
  }
}

function checkNamespace(scope: Scope, { metadata }: KubeObject): void {
  if (scope.namespace !== undefined) metadata.namespace ||= scope.namespace
  if ((metadata.namespace || undefined) === scope.namespace) {
    if (scope.namespace === undefined) delete metadata.namespace
    return
  }
  throw new Refusal(
    errors.badRequest('the namespace of the provided object does not match the namespace sent on the request'),
  )
}

function checkPreconditions({ kind }: Scope, { metadata }: KubeObject, old: KubeObject): void {
  if (metadata.uid && metadata.uid !== old.metadata.uid) {
    const cause = `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${old.metadata.uid}`
    throw new Refusal(errors.conflict(kind, old.metadata.name, cause))
  }
  if (
    metadata.resourceVersion &&
    metadata.resourceVersion !== '0' &&
    metadata.resourceVersion !== old.metadata.resourceVersion
  )
    throw new Refusal(errors.conflict(kind, old.metadata.name))
}

/** Five letters without vowels after at most 58 of the base; tried again while the name is taken. */
function generateName(scope: Scope, base: string, transaction: Transaction): string {
  for (let attempt = 0; ; attempt++) {
    const suffix = Array.from({ length: 5 }, () => suffixLetters[randomInt(suffixLetters.length)]).join('')
    const name = base.slice(0, 58) + suffix
    if (attempt >= 8 || transaction.find(scope.collection, keyOf(scope.namespace, name)) === undefined) return name
  }
}
