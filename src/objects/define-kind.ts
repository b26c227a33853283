import { ageColumn, nameColumn } from './column.ts'
import type { Column, FieldError, Kind } from './contract.ts'
import { dropNulls } from './drop-nulls.ts'
import { prepareObject, type Strategy } from './prepare.ts'
import type { KubeObject } from './types.ts'
import { type NameRule, validateMetadata } from './validate-metadata.ts'

/** What a kind says about itself; everything left out is the usual case. */
export interface Definition<T extends KubeObject> {
  /** The core group when left out. */
  readonly group?: string
  /** `v1` when left out. */
  readonly version?: string
  readonly kind: string
  readonly plural: string
  /** The kind in lower case when left out. */
  readonly singular?: string
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  /** True when left out. */
  readonly namespaced?: boolean
  readonly subresources?: Kind['subresources']
  /** A DNS-1123 subdomain when left out. */
  readonly name?: NameRule
  readonly strategy?: Strategy<T>
  readonly defaults?: (object: T, old?: T) => void
  /** Beyond metadata; not called for writes to `/status`, which `validateStatus` checks. */
  readonly validate?: (object: T, old: T | undefined, subresource: string | undefined) => readonly FieldError[]
  readonly validateStatus?: (object: T, old: T | undefined) => readonly FieldError[]
  /** The whole table, NAME and AGE included; these two alone when left out. */
  readonly columns?: readonly Column[]
  readonly selectableFields?: Readonly<Record<string, (object: T) => string>>
  readonly stored?: Kind['stored']
}

/** The kind that a definition describes, with metadata rules and the usual strategy around its own. */
export function defineKind<T extends KubeObject = KubeObject>(definition: Definition<T>): Kind {
  const { kind, plural, strategy = {}, validate, validateStatus, defaults } = definition
  const namespaced = definition.namespaced ?? true
  return {
    group: definition.group ?? '',
    version: definition.version ?? 'v1',
    kind,
    plural,
    singular: definition.singular ?? kind.toLowerCase(),
    shortNames: definition.shortNames ?? [],
    categories: definition.categories ?? [],
    namespaced,
    subresources: definition.subresources ?? [],
    applyDefaults(object, old) {
      dropNulls(object)
      defaults?.(object as T, old as T | undefined)
    },
    prepare(object, old, subresource) {
      prepareObject(strategy, object as T, old as T | undefined, subresource)
    },
    validate(object, old, subresource) {
      const errors = validateMetadata(object, old, namespaced, definition.name ?? 'subdomain')
      const own = subresource === 'status' ? validateStatus : validate
      return own === undefined ? errors : [...errors, ...own(object as T, old as T | undefined, subresource)]
    },
    columns: definition.columns ?? [nameColumn, ageColumn],
    selectableFields: (definition.selectableFields ?? {}) as Kind['selectableFields'],
    ...(definition.stored && { stored: definition.stored }),
  }
}
