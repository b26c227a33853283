import { re2Problem } from '../cel/index.ts'
import type { FieldError, KubeObject } from '../objects/index.ts'
import { readPath } from './path.ts'
import type { StructuralSchema } from './schema.ts'

/** The collection of definitions in the store. */
export const definitions = 'apiextensions.k8s.io/customresourcedefinitions'
/** Keeps a definition until its objects are gone. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

export interface DefinitionNames {
  plural: string
  singular?: string
  kind: string
  listKind?: string
  shortNames?: string[]
  categories?: string[]
}

/** A column of `kubectl get`, as a definition describes it. */
export interface PrinterColumn {
  readonly name: string
  readonly type: string
  readonly format?: string
  readonly description?: string
  readonly priority?: number
  readonly jsonPath: string
}

export interface DefinitionVersion {
  readonly name: string
  readonly served: boolean
  readonly storage: boolean
  readonly deprecated?: boolean
  readonly deprecationWarning?: string
  readonly schema?: { readonly openAPIV3Schema?: StructuralSchema }
  readonly subresources?: {
    readonly status?: object
    readonly scale?: {
      readonly specReplicasPath: string
      readonly statusReplicasPath: string
      readonly labelSelectorPath?: string
    }
  }
  readonly additionalPrinterColumns?: readonly PrinterColumn[]
  readonly selectableFields?: readonly { readonly jsonPath: string }[]
}

export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
  readonly lastTransitionTime: string
}

/** A CustomResourceDefinition of apiextensions.k8s.io/v1. */
export interface Definition extends KubeObject {
  spec: {
    group: string
    names: DefinitionNames
    scope: 'Namespaced' | 'Cluster'
    versions: DefinitionVersion[]
    conversion?: { strategy: string }
    preserveUnknownFields?: boolean
  }
  status?: { conditions?: Condition[]; acceptedNames?: DefinitionNames; storedVersions?: string[] }
}

/** A definition without its schemas and their owners: what is needed all the time, in a fraction of the memory. */
export function outlineOf(definition: Definition): Definition {
  const { name, uid, deletionTimestamp, finalizers } = definition.metadata
  const metadata = { name, uid, deletionTimestamp, finalizers } as Definition['metadata']
  const versions = definition.spec.versions.map(({ schema, ...version }) => version)
  return { ...definition, metadata, spec: { ...definition.spec, versions } }
}

/** Sets what upstream's defaulting sets, in place. */
export function defaultDefinition(object: KubeObject): void {
  const { spec } = object as Definition
  if (spec === undefined) return
  spec.conversion ??= { strategy: 'None' }
  if (spec.names?.kind) {
    spec.names.singular ||= spec.names.kind.toLowerCase()
    spec.names.listKind ||= `${spec.names.kind}List`
  }
}

/** What is wrong with a definition, in upstream's words. */
export function validateDefinition(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { metadata, spec } = object as Definition
  if (spec === undefined) return [required('spec')]
  const errors: FieldError[] = []
  const { group = '', names, scope, versions = [], conversion } = spec
  if (group === '') errors.push(required('spec.group'))
  else if (!group.includes('.')) errors.push(invalid('spec.group', group, 'should be a domain with at least one dot'))
  for (const field of ['plural', 'kind'] as const) if (!names?.[field]) errors.push(required(`spec.names.${field}`))
  if (names?.plural && metadata.name !== `${names.plural}.${group}`)
    errors.push(invalid('metadata.name', metadata.name, 'must be spec.names.plural+"."+spec.group'))
  if (scope !== 'Namespaced' && scope !== 'Cluster')
    errors.push(scope ? unsupported('spec.scope', scope, ['Cluster', 'Namespaced']) : required('spec.scope'))
  const before = (old as Definition | undefined)?.spec
  if (before !== undefined && before.scope !== scope) errors.push(invalid('spec.scope', scope, 'field is immutable'))
  errors.push(...validateVersions(versions))
  const served = versions.filter((version) => version.served).length
  // Nobody is asked to convert while there is one version.
  if (conversion?.strategy !== 'None' && served > 1)
    errors.push(unsupported('spec.conversion.strategy', conversion?.strategy, ['None']))
  return errors
}

