import { sameMeaning } from './same-meaning.ts'
import type { KubeObject } from './types.ts'

/** How creates and updates of one kind treat status, generation and special fields. */
export interface Strategy<T extends KubeObject> {
  /** The status a new object starts with; `keep` takes the client's (Node), left out: no status. */
  readonly newStatus?: 'keep' | ((object: T) => unknown)
  /** The kind has a status that plain updates may not change. */
  readonly status?: boolean
  /** metadata.generation starts at 1 and grows when the object, save metadata and status, changes. */
  readonly generation?: boolean
  /** A change of annotations counts for the generation too (Deployment). */
  readonly annotationsCount?: boolean
  readonly onCreate?: (object: T) => void
  readonly onUpdate?: (object: T, old: T) => void
}

type Body = KubeObject & { status?: unknown } & Record<string, unknown>

/** What upstream's `PrepareForCreate` and `PrepareForUpdate` do, in place. The server itself sets uid, resourceVersion and creationTimestamp. */
export function prepareObject<T extends KubeObject>(
  strategy: Strategy<T>,
  object: T,
  old: T | undefined,
  subresource: string | undefined,
): void {
  if (old === undefined) prepareCreate(strategy, object)
  else if (subresource === 'status') prepareStatus(object, old)
  else if (subresource === 'ephemeralcontainers') prepareEphemeralContainers(strategy, object, old)
  else prepareUpdate(strategy, object, old, subresource)
}

function prepareStatus(object: KubeObject, old: KubeObject): void {
  keepSystemFields(object, old)
  keepAllButStatus(object as unknown as Body, old as unknown as Body)
}

/** Nothing but the list of ephemeral containers is taken from such a request. */
function prepareEphemeralContainers<T extends KubeObject>(strategy: Strategy<T>, object: T, old: T): void {
  const { ephemeralContainers } = ((object as unknown as Body).spec ?? {}) as { ephemeralContainers?: unknown }
  const { managedFields, resourceVersion } = object.metadata
  const metadata = { ...old.metadata, managedFields, resourceVersion }
  Object.assign(object, structuredClone({ ...old, metadata }))
  Object.assign((object as unknown as { spec: object }).spec, { ephemeralContainers })
  prepareUpdate(strategy, object, old, 'ephemeralcontainers')
}

function prepareUpdate<T extends KubeObject>(
  strategy: Strategy<T>,
  object: T,
  old: T,
  subresource: string | undefined,
): void {
  keepSystemFields(object, old)
  if (strategy.status) keepStatus(object as unknown as Body, old as unknown as Body)
  if (subresource === undefined) strategy.onUpdate?.(object, old)
  const annotated =
    strategy.annotationsCount && !sameMeaning(object.metadata.annotations ?? {}, old.metadata.annotations ?? {})
  if (strategy.generation && (annotated || contentChanged(object as unknown as Body, old as unknown as Body)))
    object.metadata.generation = (old.metadata.generation ?? 0) + 1
}

function prepareCreate<T extends KubeObject>(strategy: Strategy<T>, object: T): void {
  const body = object as unknown as Body
  delete body.metadata.deletionTimestamp
  delete body.metadata.deletionGracePeriodSeconds
  delete (body.metadata as { selfLink?: unknown }).selfLink
  delete body.metadata.generation
  if (strategy.generation) body.metadata.generation = 1
  if (typeof strategy.newStatus === 'function') body.status = strategy.newStatus(object)
  else if (strategy.status && strategy.newStatus !== 'keep') delete body.status
  strategy.onCreate?.(object)
}

function keepSystemFields(object: KubeObject, old: KubeObject): void {
  const { metadata } = object
  metadata.uid ??= old.metadata.uid
  metadata.creationTimestamp ??= old.metadata.creationTimestamp
  metadata.generation = old.metadata.generation
  metadata.deletionTimestamp ??= old.metadata.deletionTimestamp
  metadata.deletionGracePeriodSeconds ??= old.metadata.deletionGracePeriodSeconds
  for (const key of [
    'uid',
    'creationTimestamp',
    'generation',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  ] as const)
    if (metadata[key] === undefined) delete metadata[key]
}

function keepStatus(object: Body, old: Body): void {
  if (old.status === undefined) delete object.status
  else object.status = old.status
}

/** A write to `/status` changes status and metadata only; owners, labels and deletion stay as they are (deployment strategy upstream). */
function keepAllButStatus(object: Body, old: Body): void {
  for (const key of new Set([...Object.keys(object), ...Object.keys(old)])) {
    if (key === 'metadata' || key === 'status' || key === 'apiVersion' || key === 'kind') continue
    if (old[key] === undefined) delete object[key]
    else object[key] = old[key]
  }
  if (old.metadata.ownerReferences === undefined) delete object.metadata.ownerReferences
  else object.metadata.ownerReferences = old.metadata.ownerReferences
}

function contentChanged(object: Body, old: Body): boolean {
  for (const key of new Set([...Object.keys(object), ...Object.keys(old)])) {
    if (key === 'metadata' || key === 'status' || key === 'apiVersion' || key === 'kind') continue
    if (!sameMeaning(object[key], old[key])) return true
  }
  return false
}
