import { errors, type Kind, type KubeObject } from '../objects/index.ts'
import { matchesLabels, parseLabelSelector } from './label-selector.ts'
import { Refusal } from './refusal.ts'

/** Which objects of a list or a watch are wanted. */
export interface Selector {
  /** Everything is wanted: no object needs to be decoded. */
  readonly everything: boolean
  /** The one name that can match, when the field selector says so. */
  readonly name: string | undefined
  matches(object: KubeObject): boolean
}

interface FieldTest {
  readonly field: string
  readonly equal: boolean
  readonly value: string
}

/** The selector of a request's `labelSelector` and `fieldSelector`; parse errors are refused with 400 in upstream's words. */
export function parseSelector(kind: Kind, labels: string | null, fields: string | null): Selector {
  const requirements = attempt(() => parseLabelSelector(labels ?? ''))
  const tests = attempt(() => parseFieldSelector(fields ?? ''))
  const readers = tests.map((test) => ({ ...test, read: readerOf(kind, test.field) }))
  return {
    everything: requirements.length === 0 && tests.length === 0,
    name: tests.find((test) => test.field === 'metadata.name' && test.equal)?.value,
    matches: (object) =>
      readers.every(({ read, equal, value }) => (read(object) === value) === equal) &&
      matchesLabels(requirements, object.metadata.labels ?? {}),
  }
}

/** Parses `a=b,c!=d`; commas, equals signs and backslashes in values are escaped with a backslash. */
export function parseFieldSelector(text: string): FieldTest[] {
  const tests: FieldTest[] = []
  for (const term of splitTerms(text)) {
    if (term === '') continue
    const match = /^([^=!\\]*)(!=|==|=)((?:[^=\\]|\\[\s\S])*)$/.exec(term)
    if (match === null) throw new Error(`invalid selector: '${text}'; can't understand '${term}'`)
    tests.push({ field: match[1]!, equal: match[2] !== '!=', value: unescapeValue(match[3]!, text) })
  }
  return tests
}

function splitTerms(text: string): string[] {
  const terms: string[] = []
  let term = ''
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\' && i + 1 < text.length) term += text[i++]! + text[i]!
    else if (text[i] === ',') {
      terms.push(term)
      term = ''
    } else term += text[i]!
  }
  return [...terms, term]
}

function unescapeValue(value: string, whole: string): string {
  return value.replace(/\\([\s\S]?)/g, (_, char: string) => {
    if (char === '\\' || char === ',' || char === '=') return char
    throw new Error(`invalid field selector: invalid escape sequence in '${whole}'`)
  })
}

function readerOf(kind: Kind, field: string): (object: KubeObject) => string {
  if (field === 'metadata.name') return (object) => object.metadata.name
  if (field === 'metadata.namespace' && kind.namespaced) return (object) => object.metadata.namespace ?? ''
  const read = Object.hasOwn(kind.selectableFields, field) ? kind.selectableFields[field] : undefined
  if (read !== undefined) return read
  const message =
    Object.keys(kind.selectableFields).length > 0
      ? `field label not supported: ${field}`
      : `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`
  throw new Refusal(errors.badRequest(message))
}

function attempt<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal(errors.badRequest((error as Error).message))
  }
}
