import { type CustomKind, isCustom, pruneUnknown } from '../customresources/index.ts'
import {
  apiVersionOf,
  ConfigMaps,
  canonicalizeQuantities,
  checkFields,
  errors,
  type FieldCheck,
  type Kind,
  type KubeObject,
  type Shape,
  type StructType,
  schemaOf,
  structType,
} from '../objects/index.ts'
import { Refusal } from './refusal.ts'
import { isRecord, type JsonRecord } from './value.ts'

/** What is done about fields that the schema does not know. */
export type FieldValidation = 'Strict' | 'Warn' | 'Ignore'

/** The request's `fieldValidation`; `Warn` when it says nothing. */
export function fieldValidationOf(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') ?? ''
  if (value === '') return 'Warn'
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore') return value
  throw new Refusal(
    errors.invalid({ group: 'meta.k8s.io', kind: 'CreateOptions' }, '', [
      {
        reason: 'FieldValueNotSupported',
        field: 'fieldValidation',
        message: `Unsupported value: ${JSON.stringify(value)}: supported values: "", "Ignore", "Strict", "Warn"`,
      },
    ]),
  )
}

/**
 * The object that a body describes: apiVersion and kind filled in from the route, types checked, unknown fields refused, warned
 * about (through `warn`) and dropped. `patch` is the text of the patch that made it, for the words of a refusal.
 */
export function decodeObject(
  kind: Kind,
  value: unknown,
  validation: FieldValidation,
  warn: (text: string) => void,
  patch?: string,
): KubeObject {
  if (!isRecord(value))
    throw new Refusal(errors.badRequest('the object provided is unrecognized: it is not a JSON object'))
  checkIdentity(kind, value)
  if (isCustom(kind) && kind.custom.warning !== undefined) warn(kind.custom.warning)
  const { unknown, typeErrors } = isCustom(kind) ? checkCustom(kind, value) : checkFields(kind, value)
  const subject = `${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}`
  if (typeErrors[0] !== undefined) throw new Refusal(errors.badRequest(`${subject}: ${typeErrors[0].message}`))
  if (unknown.length > 0) {
    const all = `strict decoding error: ${unknown.join(', ')}`
    if (validation === 'Strict')
      throw new Refusal(patch === undefined ? errors.badRequest(`${subject}: ${all}`) : badPatch(patch, all))
    if (validation === 'Warn') for (const text of unknown) warn(text)
    const schema = schemaOf(kind)
    if (schema !== undefined) pruneStruct(value, schema)
  }
  if (!isCustom(kind)) canonicalizeQuantities(kind, value)
  value.metadata ??= {}
  if (!isRecord(value.metadata)) throw new Refusal(errors.badRequest(`${subject}: metadata is not an object`))
  return value as unknown as KubeObject
}

/** Metadata is decoded as that of any object, the rest is pruned by the kind's own schema. */
function checkCustom({ custom }: CustomKind, value: JsonRecord): FieldCheck {
  const { unknown, typeErrors } = checkFields(ConfigMaps, { metadata: value.metadata })
  if (isRecord(value.metadata)) pruneStruct(value.metadata, structType('meta.v1.ObjectMeta'))
  const pruned = pruneUnknown(value, custom.schema).map((path) => `unknown field "${path}"`)
  return { unknown: [...unknown, ...pruned], typeErrors }
}

function badPatch(patch: string, message: string) {
  const text = patch.length > 1000 ? `${patch.slice(0, 1000)}…` : patch
  return errors.invalid({ group: '', kind: '' }, '', [
    { reason: 'FieldValueInvalid', field: 'patch', message: `Invalid value: ${JSON.stringify(text)}: ${message}` },
  ])
}

function checkIdentity(kind: Kind, value: JsonRecord): void {
  const expected = apiVersionOf(kind)
  value.apiVersion ??= expected
  value.kind ??= kind.kind
  if (value.apiVersion === '') value.apiVersion = expected
  if (value.kind === '') value.kind = kind.kind
  if (value.apiVersion !== expected) {
    const message = `the API version in the data (${value.apiVersion}) does not match the expected API version (${expected})`
    throw new Refusal(errors.badRequest(message))
  }
  if (value.kind !== kind.kind) {
    const message = `${value.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}`
    throw new Refusal(errors.badRequest(message))
  }
}

function pruneStruct(value: JsonRecord, struct: StructType): void {
  for (const [name, item] of Object.entries(value)) {
    const property = struct.properties.get(name)
    if (property === undefined) delete value[name]
    else pruneShape(item, property.shape)
  }
}

function pruneShape(value: unknown, shape: Shape): void {
  switch (shape.kind) {
    case 'scalar':
    case 'any':
      return
    case 'struct':
      if (isRecord(value)) pruneStruct(value, structType(shape.type))
      return
    case 'list':
      if (Array.isArray(value)) for (const item of value) pruneShape(item, shape.items)
      return
    case 'map':
      if (isRecord(value)) for (const item of Object.values(value)) pruneShape(item, shape.values)
      return
    default:
      shape satisfies never
  }
}
