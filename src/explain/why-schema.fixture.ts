import { isDeepStrictEqual } from 'node:util'
import { whySchema } from './why-schema.ts'

interface Schema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly oneOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: false
  readonly minimum?: number
  readonly maximum?: number
}

/** What of an answer, as JSON, is not as its schema says: places with the reason, none where all is well. */
export function mistakesIn(answer: unknown): readonly string[] {
  return mistakes(JSON.parse(JSON.stringify(answer)), whySchema as Schema, '')
}

/** The words of draft 2020-12 that the schema uses; a word that is not known here is a mistake of its own. */
function mistakes(value: unknown, schema: Schema, path: string): readonly string[] {
  const strange = Object.keys(schema).filter((word) => !known.has(word))
  if (strange.length > 0) return [`${path}: the schema says ${strange.join(', ')}`]
  if (schema.oneOf !== undefined) {
    const all = schema.oneOf.map((one) => mistakes(value, one, path))
    const fitting = all.filter((found) => found.length === 0).length
    return fitting === 1 ? [] : [`${path}: ${fitting} of oneOf fit: ${all.map(([first]) => first).join(' | ')}`]
  }
  const type = typeOf(value)
  if (schema.type !== undefined && type !== schema.type) return [`${path} is ${type}, not ${schema.type}`]
  if (schema.enum !== undefined && !schema.enum.some((one) => isDeepStrictEqual(one, value)))
    return [`${path} is ${JSON.stringify(value)}, none of ${JSON.stringify(schema.enum)}`]
  if (typeof value === 'number' && (value < (schema.minimum ?? value) || value > (schema.maximum ?? value)))
    return [`${path} is ${value}`]
  if (Array.isArray(value)) return value.flatMap((one, at) => mistakes(one, schema.items ?? {}, `${path}[${at}]`))
  if (type !== 'object') return []
  const fields = Object.entries(value as object)
  const { properties = {}, required = [] } = schema
  const missing = required.filter((name) => !Object.hasOwn(value as object, name))
  return [
    ...missing.map((name) => `${path}.${name} is missing`),
    ...fields.flatMap(([name, one]) => {
      const own = properties[name]
      return own === undefined ? [`${path}.${name} is not in the schema`] : mistakes(one, own, `${path}.${name}`)
    }),
  ]
}

const known = new Set(['$schema', '$id', 'title', 'description', 'type', 'enum', 'oneOf', 'items', 'properties'])
for (const word of ['required', 'additionalProperties', 'minimum', 'maximum']) known.add(word)

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return Number.isInteger(value) ? 'integer' : typeof value
}
