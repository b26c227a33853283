import { compileExpression } from '../cel/index.ts'
import { type FieldError, isRecord } from '../objects/index.ts'
import { propertySchema, type StructuralSchema, type ValidationRule } from './schema.ts'

/** Checks the `x-kubernetes-validations` of a schema on a new value and, for transition rules, on the old one. */
export type RuleChecker = (value: unknown, old: unknown) => FieldError[]

interface Rule extends ValidationRule {
  readonly run: (self: unknown, oldSelf: unknown) => unknown
  readonly message: string
  readonly explain: ((self: unknown, oldSelf: unknown) => unknown) | undefined
  /** Mentions `oldSelf`: such a rule waits for an old value. */
  readonly transition: boolean
}

/** Errors end there. */
const errorLimit = 100

/** The checker of a schema's rules; nothing is loaded when it has none. */
export function ruleChecker(schema: StructuralSchema): RuleChecker {
  if (!hasRules(schema)) return () => []
  const compiled = new Map<StructuralSchema, Rule[]>()
  const rulesOf = (node: StructuralSchema): Rule[] => {
    let rules = compiled.get(node)
    if (rules === undefined) {
      rules = (node['x-kubernetes-validations'] ?? []).map(compile)
      compiled.set(node, rules)
    }
    return rules
  }
  return (value, old) => {
    const errors: FieldError[] = []
    walk(value, old, schema, '', errors, rulesOf)
    return errors
  }
}

function hasRules(schema: StructuralSchema): boolean {
  if (schema['x-kubernetes-validations']?.length) return true
  const children = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties]
  return children.some((child) => typeof child === 'object' && hasRules(child))
}

function walk(
  value: unknown,
  old: unknown,
  schema: StructuralSchema,
  path: string,
  errors: FieldError[],
  rulesOf: (schema: StructuralSchema) => Rule[],
): void {
  if (value === undefined || value === null || errors.length >= errorLimit) return
  for (const rule of rulesOf(schema)) {
    const found = apply(rule, value, old, schema, path)
    if (found !== undefined) errors.push(found)
  }
  if (Array.isArray(value)) {
    if (schema.items === undefined) return
    for (const [index, item] of value.entries())
      walk(item, oldItem(item, old, schema), schema.items, `${path}[${index}]`, errors, rulesOf)
  } else if (isRecord(value)) {
    for (const [name, item] of Object.entries(value)) {
      const inner = propertySchema(schema, name)
      const before = isRecord(old) ? old[name] : undefined
      if (inner !== undefined) walk(item, before, inner, path === '' ? name : `${path}.${name}`, errors, rulesOf)
    }
  }
}

/** Items of a map list are the same when their keys are; items of other lists have no past. */
function oldItem(item: unknown, old: unknown, schema: StructuralSchema): unknown {
  const keys = schema['x-kubernetes-list-map-keys']
  if (!Array.isArray(old) || keys === undefined || !isRecord(item)) return undefined
  return old.find((other) => isRecord(other) && keys.every((key) => other[key] === item[key]))
}

function apply(
  rule: Rule,
  value: unknown,
  old: unknown,
  schema: StructuralSchema,
  path: string,
): FieldError | undefined {
  if (rule.transition && old === undefined && !rule.optionalOldSelf) return undefined
  const self = toCel(value, schema)
  const oldSelf = old === undefined ? undefined : toCel(old, schema)
  const field = `${path}${rule.fieldPath ?? ''}`.replace(/^\./, '') || '<nil>'
  const shown = isRecord(value) ? '"object"' : Array.isArray(value) ? '"array"' : JSON.stringify(value)
  const reason = rule.reason ?? 'FieldValueInvalid'
  try {
    if (rule.run(self, oldSelf) === true) return undefined
  } catch (error) {
    const text = `rule evaluation error: ${(error as Error).message.split('\n', 1)[0]}, rule: ${rule.rule}`
    return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${shown}: ${text}` }
  }
  return { reason, field, message: render(reason, shown, messageOf(rule, self, oldSelf)) }
}

function messageOf(rule: Rule, self: unknown, oldSelf: unknown): string {
  try {
    const text = rule.explain?.(self, oldSelf)
    if (typeof text === 'string' && text.trim() !== '' && !text.includes('\n')) return text
  } catch {}
  return rule.message
}

function render(reason: FieldError['reason'], shown: string, text: string): string {
  if (reason === 'FieldValueForbidden') return `Forbidden: ${text}`
  if (reason === 'FieldValueRequired') return `Required value: ${text}`
  if (reason === 'FieldValueDuplicate') return `Duplicate value: ${shown}`
  return `Invalid value: ${shown}: ${text}`
}

function compile(rule: ValidationRule): Rule {
  const program = (text: string) => {
    const evaluate = compileExpression(text)
    return (self: unknown, oldSelf: unknown) => evaluate({ self, oldSelf })
  }
  return {
    ...rule,
    run: program(rule.rule),
    message: rule.message?.trim() || `failed rule: ${rule.rule.trim()}`,
    explain: rule.messageExpression === undefined ? undefined : program(rule.messageExpression),
    transition: /\boldSelf\b/.test(rule.rule),
  }
}

/** A JSON value as CEL sees it: integers are 64 bits wide, numbers are doubles. */
function toCel(value: unknown, schema: StructuralSchema | undefined): unknown {
  if (typeof value === 'number') {
    const whole = Number.isSafeInteger(value) && schema?.type !== 'number'
    return whole ? BigInt(value) : value
  }
  if (Array.isArray(value)) return value.map((item) => toCel(item, schema?.items))
  if (typeof value === 'string' && schema?.format === 'date-time') return new Date(value)
  if (!isRecord(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [celName(name), toCel(item, schema && propertySchema(schema, name))]),
  )
}

const reserved = new Set([
  ...['true', 'false', 'null', 'in', 'as', 'break', 'const', 'continue', 'else', 'for', 'function', 'if'],
  ...['import', 'let', 'loop', 'package', 'namespace', 'return', 'var', 'void', 'while'],
])

/** Upstream's spelling of property names that CEL cannot say: `__namespace__`, `a__dash__b`. */
function celName(name: string): string {
  if (reserved.has(name)) return `__${name}__`
  return /[-./]|__/.test(name) && /^[A-Za-z_]/.test(name)
    ? name.replace(/__|\.|-|\//g, (part) =>
        part === '__' ? '__underscores__' : part === '.' ? '__dot__' : part === '-' ? '__dash__' : '__slash__',
      )
    : name
}
