import assert from 'node:assert/strict'
import { findKindOf, type KubeObject } from '../objects/index.ts'
import { type Applied, apply, type ManagedFieldsEntry, update } from './index.ts'
import type { OwnedKind } from './update.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look into any object
type Any = any

/** One object under the hands of several managers, as a server would keep it. */
export class Scene {
  readonly kind: OwnedKind
  live: KubeObject | undefined
  #seconds = 0

  constructor(apiVersion: string, kind: string, schema?: Any) {
    const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
    const custom = schema === undefined ? {} : { custom: { schema } }
    this.kind = findKindOf(apiVersion, kind) ?? { group: group!, version: version!, kind, subresources: [], ...custom }
  }

  /** An apply of these fields; what came of it. */
  apply(manager: string, fields: object, options: { force?: boolean; subresource?: string } = {}): Applied {
    const applied = this.#object(fields)
    const { force = false, subresource } = options
    const result = apply({ kind: this.kind, live: this.live, applied, manager, force, subresource, now: this.#now() })
    if (result.outcome === 'merged') this.#keep(result.object, result.managedFields)
    return result
  }

  /** An apply that must succeed. */
  applied(manager: string, fields: object, options: { force?: boolean; subresource?: string } = {}): void {
    const result = this.apply(manager, fields, options)
    assert.equal(result.outcome, 'merged', JSON.stringify(result))
  }

  /** A plain write that puts these fields in the place of the old ones. */
  update(manager: string, fields: object, subresource?: string): void {
    const live = this.live
    const uid = live?.metadata.uid
    const object = this.#object(fields)
    const updated = { ...object, metadata: { ...object.metadata, ...(uid ? { uid } : {}) } } as KubeObject
    this.#keep(updated, update({ kind: this.kind, live, updated, manager, subresource, now: this.#now() }))
  }

  /** What stands below the root, without the fields of the server. */
  get fields(): Any {
    const { apiVersion: _, kind: __, metadata, ...rest } = this.live as Any
    const { name: ___, uid: ____, managedFields: _____, ...own } = metadata
    return Object.keys(own).length > 0 ? { metadata: own, ...rest } : rest
  }

  get managedFields(): readonly ManagedFieldsEntry[] {
    return (this.live?.metadata.managedFields ?? []) as readonly ManagedFieldsEntry[]
  }

  /** Everyone's fieldsV1, by manager. */
  get owners(): Record<string, Any> {
    return Object.fromEntries(this.managedFields.map((entry) => [entry.manager, entry.fieldsV1]))
  }

  #now(): string {
    return new Date(Date.UTC(2026, 0, 1, 0, 0, this.#seconds++)).toISOString().replace('.000', '')
  }

  #object(fields: Any): KubeObject {
    const { group, version, kind } = this.kind
    const metadata = { name: 'x', ...fields.metadata }
    return { apiVersion: group === '' ? version : `${group}/${version}`, kind, ...fields, metadata }
  }

  #keep(object: KubeObject, managedFields: readonly ManagedFieldsEntry[] | undefined): void {
    const copy = JSON.parse(JSON.stringify(object)) as KubeObject
    copy.metadata.uid ??= 'u'
    if (managedFields === undefined) delete copy.metadata.managedFields
    else copy.metadata.managedFields = JSON.parse(JSON.stringify(managedFields))
    this.live = copy
  }
}
