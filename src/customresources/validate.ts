import { re2 } from '../cel/index.ts'
import type { FieldError } from '../objects/index.ts'
import { isRecord } from '../objects/index.ts'
import { isFormat } from './format.ts'
import { propertySchema, type StructuralSchema } from './schema.ts'

type Reason = FieldError['reason']

/** Errors end there: a list of ten thousand wrong items needs no ten thousand sentences. */
const errorLimit = 100

/** What is wrong with a custom object by its structural schema, in upstream's words; `path` is empty for the whole object. */
export function validateSchema(value: unknown, schema: StructuralSchema, path = ''): FieldError[] {
  const errors: FieldError[] = []
  check(value, schema, path, errors)
  return errors
}

function check(value: unknown, schema: StructuralSchema, path: string, errors: FieldError[]): void {
  if (errors.length >= errorLimit) return
  if (value === null && schema.nullable === true) return
  const mistake = typeMistake(value, schema)
  if (mistake !== undefined) {
    const text = `${path} in body must be of type ${mistake}: ${JSON.stringify(typeName(value))}`
    errors.push(error('FieldValueTypeInvalid', path, `Invalid value: ${JSON.stringify(typeName(value))}: ${text}`))
    return
  }
  checkValue(value, schema, path, errors)
  if (typeof value === 'string') checkText(value, schema, path, errors)
  else if (typeof value === 'number') checkNumber(value, schema, path, errors)
  else if (Array.isArray(value)) checkList(value, schema, path, errors)
  else if (isRecord(value)) checkObject(value, schema, path, errors)
  checkLogic(value, schema, path, errors)
}

function typeMistake(value: unknown, schema: StructuralSchema): string | undefined {
  if (schema['x-kubernetes-int-or-string'])
    return typeof value === 'string' || Number.isInteger(value) ? undefined : 'integer,string'
  if (schema.type === undefined) return undefined
  const name = typeName(value)
  if (name === schema.type || (schema.type === 'number' && name === 'integer')) return undefined
  return schema.type
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function checkValue(value: unknown, schema: StructuralSchema, path: string, errors: FieldError[]): void {
  if (schema.enum === undefined || schema.enum.some((item) => JSON.stringify(item) === JSON.stringify(value))) return
  const list = schema.enum.map((item) => JSON.stringify(typeof item === 'string' ? item : JSON.stringify(item)))
  const message = `Unsupported value: ${show(value)}: supported values: ${list.join(', ')}`
  errors.push(error('FieldValueNotSupported', path, message))
}

function checkText(value: string, schema: StructuralSchema, path: string, errors: FieldError[]): void {
  const { minLength, maxLength, pattern, format } = schema
  const length = [...value].length
  if (maxLength !== undefined && length > maxLength)
    errors.push(error('FieldValueTooLong', path, `Too long: may not be more than ${maxLength} bytes`))
  if (minLength !== undefined && length < minLength)
    errors.push(bad(path, value, `should be at least ${minLength} chars long`))
  if (pattern !== undefined && !re2(pattern).matcher(value).find())
    errors.push(bad(path, value, `should match '${pattern}'`))
  if (format !== undefined && !isFormat(format, value))
    errors.push(bad(path, value, `must be of type ${format}: ${JSON.stringify(value)}`))
}

function checkNumber(value: number, schema: StructuralSchema, path: string, errors: FieldError[]): void {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, format } = schema
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum))
    errors.push(bad(path, value, `should be less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`))
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum))
    errors.push(bad(path, value, `should be greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`))
  if (multipleOf !== undefined && Math.abs(value / multipleOf - Math.round(value / multipleOf)) > 1e-9)
    errors.push(bad(path, value, `should be a multiple of ${multipleOf}`))
  if (format === 'int32' && (value > 2 ** 31 - 1 || value < -(2 ** 31)))
    errors.push(bad(path, value, 'must be of type int32: "int64"'))
}

