import { errors, type FieldError, type KubeObject } from '../objects/index.ts'
import { type ManagedFieldsEntry, update } from '../ownership/index.ts'
import type { Call } from './core.ts'
import { Refusal } from './refusal.ts'
import type { Scope } from './scope.ts'
import { timestamp } from './value.ts'

/** Computes an object's managedFields from its stored and its next state; undefined when its managers are not tracked. */
export type Track = (live: KubeObject | undefined, updated: KubeObject) => readonly ManagedFieldsEntry[] | undefined

/**
 * Objects that Plumb's own components create are tracked from the first apply on only, when everything in them becomes
 * `before-first-apply`'s: most of a lab's writes are theirs, and nobody reads who owns a Lease.
 */
const untracked = /^plumb-/
const longest = 128

/** How a plain write (create, update, patch) is tracked. */
export function trackWrites(scope: Scope, call: Call): Track {
  const manager = managerOf(call)
  const { kind, subresource } = scope
  return (live, updated) => {
    if (live === undefined && untracked.test(manager)) return undefined
    return update({ kind, live, updated, manager, subresource, now: timestamp() })
  }
}

/** Who writes: the request's `fieldManager`, or the first word of its user agent. */
function managerOf({ query, headers, method }: Call): string {
  const options = method === 'POST' ? 'CreateOptions' : method === 'PUT' ? 'UpdateOptions' : 'PatchOptions'
  const manager = query.get('fieldManager') ?? ''
  if (method === 'PATCH' && query.has('force')) {
    const message = 'Forbidden: may not be specified for non-apply patch'
    throw refused(options, { reason: 'FieldValueForbidden', field: 'force', message })
  }
  checkManager(options, manager)
  if (manager !== '') return manager
  const agent = (headers['user-agent'] ?? '').split('/', 1)[0]!.replace(/[^\x20-\x7e]/g, '')
  return agent.slice(0, longest) || 'unknown'
}

/** Who applies, and whether conflicts are taken over: `fieldManager`, which must be there, and `force`. */
export function applierOf({ query }: Call): { readonly manager: string; readonly force: boolean } {
  const manager = query.get('fieldManager') ?? ''
  if (manager === '') {
    const message = 'Required value: is required for apply patch'
    throw refused('PatchOptions', { reason: 'FieldValueRequired', field: 'fieldManager', message })
  }
  checkManager('PatchOptions', manager)
  const force = query.get('force') ?? 'false'
  return { manager, force: force === '' || force === 'true' || force === '1' }
}

/** Puts the managers into an object, or takes them out when nobody is tracked. */
export function setManagedFields(object: KubeObject, entries: readonly ManagedFieldsEntry[] | undefined): void {
  if (entries === undefined) delete object.metadata.managedFields
  else object.metadata.managedFields = entries as unknown[]
}

function checkManager(options: string, manager: string): void {
  if (manager.length > longest) {
    const message = `Too long: may not be more than ${longest} bytes`
    throw refused(options, { reason: 'FieldValueTooLong', field: 'fieldManager', message })
  }
  if (/[^\P{C}\u0020]/u.test(manager)) {
    const message = `Invalid value: ${JSON.stringify(manager)}: should only contain printable characters`
    throw refused(options, { reason: 'FieldValueInvalid', field: 'fieldManager', message })
  }
}

function refused(kind: string, error: FieldError): Refusal {
  return new Refusal(errors.invalid({ group: 'meta.k8s.io', kind }, '', [error]))
}
