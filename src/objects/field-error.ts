import type { FieldError } from './contract.ts'

/** Upstream's text of a bad value: strings quoted as Go's `%q`, numbers and booleans bare, the rest as JSON. */
export function renderValue(value: unknown): string {
  if (value === undefined) return 'null'
  return JSON.stringify(value)
}

const tail = (detail: string) => (detail === '' ? '' : `: ${detail}`)

/** The value is there and wrong. */
export function invalid(field: string, value: unknown, detail: string): FieldError {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${renderValue(value)}${tail(detail)}` }
}

/** The field must be given. */
export function required(field: string, detail = ''): FieldError {
  return { reason: 'FieldValueRequired', field, message: `Required value${tail(detail)}` }
}

/** The value occurs twice where it must be unique. */
export function duplicate(field: string, value: unknown): FieldError {
  return { reason: 'FieldValueDuplicate', field, message: `Duplicate value: ${renderValue(value)}` }
}

/** The value names something that is not there. */
export function absent(field: string, value: unknown): FieldError {
  return { reason: 'FieldValueNotFound', field, message: `Not found: ${renderValue(value)}` }
}

/** A number that must not be below zero. */
export function nonNegative(field: string, value: number | undefined): FieldError[] {
  return value === undefined || value >= 0 ? [] : [invalid(field, value, 'must be greater than or equal to 0')]
}

/** One error per complaint of a rule about text. */
export function complaints(field: string, value: string | number, problems: readonly string[]): FieldError[] {
  return problems.map((problem) => invalid(field, value, problem))
}

/** The value is not one of the closed set; the set is printed sorted, as upstream does. */
export function notSupported(field: string, value: unknown, supported: readonly string[]): FieldError {
  const list = [...supported].sort().map((item) => JSON.stringify(item))
  return {
    reason: 'FieldValueNotSupported',
    field,
    message: `Unsupported value: ${renderValue(value)}: supported values: ${list.join(', ')}`,
  }
}

/** The field may not be given here. */
export function forbidden(field: string, detail: string): FieldError {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden${tail(detail)}` }
}

/** The text is longer than `max` bytes. */
export function tooLong(field: string, max: number): FieldError {
  return { reason: 'FieldValueTooLong', field, message: `Too long: may not be more than ${max} bytes` }
}

/** The list has `count` items, more than `max`. */
export function tooMany(field: string, count: number, max: number): FieldError {
  return {
    reason: 'FieldValueTooMany',
    field,
    message: `Too many: ${count}: must have at most ${max} ${max === 1 ? 'item' : 'items'}`,
  }
}

/** The value may not change after creation. */
export function immutable(field: string, value: unknown): FieldError {
  return invalid(field, value, 'field is immutable')
}