function checkList(value: readonly unknown[], schema: StructuralSchema, path: string, errors: FieldError[]): void {
  const { minItems, maxItems, items } = schema
  if (maxItems !== undefined && value.length > maxItems) errors.push(tooMany(path, value.length, maxItems))
  if (minItems !== undefined && value.length < minItems)
    errors.push(bad(path, value.length, `should have at least ${minItems} items`))
  checkUnique(value, schema, path, errors)
  if (items === undefined) return
  for (const [index, item] of value.entries()) check(item, items, `${path}[${index}]`, errors)
}

/** Items of a set differ; items of a map differ in their keys. */
function checkUnique(value: readonly unknown[], schema: StructuralSchema, path: string, errors: FieldError[]): void {
  const type = schema['x-kubernetes-list-type']
  if (type !== 'set' && type !== 'map') return
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const seen = new Set<string>()
  for (const [index, item] of value.entries()) {
    const identity =
      type === 'set' ? item : Object.fromEntries(keys.map((key) => [key, isRecord(item) ? item[key] : null]))
    const text = JSON.stringify(identity)
    if (seen.has(text)) errors.push(error('FieldValueDuplicate', `${path}[${index}]`, `Duplicate value: ${text}`))
    seen.add(text)
  }
}

function checkObject(
  value: Readonly<Record<string, unknown>>,
  schema: StructuralSchema,
  path: string,
  errors: FieldError[],
): void {
  const { required = [], minProperties, maxProperties } = schema
  const names = Object.keys(value)
  for (const name of required) {
    if (value[name] === undefined || !Object.hasOwn(value, name))
      errors.push(error('FieldValueRequired', below(path, name), 'Required value'))
  }
  if (maxProperties !== undefined && names.length > maxProperties)
    errors.push(tooMany(path, names.length, maxProperties))
  if (minProperties !== undefined && names.length < minProperties)
    errors.push(bad(path, names.length, `should have at least ${minProperties} properties`))
  if (schema['x-kubernetes-embedded-resource']) checkEmbedded(value, path, errors)
  for (const name of names) {
    const inner = propertySchema(schema, name)
    if (inner !== undefined) check(value[name], inner, below(path, name), errors)
  }
}

function checkEmbedded(value: Readonly<Record<string, unknown>>, path: string, errors: FieldError[]): void {
  for (const name of ['apiVersion', 'kind']) {
    if (typeof value[name] !== 'string' || value[name] === '')
      errors.push(error('FieldValueRequired', below(path, name), 'Required value: must not be empty'))
  }
}

function checkLogic(value: unknown, schema: StructuralSchema, path: string, errors: FieldError[]): void {
  const { allOf, anyOf, oneOf, not } = schema
  const holds = (part: StructuralSchema) => validateSchema(value, part, path).length === 0
  const named = JSON.stringify(path)
  for (const part of allOf ?? []) check(value, part, path, errors)
  if (anyOf !== undefined && !anyOf.some(holds))
    errors.push(plain(path, `${named} must validate at least one schema (anyOf)`))
  const matching = oneOf?.filter(holds).length ?? 1
  if (matching !== 1) {
    const found = matching === 0 ? 'Found none valid' : `Found ${matching} valid alternatives`
    errors.push(plain(path, `${named} must validate one and only one schema (oneOf). ${found}`))
  }
  if (not !== undefined && holds(not)) errors.push(plain(path, `${named} must not validate the schema (not)`))
}

function below(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

function error(reason: Reason, field: string, message: string): FieldError {
  return { reason, field: field === '' ? '<nil>' : field, message }
}

function bad(path: string, value: unknown, what: string): FieldError {
  return error('FieldValueInvalid', path, `Invalid value: ${show(value)}: ${path} in body ${what}`)
}

function plain(path: string, text: string): FieldError {
  return error('FieldValueInvalid', path, `Invalid value: "": ${text}`)
}

function tooMany(path: string, count: number, max: number): FieldError {
  return error('FieldValueTooMany', path, `Too many: ${count}: must have at most ${max} items`)
}

function show(value: unknown): string {
  if (isRecord(value)) return '"object"'
  return Array.isArray(value) ? '"array"' : JSON.stringify(value)
}
