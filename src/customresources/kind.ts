import {
  ageColumn,
  type Column,
  defineKind,
  type FieldError,
  isRecord,
  type Kind,
  type KubeObject,
  nameColumn,
  renderAge,
} from '../objects/index.ts'
import type { Definition, DefinitionVersion, PrinterColumn } from './definition.ts'
import { type PathReader, readPath } from './path.ts'
import { setDefaults } from './prune.ts'
import { type RuleChecker, ruleChecker } from './rules.ts'
import type { StructuralSchema } from './schema.ts'
import { validateSchema } from './validate.ts'

/** A kind that a CustomResourceDefinition brings: a kind as any other, and what only custom kinds have. */
export interface CustomKind extends Kind {
  readonly custom: {
    readonly schema: StructuralSchema
    /** How all objects of the definition are stored, `v1`. */
    readonly storageVersion: string
    /** Whether objects are stored and shown in one and the same version. */
    readonly oneVersion: boolean
    readonly terminating: boolean
    readonly listKind: string
    readonly scale: NonNullable<DefinitionVersion['subresources']>['scale']
    /** What users of a deprecated version are told. */
    readonly warning: string | undefined
  }
}

/** Whether a CustomResourceDefinition brings this kind. */
export function isCustom(kind: Kind): kind is CustomKind {
  return 'custom' in kind
}

/** A version's schema and the checker of its rules. */
export interface VersionSchema {
  readonly schema: StructuralSchema
  readonly rules: RuleChecker
}

/** The schemas of a definition's versions by name; CEL rules are compiled at first use. */
export function schemasOf({ spec }: Definition): ReadonlyMap<string, VersionSchema> {
  return new Map(
    spec.versions.map((version) => {
      const schema = version.schema?.openAPIV3Schema ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
      let rules: RuleChecker | undefined
      const check: RuleChecker = (value, old) => {
        rules ??= ruleChecker(schema)
        return rules(value, old)
      }
      return [version.name, { schema, rules: check }]
    }),
  )
}

/** The kind that one version of a definition's outline describes; its schema is asked for at each use. */
export function customKind(
  definition: Definition,
  version: DefinitionVersion,
  schemaNow: () => VersionSchema,
): CustomKind {
  const { spec, metadata } = definition
  const names = definition.status?.acceptedNames ?? spec.names
  const { status, scale } = version.subresources ?? {}
  const kind = defineKind({
    group: spec.group,
    version: version.name,
    kind: names.kind,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: spec.scope === 'Namespaced',
    subresources: [...(status ? (['status'] as const) : []), ...(scale ? (['scale'] as const) : [])],
    strategy: { status: status !== undefined, generation: true },
    columns: columnsOf(version.additionalPrinterColumns),
    selectableFields: Object.fromEntries(
      (version.selectableFields ?? []).map(({ jsonPath }) => [jsonPath.replace(/^\./, ''), fieldReader(jsonPath)]),
    ),
  })
  return {
    ...kind,
    applyDefaults: (object) => setDefaults(object, schemaNow().schema),
    validate: (object, old, subresource): FieldError[] => {
      const { schema, rules } = schemaNow()
      const errors = [...kind.validate(object, old, subresource), ...validateSchema(body(object), schema)]
      if (errors.length > 0) return errors
      return rules(body(object), old === undefined ? undefined : body(old))
    },
    custom: {
      get schema() {
        return schemaNow().schema
      },
      storageVersion: spec.versions.find((item) => item.storage)?.name ?? version.name,
      oneVersion: spec.versions.length === 1,
      terminating: metadata.deletionTimestamp !== undefined,
      listKind: names.listKind ?? `${names.kind}List`,
      scale,
      warning: version.deprecated
        ? (version.deprecationWarning ?? `${spec.group}/${version.name} ${names.kind} is deprecated`)
        : undefined,
    },
  }
}

function body(object: KubeObject): Record<string, unknown> {
  return object as unknown as Record<string, unknown>
}

function fieldReader(path: string): (object: KubeObject) => string {
  const read = readPath(path)
  return (object) => String(read(object)[0] ?? '')
}

function columnsOf(columns: readonly PrinterColumn[] = []): Column[] {
  return columns.length === 0 ? [nameColumn, ageColumn] : [nameColumn, ...columns.map(columnOf)]
}

function columnOf({ name, type, format = '', description, priority = 0, jsonPath }: PrinterColumn): Column {
  const read = readPath(jsonPath)
  const text = description ?? `Custom resource definition column (in JSONPath format): ${jsonPath}`
  const cell: Column['cell'] = (object, now) => cellOf(read, type, object, now)
  return { name, type: type as Column['type'], format, description: text, priority, cell }
}

function cellOf(read: PathReader, type: string, object: KubeObject, now: Date): ReturnType<Column['cell']> {
  const value = read(object)[0]
  if (value === undefined) return null
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null
    case 'number':
      return typeof value === 'number' ? value : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'date':
      return typeof value === 'string' ? renderAge(value, now) : '<unknown>'
    default:
      return isRecord(value) || Array.isArray(value) ? JSON.stringify(value) : String(value)
  }
}
