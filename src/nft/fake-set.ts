import { isDeepStrictEqual } from 'node:util'
import { keyBytes, parseKeyRange } from './element-key.ts'
import { effectiveFlags } from './encode-set.ts'
import type { Element, SetDeclaration } from './language.ts'
import { canonicalKey, canonicalValue } from './render-elements.ts'
import { parseVerdict } from './render-words.ts'
import { type SetShape, shapeOf } from './set-shape.ts'

/** The fake's refusal, with the kernel's errno. */
export class NftError extends Error {
  readonly errno: 'ENOENT' | 'EEXIST' | 'EBUSY' | 'EINVAL' | 'EOPNOTSUPP' | 'ENFILE' | 'EMLINK'
  /** The operation in words. */
  readonly step: string
  readonly detail: string
  /** Index into the transaction. */
  readonly operation: number
  constructor(errno: NftError['errno'], step: string, detail: string, operation = -1) {
    super(`${step}: ${errno} (${detail})`)
    this.name = 'NftError'
    this.errno = errno
    this.step = step
    this.detail = detail
    this.operation = operation
  }
}

/** A set or map of the fake. */
export class FakeSet {
  readonly declaration: SetDeclaration
  readonly shape: SetShape
  /** By canonical key. */
  readonly elements = new Map<string, Element>()

  constructor(declaration: SetDeclaration) {
    this.declaration = declaration
    this.shape = refuseBadText(() => shapeOf(declaration))
  }

  /** Whether the kernel takes this declaration for the same set. */
  isLike(other: SetDeclaration): boolean {
    const { key, value, timeoutSeconds } = this.declaration
    return (
      isDeepStrictEqual([key, value, timeoutSeconds], [other.key, other.value, other.timeoutSeconds]) &&
      isDeepStrictEqual(effectiveFlags(this.declaration), effectiveFlags(other))
    )
  }

  /** Adds an element and gives what undoes it. The same again is no error; another value for a key, or an overlap, is. */
  add(element: Element): () => void {
    const { shape, elements } = this
    const key = refuseBadText(() => canonicalKey(shape, element.key))
    const { value } = element
    if ((value === undefined) !== (shape.value === undefined)) {
      throw new NftError('EINVAL', '', `element ${key} ${value === undefined ? 'lacks a value' : 'has a value'}`)
    }
    const known = elements.get(key)
    if (known !== undefined) {
      if (this.#canonical(known.value) !== this.#canonical(value))
        throw new NftError('EEXIST', '', `element ${key} has another value`)
      return () => {}
    }
    if (shape.interval) this.#refuseOverlap(key)
    const { size } = this.declaration
    if (size !== undefined && elements.size >= size) throw new NftError('ENFILE', '', `the set is full (${size})`)
    elements.set(key, element)
    return () => elements.delete(key)
  }

  /** Deletes an element and gives what undoes it; `ENOENT` when it is not there. */
  delete(text: string): () => void {
    const key = refuseBadText(() => canonicalKey(this.shape, text))
    const element = this.elements.get(key)
    if (element === undefined) throw new NftError('ENOENT', '', `there is no element ${key}`)
    this.elements.delete(key)
    return () => this.elements.set(key, element)
  }

  /** The element that covers a key made of single values, given in canonical text. */
  find(key: string): Element | undefined {
    if (!this.shape.interval) return this.elements.get(key)
    const bytes = keyBytes(this.shape, key)
    for (const [range, element] of this.elements) if (covers(this.shape, range, bytes)) return element
    return undefined
  }

  jumpsTo(chain: string): boolean {
    if (this.shape.value !== 'verdict') return false
    for (const { value = '' } of this.elements.values()) {
      const verdict = parseVerdict(value)
      if ('chain' in verdict && verdict.chain === chain) return true
    }
    return false
  }

  #canonical(value: string | undefined): string | undefined {
    return value === undefined ? undefined : refuseBadText(() => canonicalValue(this.shape, value))
  }

  #refuseOverlap(key: string): void {
    const { low, high } = parseKeyRange(this.shape, key)
    for (const other of this.elements.keys()) {
      const range = parseKeyRange(this.shape, other)
      if (
        partwise(
          this.shape,
          (at, end) =>
            Buffer.compare(low.subarray(at, end), range.high.subarray(at, end)) <= 0 &&
            Buffer.compare(range.low.subarray(at, end), high.subarray(at, end)) <= 0,
        )
      ) {
        throw new NftError('EEXIST', '', `element ${key} overlaps ${other}`)
      }
    }
  }
}

/** Whether a range of keys, part by part, holds a key. Interval sets have no host-order parts, so bytes compare as numbers. */
export function covers(shape: SetShape, range: string, key: Uint8Array): boolean {
  const { low, high } = parseKeyRange(shape, range)
  return partwise(
    shape,
    (at, end) =>
      Buffer.compare(low.subarray(at, end), key.subarray(at, end)) <= 0 &&
      Buffer.compare(key.subarray(at, end), high.subarray(at, end)) <= 0,
  )
}

function partwise({ key }: SetShape, test: (at: number, end: number) => boolean): boolean {
  let at = 0
  return key.every((part) => {
    const holds = test(at, at + part.size)
    at += (part.size + 3) & ~3
    return holds
  })
}

function refuseBadText<T>(parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw new NftError('EINVAL', '', (cause as Error).message)
  }
}
