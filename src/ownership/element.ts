/**
 * One step of a path in the notation of FieldsV1: `f:spec`, `k:{"port":80,"protocol":"TCP"}`, `v:"a"` or `i:0`.
 * Canonical: the keys of a `k:` are sorted, so equal steps are equal strings.
 */
export type Element = string

/** The step to a field of a struct or map. */
export function fieldElement(name: string): Element {
  return `f:${name}`
}

/** The step to the item of a list map that has these values under its keys. */
export function keyElement(fields: Readonly<Record<string, unknown>>): Element {
  const names = Object.keys(fields)
  if (names.length > 1) names.sort()
  return `k:{${names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(fields[name])}`).join(',')}}`
}

/** The step to the item of a set that equals `value`. */
export function valueElement(value: unknown): Element {
  return `v:${JSON.stringify(value)}`
}

/** The canonical form of a step from outside; undefined when it is none. */
export function parseElement(text: string): Element | undefined {
  if (text.startsWith('f:')) return text
  try {
    if (text.startsWith('k:')) {
      const fields: unknown = JSON.parse(text.slice(2))
      if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return undefined
      return Object.keys(fields).length === 0 ? undefined : keyElement(fields as Record<string, unknown>)
    }
    if (text.startsWith('v:')) return valueElement(JSON.parse(text.slice(2)))
    if (text.startsWith('i:')) return /^i:\d{1,9}$/.test(text) ? `i:${Number(text.slice(2))}` : undefined
  } catch {
    return undefined
  }
  return undefined
}

/** A step as conflicts name it: `.spec`, `[port=80,protocol="TCP"]`, `[="a"]`, `[0]`. */
export function renderElement(element: Element): string {
  const rest = element.slice(2)
  switch (element[0]) {
    case 'f':
      return `.${rest}`
    case 'k': {
      const fields = Object.entries(JSON.parse(rest) as Record<string, unknown>)
      return `[${fields.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`
    }
    case 'v':
      return `[=${rest}]`
    default:
      return `[${rest}]`
  }
}

/** A path as conflicts name it: `.spec.ports[port=80,protocol="TCP"].name`. */
export function renderPath(path: readonly Element[]): string {
  return path.map(renderElement).join('')
}

/** Steps in upstream's order: fields, keys, values, indexes; keys and values by their content. */
export function sortElements(elements: Iterable<Element>): readonly Element[] {
  const fields: Element[] = []
  const others: Element[] = []
  for (const element of elements) (element.startsWith('f:') ? fields : others).push(element)
  if (fields.length > 1) fields.sort()
  return others.length === 0 ? fields : [...fields, ...(others.length > 1 ? sortByContent(others) : others)]
}

function sortByContent(elements: readonly Element[]): readonly Element[] {
  const parsed = elements.map((element): Content => ({ element, content: JSON.parse(element.slice(2)) }))
  return parsed.sort(compareContents).map(({ element }) => element)
}

interface Content {
  readonly element: Element
  readonly content: unknown
}

function compareContents(a: Content, b: Content): number {
  const kind = 'kvi'.indexOf(a.element[0]!) - 'kvi'.indexOf(b.element[0]!)
  if (kind !== 0) return kind
  if (a.element.startsWith('k:')) return compareFields(a.content as JsonRecord, b.content as JsonRecord)
  return compareValues(a.content, b.content)
}

type JsonRecord = Record<string, unknown>

function compareFields(a: JsonRecord, b: JsonRecord): number {
  const left = Object.entries(a)
  const right = Object.entries(b)
  for (let i = 0; i < left.length && i < right.length; i++) {
    const found = compareTexts(left[i]![0], right[i]![0]) || compareValues(left[i]![1], right[i]![1])
    if (found !== 0) return found
  }
  return left.length - right.length
}

/** Numbers come before texts, then booleans, lists, maps and null. */
function compareValues(a: unknown, b: unknown): number {
  const rank = rankOf(a) - rankOf(b)
  if (rank !== 0) return rank
  if (typeof a === 'number') return a - (b as number)
  if (typeof a === 'string') return compareTexts(a, b as string)
  return compareTexts(JSON.stringify(a), JSON.stringify(b))
}

function rankOf(value: unknown): number {
  if (value === null) return 5
  if (Array.isArray(value)) return 3
  return ['number', 'string', 'boolean', 'list', 'object'].indexOf(typeof value)
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
