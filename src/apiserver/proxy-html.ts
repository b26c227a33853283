import { Transform } from 'node:stream'

/** Pages that are larger pass as they are, in bytes. */
const pageLimit = 8 << 20
/** A start tag. No name and no bare value has a `<`, so that one beginning is read once, whatever follows. */
const tag = /<[a-z][a-z0-9-]*(?:\s+[^\s=<>]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>]+))?)*\s*\/?>/gi
/** The attributes that hold one URL (HTML Living Standard, "Attributes"; upstream's `atomsToAttrs`). */
const attribute =
  /(\s(?:action|background|cite|codebase|data|formaction|href|icon|longdesc|manifest|poster|profile|src|usemap)\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)/gi

/** Puts every URL of a page's attributes through `rewrite`; scripts, styles and text stay as they are. */
export function rewritePage(page: string, rewrite: (url: string) => string): string {
  return page.replace(tag, (whole) =>
    whole.replace(attribute, (_, before: string, value: string) => {
      const quote = /^["']/.exec(value)?.[0] ?? ''
      const url = quote === '' ? value : value.slice(1, -1)
      return `${before}${quote}${rewrite(url)}${quote}`
    }),
  )
}

/** The same for a body that arrives in pieces. */
export function pageRewriter(rewrite: (url: string) => string): Transform {
  let held: Buffer[] | undefined = []
  let size = 0
  return new Transform({
    transform(chunk: Buffer, _, done) {
      if (held === undefined) return done(null, chunk)
      held.push(chunk)
      size += chunk.length
      if (size <= pageLimit) return done()
      const all = Buffer.concat(held)
      held = undefined
      done(null, all)
    },
    flush(done) {
      // Latin 1 keeps every byte of whatever encoding the page has; URLs in attributes are told apart by ASCII alone.
      if (held === undefined) return done()
      done(null, Buffer.from(rewritePage(Buffer.concat(held).toString('latin1'), rewrite), 'latin1'))
    },
  })
}
