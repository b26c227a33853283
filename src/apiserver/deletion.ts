import { errors, type Kind, type KubeObject, type Pod } from '../objects/index.ts'
import { admitDeletion } from './admission.ts'
import type { Gate } from './admission-gate.ts'
import { admitDefinition } from './definition-admission.ts'
import { restrictNode } from './node-restriction.ts'
import { Refusal } from './refusal.ts'
import { keyOf, type Scope } from './scope.ts'
import type { ServiceAllocator } from './service-allocation.ts'
import { followRanges } from './service-cidr.ts'
import type { Transaction } from './store.ts'
import { copyOf, isRecord, timestamp } from './value.ts'
import { removeObject, type Written } from './write.ts'

/** What a DELETE asks for, from its body or its query. */
export interface DeleteOptions {
  readonly gracePeriodSeconds: number | undefined
  readonly propagationPolicy: 'Background' | 'Foreground' | 'Orphan' | undefined
  readonly preconditions: { readonly uid?: string; readonly resourceVersion?: string }
  readonly dryRun: boolean
}

/** Reads DeleteOptions; what the body says wins over the query. 422 for values that Kubernetes does not know. */
export function parseDeleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const options = isRecord(body) ? body : {}
  if (options.kind !== undefined && options.kind !== 'DeleteOptions')
    throw new Refusal(errors.badRequest(`${String(options.kind)} cannot be handled as a DeleteOptions`))
  const grace = options.gracePeriodSeconds ?? numberOf(query.get('gracePeriodSeconds'))
  if (grace !== undefined && grace !== null && !Number.isInteger(grace))
    throw invalid('gracePeriodSeconds', `Invalid value: ${JSON.stringify(grace)}: must be an integer`)
  const preconditions = isRecord(options.preconditions) ? options.preconditions : {}
  return {
    gracePeriodSeconds: grace === null || grace === undefined ? undefined : Math.max(0, grace as number),
    propagationPolicy: policyOf(options, query),
    preconditions: preconditions as { uid?: string; resourceVersion?: string },
    dryRun: dryRunOf(options.dryRun ?? query.getAll('dryRun')),
  }
}

/** Whether a write is only to be tried: `dryRun=All`. */
export function dryRunOf(value: unknown): boolean {
  const values = (Array.isArray(value) ? value : [value]).filter(
    (item) => item !== '' && item !== undefined && item !== null,
  )
  for (const item of values) {
    if (item !== 'All') throw invalid('dryRun', `Unsupported value: ${JSON.stringify(item)}: supported values: "All"`)
  }
  return values.length > 0
}

/** Deletes one object, or marks it when finalizers or a pod's grace period hold it. */
export function deleteObject(
  scope: Scope,
  options: DeleteOptions,
  allocator: ServiceAllocator,
  transaction: Transaction,
  gate?: Gate,
): Written {
  const { kind, collection } = scope
  const name = scope.name!
  const key = keyOf(scope.namespace, name)
  const current = transaction.find(collection, key)
  if (current === undefined) throw new Refusal(errors.notFound(kind, name))
  checkPreconditions(kind, current.value, options)
  admitDeletion(kind, name)
  restrictNode(scope, undefined, current.value, transaction)
  gate?.remove(current)
  const object = copyOf(current.value)
  applyPolicy(object, options.propagationPolicy)
  const graceSeconds = graceOf(kind, object, options.gracePeriodSeconds)
  const held = (object.metadata.finalizers?.length ?? 0) > 0 || holdsNamespace(kind, object)
  if (!held && graceSeconds === 0) return { entry: removeObject(scope, key, allocator, transaction), removed: true }
  const changed = mark(kind, object, graceSeconds) || JSON.stringify(object) !== current.json.toString()
  if (!changed) return { entry: current, removed: false }
  admitDefinition(scope, object, transaction)
  const entry = transaction.put(collection, key, object)
  followRanges(collection, allocator, transaction)
  return { entry, removed: false }
}

