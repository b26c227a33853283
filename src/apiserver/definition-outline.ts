import { type Definition, outlineOf } from '../customresources/index.ts'
import type { Entry } from './entry.ts'

const outlines = new WeakMap<Entry, Definition>()

/** The outline of a stored CustomResourceDefinition; the whole definition does not stay decoded. */
export function definitionOutline(entry: Entry): Definition {
  let outline = outlines.get(entry)
  if (outline === undefined) {
    outline = outlineOf(entry.decode() as Definition)
    entry.forget()
    outlines.set(entry, outline)
  }
  return outline
}
