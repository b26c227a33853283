import type { KubeObject } from './types.ts'

/** One served kind. The registry of them is the single source for routes, discovery, schemas, defaults, validation and columns. */
export interface Kind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly namespaced: boolean
  readonly subresources: readonly (
    | 'status'
    | 'scale'
    | 'log'
    | 'exec'
    | 'attach'
    | 'portforward'
    | 'binding'
    | 'ephemeralcontainers'
    | 'eviction'
    | 'token'
    | 'proxy'
    | 'finalize'
  )[]
  /** Sets what Kubernetes' defaulting sets; `old` is the stored object on update. Works on a private copy, in place. */
  readonly applyDefaults: (object: KubeObject, old?: KubeObject) => void
  /** Upstream's strategy: what a create or an update may set (clears status, keeps it, bumps generation…), before validation. */
  readonly prepare: (object: KubeObject, old: KubeObject | undefined, subresource: string | undefined) => void
  /** Upstream's validation, with its messages; immutables are checked against `old`. */
  readonly validate: (
    object: KubeObject,
    old: KubeObject | undefined,
    subresource: string | undefined,
  ) => readonly FieldError[]
  /** Columns of `kubectl get`, with priority 1 for `-o wide`. */
  readonly columns: readonly Column[]
  /** Field selectors beyond metadata.name and metadata.namespace, with how to read them. */
  readonly selectableFields: Readonly<Record<string, (object: KubeObject) => string>>
  /** Set on a version that is served beside the one in which objects are stored. */
  readonly stored?: StoredVersion
}

/** How the objects of one version become those of the version that is stored, and the other way; neither changes what it is given. */
export interface StoredVersion {
  readonly kind: Kind
  readonly toStored: (object: KubeObject) => KubeObject
  readonly fromStored: (object: KubeObject) => KubeObject
}

/** One cause of a 422, as `field.Error` upstream. */
export interface FieldError {
  readonly reason:
    | 'FieldValueInvalid'
    | 'FieldValueRequired'
    | 'FieldValueDuplicate'
    | 'FieldValueNotFound'
    | 'FieldValueNotSupported'
    | 'FieldValueForbidden'
    | 'FieldValueTooLong'
    | 'FieldValueTooMany'
    | 'FieldValueTypeInvalid'
    | 'InternalError'
  /** `spec.ports[0].name` */
  readonly field: string
  /** Upstream's text, e.g. `spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive` without the field. */
  readonly message: string
}

export interface Column {
  readonly name: string
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  readonly format: string
  readonly description: string
  readonly priority: number
  readonly cell: (object: KubeObject, now: Date) => string | number | boolean | null
}