/** Sets the marks of deletion; an earlier deadline replaces a later one, never the other way round. */
function mark(kind: Kind, object: KubeObject, graceSeconds: number): boolean {
  const { metadata } = object
  const marked = metadata.deletionTimestamp !== undefined
  if (marked && graceSeconds >= (metadata.deletionGracePeriodSeconds ?? 0)) return false
  metadata.deletionTimestamp = timestamp(Date.now() + graceSeconds * 1000)
  metadata.deletionGracePeriodSeconds = graceSeconds
  if (metadata.generation !== undefined) metadata.generation++
  if (kind.group === '' && kind.kind === 'Namespace') {
    delete metadata.deletionGracePeriodSeconds
    Object.assign(object, { status: { ...(object as { status?: object }).status, phase: 'Terminating' } })
  }
  return true
}

/** Upstream's pod strategy: grace counts once a node may run the pod, and ends when it has finished. */
function graceOf(kind: Kind, object: KubeObject, asked: number | undefined): number {
  if (kind.group !== '' || kind.kind !== 'Pod') return 0
  const { spec, status, metadata } = object as Pod
  if (!spec.nodeName || status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0
  const usual = spec.terminationGracePeriodSeconds ?? 30
  if (metadata.deletionTimestamp !== undefined)
    return Math.min(asked ?? usual, metadata.deletionGracePeriodSeconds ?? 0)
  return asked ?? (usual < 0 ? 1 : usual)
}

function holdsNamespace(kind: Kind, object: KubeObject): boolean {
  const spec = (object as { spec?: { finalizers?: string[] } }).spec
  return kind.group === '' && kind.kind === 'Namespace' && (spec?.finalizers?.length ?? 0) > 0
}

function applyPolicy({ metadata }: KubeObject, policy: DeleteOptions['propagationPolicy']): void {
  if (policy === undefined) return
  const others = (metadata.finalizers ?? []).filter((item) => item !== 'foregroundDeletion' && item !== 'orphan')
  if (policy === 'Foreground') others.push('foregroundDeletion')
  if (policy === 'Orphan') others.push('orphan')
  if (others.length > 0) metadata.finalizers = others
  else delete metadata.finalizers
}

function checkPreconditions(kind: Kind, { metadata }: KubeObject, { preconditions }: DeleteOptions): void {
  const { uid, resourceVersion } = preconditions
  if (uid && uid !== metadata.uid) {
    const cause = `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`
    throw new Refusal(errors.conflict(kind, metadata.name, cause))
  }
  if (resourceVersion && resourceVersion !== metadata.resourceVersion) {
    const cause = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`
    throw new Refusal(errors.conflict(kind, metadata.name, cause))
  }
}

function policyOf(options: Record<string, unknown>, query: URLSearchParams): DeleteOptions['propagationPolicy'] {
  const value = options.propagationPolicy ?? query.get('propagationPolicy') ?? undefined
  const orphan = options.orphanDependents ?? query.get('orphanDependents') ?? undefined
  if (value !== undefined && orphan !== undefined)
    throw invalid(
      'propagationPolicy',
      `Invalid value: ${JSON.stringify(value)}: orphanDependents and deletionPropagation cannot be both set`,
    )
  if (orphan !== undefined) return orphan === true || orphan === 'true' ? 'Orphan' : 'Background'
  if (value === undefined || value === 'Background' || value === 'Foreground' || value === 'Orphan') return value
  throw invalid(
    'propagationPolicy',
    `Unsupported value: ${JSON.stringify(value)}: supported values: "Background", "Foreground", "Orphan"`,
  )
}

function numberOf(text: string | null): number | undefined {
  return text === null || text === '' ? undefined : Number(text)
}

function invalid(field: string, message: string): Refusal {
  const cause = { reason: 'FieldValueNotSupported' as const, field, message }
  return new Refusal(errors.invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', [cause]))
}
