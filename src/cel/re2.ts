import { createRequire } from 'node:module'
import type { RE2JS } from 're2js'

const compiled = new Map<string, RE2JS>()
let library: typeof RE2JS | undefined

/**
 * A regular expression in RE2's syntax, as Go's and so Kubernetes' are: its time is linear in the text, whoever wrote it. Throws on one
 * that is malformed. Compiled once; the library is loaded at first use.
 */
export function re2(pattern: string): RE2JS {
  let form = compiled.get(pattern)
  if (form === undefined) {
    library ??= (createRequire(import.meta.url)('re2js') as { RE2JS: typeof RE2JS }).RE2JS
    if (compiled.size > 10_000) compiled.clear()
    form = library.compile(pattern)
    compiled.set(pattern, form)
  }
  return form
}

/** What is wrong with a pattern, in words; undefined for a good one. */
export function re2Problem(pattern: string): string | undefined {
  try {
    re2(pattern)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