function validateVersions(versions: readonly DefinitionVersion[]): FieldError[] {
  const path = 'spec.versions'
  const errors: FieldError[] = []
  if (versions.length === 0) return [required(path, 'must have exactly one version marked as storage version')]
  const names = new Set<string>()
  for (const [index, version] of versions.entries()) {
    const at = `${path}[${index}]`
    if (!version.name) errors.push(required(`${at}.name`))
    else if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(version.name))
      errors.push(invalid(`${at}.name`, version.name, 'a DNS-1035 label is needed, such as v1'))
    if (names.has(version.name)) errors.push(invalid(path, version.name, 'must contain unique version names'))
    names.add(version.name)
    errors.push(...validateVersion(version, at))
  }
  if (versions.filter((version) => version.storage).length !== 1)
    errors.push(
      invalid(
        path,
        versions.map(({ name }) => name),
        'must have exactly one version marked as storage version',
      ),
    )
  return errors
}

function validateVersion(version: DefinitionVersion, at: string): FieldError[] {
  const schema = version.schema?.openAPIV3Schema
  if (schema === undefined) return [required(`${at}.schema.openAPIV3Schema`, 'schemas are required')]
  const path = `${at}.schema.openAPIV3Schema`
  const errors: FieldError[] = []
  if (schema.type === undefined) errors.push(required(`${path}.type`, 'must not be empty at the root'))
  else if (schema.type !== 'object') errors.push(invalid(`${path}.type`, schema.type, 'must be object at the root'))
  validateStructure(schema, path, errors, 0)
  for (const [index, column] of (version.additionalPrinterColumns ?? []).entries())
    errors.push(...validateColumn(column, `${at}.additionalPrinterColumns[${index}]`))
  const scale = version.subresources?.scale
  for (const field of ['specReplicasPath', 'statusReplicasPath', 'labelSelectorPath'] as const)
    if (scale !== undefined)
      errors.push(...validatePath(scale[field], `${at}.subresources.scale.${field}`, field !== 'labelSelectorPath'))
  return errors
}

const deepest = 100

/** A schema is structural when every value has one type, whatever the logic around it says (KEP-1152). */
function validateStructure(schema: StructuralSchema, path: string, errors: FieldError[], depth: number): void {
  if (errors.length >= 50) return
  if (depth > deepest) {
    errors.push(invalid(path, '', `must not be nested deeper than ${deepest} levels`))
    return
  }
  const inner = (child: StructuralSchema, at: string, where: string) => {
    const free = child['x-kubernetes-int-or-string'] || child['x-kubernetes-preserve-unknown-fields']
    if (child.type === undefined && !free)
      errors.push(required(`${at}.type`, `must not be empty for specified ${where}`))
    validateStructure(child, at, errors, depth + 1)
  }
  for (const [name, child] of Object.entries(schema.properties ?? {}))
    inner(child, `${path}.properties[${name}]`, 'object fields')
  if (typeof schema.additionalProperties === 'object')
    inner(schema.additionalProperties, `${path}.additionalProperties`, 'object fields')
  if (schema.items !== undefined) inner(schema.items, `${path}.items`, 'array items')
  const problem = schema.pattern === undefined ? undefined : re2Problem(schema.pattern)
  if (problem !== undefined)
    errors.push(invalid(`${path}.pattern`, schema.pattern, `must be a valid regular expression, but isn't: ${problem}`))
  if (schema['x-kubernetes-list-type'] === 'map' && !schema['x-kubernetes-list-map-keys']?.length)
    errors.push(required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map'))
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']

function validateColumn({ name, type, jsonPath }: PrinterColumn, at: string): FieldError[] {
  const errors = name ? [] : [required(`${at}.name`)]
  if (!columnTypes.includes(type)) errors.push(unsupported(`${at}.type`, type, columnTypes))
  return [...errors, ...validatePath(jsonPath, `${at}.jsonPath`, true)]
}

function validatePath(path: string | undefined, field: string, needed: boolean): FieldError[] {
  if (!path) return needed ? [required(field)] : []
  try {
    readPath(path)
    return []
  } catch (error) {
    return [invalid(field, path, `is an invalid json path: ${(error as Error).message}`)]
  }
}

function required(field: string, detail = ''): FieldError {
  return { reason: 'FieldValueRequired', field, message: `Required value${detail === '' ? '' : `: ${detail}`}` }
}

function invalid(field: string, value: unknown, detail: string): FieldError {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${detail}` }
}

function unsupported(field: string, value: unknown, supported: readonly string[]): FieldError {
  const list = supported.map((item) => JSON.stringify(item)).join(', ')
  const message = `Unsupported value: ${JSON.stringify(value ?? '')}: supported values: ${list}`
  return { reason: 'FieldValueNotSupported', field, message }
}
