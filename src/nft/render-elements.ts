import { keyBytes, parseKeyRange, readParts, renderKeyRange } from './element-key.ts'
import type { Element } from './language.ts'
import { parseVerdict, quote, renderDuration, renderVerdict } from './render-words.ts'
import type { SetShape } from './set-shape.ts'
import { compareValues } from './value-text.ts'

/** The elements in nft's own order: by value, except ranges in concatenations, which stay as they were added. */
export function sortElements<E extends { readonly key: string }>(shape: SetShape, elements: readonly E[]): E[] {
  if (shape.interval && shape.key.length > 1) return [...elements]
  const keyed = elements.map((element) => ({
    element,
    bytes: shape.interval ? parseKeyRange(shape, element.key).low : keyBytes(shape, element.key),
  }))
  keyed.sort((a, b) => compareKeys(shape, a.bytes, b.bytes))
  return keyed.map(({ element }) => element)
}

function compareKeys(shape: SetShape, a: Uint8Array, b: Uint8Array): number {
  let at = 0
  for (const part of shape.key) {
    const order = compareValues(part, a.subarray(at, at + part.size), b.subarray(at, at + part.size))
    if (order !== 0) return order
    at += (part.size + 3) & ~3
  }
  return 0
}

/** A key in nft's own spelling; equal keys are equal text. Throws a TypeError when it does not fit the set's types. */
export function canonicalKey(shape: SetShape, key: string): string {
  if (!shape.interval) return readParts(shape.key, keyBytes(shape, key), 0)
  const { low, high } = parseKeyRange(shape, key)
  return renderKeyRange(shape, low, high)
}

/** A map's value in nft's own spelling. */
export function canonicalValue(shape: SetShape, value: string): string {
  if (shape.value === undefined) throw new TypeError(`set ${shape.name} has no values`)
  if (shape.value === 'verdict') return renderVerdict(parseVerdict(value))
  return readParts(shape.value, keyBytes({ ...shape, key: shape.value, keySize: shape.valueSize }, value), 0)
}

/** One element as nft prints it. */
export function renderElement(shape: SetShape, element: Element): string {
  let text = canonicalKey(shape, element.key)
  if (element.timeoutSeconds !== undefined) text += ` timeout ${renderDuration(element.timeoutSeconds)}`
  if (element.comment !== undefined) text += ` comment ${quote(element.comment)}`
  return element.value === undefined ? text : `${text} : ${canonicalValue(shape, element.value)}`
}

/** The `elements = { … }` lines, wrapped as nft wraps them by the key's type. */
export function renderElements(shape: SetShape, elements: readonly Element[]): string {
  const perLine = shape.key.length === 1 ? (shape.key[0]?.perLine ?? 1) : 1
  const lines: string[] = []
  const texts = sortElements(shape, elements).map((element) => renderElement(shape, element))
  for (let i = 0; i < texts.length; i += perLine) lines.push(texts.slice(i, i + perLine).join(', '))
  return `elements = { ${lines.join(',\n\t\t\t     ')} }`
}
