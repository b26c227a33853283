import { findAddress, findPrefix, hostPrefix, renderPrefix } from '../addr/index.ts'
import type { Finding } from './model.ts'

/** The annotations of ingress-nginx, under its name and under Plumb's, which wins. */
export const annotationPrefixes = ['plumb.network/', 'nginx.ingress.kubernetes.io/'] as const

/** Reads values of an object's annotations; what cannot be read is a finding, and as if it were not there. */
export class AnnotationReader {
  readonly findings: Finding[] = []
  readonly #annotations: Readonly<Record<string, string>>
  readonly #object: string
  readonly #prefixes: readonly string[]

  constructor(
    annotations: Readonly<Record<string, string>>,
    object: string,
    prefixes: readonly string[] = annotationPrefixes,
  ) {
    this.#prefixes = prefixes
    this.#annotations = annotations
    this.#object = object
  }

  /** The whole name under which an annotation is given. */
  keyOf(name: string): string | undefined {
    return this.#prefixes.map((prefix) => `${prefix}${name}`).find((key) => this.#annotations[key] !== undefined)
  }

  text(name: string): string | undefined {
    const key = this.keyOf(name)
    return key === undefined ? undefined : this.#annotations[key]!.trim()
  }

  /** Text of a form. */
  like(name: string, pattern: RegExp, form: string): string | undefined {
    const text = this.text(name)
    if (text === undefined || (text.length <= 4096 && pattern.test(text))) return text
    this.refuse(name, `"${text.slice(0, 80)}" is not ${form}`, `write ${form}, or take the annotation away`)
    return undefined
  }

  flag(name: string): boolean | undefined {
    const text = this.like(name, /^(true|false|on|off)$/i, 'true or false')?.toLowerCase()
    return text === undefined ? undefined : text === 'true' || text === 'on'
  }

  integer(name: string, least: number, most: number): number | undefined {
    const text = this.like(name, /^\d{1,9}$/, 'a whole number')
    if (text === undefined) return undefined
    const value = Number(text)
    if (value >= least && value <= most) return value
    this.refuse(name, `${value} is not within ${least} and ${most}`, `write a number within ${least} and ${most}`)
    return undefined
  }

  list(name: string): string[] | undefined {
    const text = this.like(name, /^[\x20-\x7e]*$/, 'words apart by commas')
    return text
      ?.split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '')
  }

  /** Prefixes as text; undefined also when one of them is none. */
  prefixes(name: string): string[] | undefined {
    const words = this.list(name)
    if (words === undefined) return undefined
    const read = words.map((word) => {
      const address = findAddress(word)
      return address === undefined ? findPrefix(word, true) : hostPrefix(address)
    })
    const wrong = words[read.indexOf(undefined)]
    if (wrong === undefined) return read.map((prefix) => renderPrefix(prefix!))
    this.refuse(name, `"${wrong}" is no address and no prefix`, 'write addresses or prefixes apart by commas')
    return undefined
  }

  /** Bytes: `8m`, `1g`, `512k`, or a bare number. */
  bytes(name: string): number | undefined {
    const text = this.like(name, /^\d{1,9}[kmg]?$/i, 'a size as 512k, 8m or 1g')?.toLowerCase()
    if (text === undefined) return undefined
    const unit = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[text.slice(-1)] ?? 1
    return Number.parseInt(text, 10) * unit
  }

  refuse(name: string, says: string, remedy: string, code = 'AnnotationInvalid'): void {
    const field = `metadata.annotations[${this.keyOf(name) ?? name}]`
    this.findings.push({ code, object: this.#object, field, says, try: remedy })
  }
}
