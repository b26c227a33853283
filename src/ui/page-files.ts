import { readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { extname, join } from 'node:path'

/** A file of the page as browsers take it. */
export interface PageFile {
  readonly type: string
  readonly body: string
}

const folder = join(import.meta.dirname, 'page')

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.ts': 'text/javascript; charset=utf-8',
}

/** The files of the page by path, `/` and `/page/NAME`; modules without their types. Each is read once, when it is asked for. */
export class PageFiles {
  readonly #names = new Set(
    readdirSync(folder).filter((name) => Object.hasOwn(types, extname(name)) && !name.endsWith('.test.ts')),
  )
  readonly #read = new Map<string, PageFile>()

  find(path: string): PageFile | undefined {
    const name = path === '/' ? 'index.html' : path.startsWith('/page/') ? path.slice('/page/'.length) : ''
    if (!this.#names.has(name)) return undefined
    const known = this.#read.get(name) ?? readPageFile(name)
    this.#read.set(name, known)
    return known
  }
}

function readPageFile(name: string): PageFile {
  const text = readFileSync(join(folder, name), 'utf8')
  const type = types[extname(name)] ?? ''
  return { type, body: name.endsWith('.ts') ? withoutTypes(text) : text }
}

/** Node 24 calls this function experimental, on standard error, where words for people go. */
function withoutTypes(text: string): string {
  const { emitWarning } = process
  process.emitWarning = () => undefined
  try {
    return stripTypeScriptTypes(text)
  } finally {
    process.emitWarning = emitWarning
  }
}
