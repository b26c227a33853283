import type { CollectionTag, Document, ScalarTag } from 'yaml'
import type { KubeObject } from '../objects/index.ts'
import { yaml } from './yaml.ts'

/** One object of a manifest and where it stands. */
export interface Manifest {
  readonly object: KubeObject
  /** File name, or what the caller called the text. */
  readonly source: string
  /** Document within the source, from 1. */
  readonly document: number
  /** Line at which the object begins, from 1. */
  readonly line: number
}

/** A user's mistake in a manifest. `message` says what, and what to do. */
export interface ManifestProblem {
  readonly source: string
  readonly document: number
  readonly line: number
  readonly message: string
}

/** More documents than any real file has; past it the rest is refused. */
const maxDocuments = 10_000

/**
 * The objects of a multi-document YAML or JSON text, List kinds taken apart, empty documents skipped. Never throws:
 * what cannot be read becomes a problem with its place.
 */
export function parseManifests(text: string, source: string): { manifests: Manifest[]; problems: ManifestProblem[] } {
  const manifests: Manifest[] = []
  const problems: ManifestProblem[] = []
  const lines = new (yaml().LineCounter)()
  const documents = yaml().parseAllDocuments(text, {
    lineCounter: lines,
    uniqueKeys: true,
    customTags: (tags) => [...yaml11Tags, ...tags],
  })
  const all = Array.isArray(documents) ? documents : []
  all.slice(0, maxDocuments).forEach((document, index) => {
    const line = lines.linePos(firstOffset(document)).line
    const place = { source, document: index + 1, line }
    const [error] = document.errors
    if (error !== undefined) {
      const message = error.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '') ?? error.code
      problems.push({ ...place, line: lines.linePos(error.pos[0]).line, message: `is not YAML: ${message}` })
      return
    }
    try {
      collect(document.toJS({ maxAliasCount: 1000 }), place, '', manifests, problems)
    } catch (cause) {
      problems.push({ ...place, message: `is not YAML: ${(cause as Error).message}` })
    }
  })
  if (all.length > maxDocuments)
    problems.push({
      source,
      document: maxDocuments,
      line: 1,
      message: `has more than ${maxDocuments} documents; split it`,
    })
  return { manifests, problems }
}

/** `web.yaml, document 2, line 14: message`. */
export function renderProblem(problem: ManifestProblem): string {
  return `${problem.source}, document ${problem.document}, line ${problem.line}: ${problem.message}`
}

type Place = Omit<ManifestProblem, 'message'>

function collect(value: unknown, place: Place, path: string, manifests: Manifest[], problems: ManifestProblem[]): void {
  if (value === null || value === undefined) return
  const fail = (message: string) => problems.push({ ...place, message: path === '' ? message : `${path}: ${message}` })
  if (typeof value !== 'object' || Array.isArray(value))
    return void fail('is not an object; an object starts with apiVersion and kind')
  const object = value as Partial<KubeObject> & { items?: unknown }
  if (typeof object.apiVersion !== 'string' || object.apiVersion === '')
    return void fail('apiVersion is missing; write for example "apiVersion: v1"')
  if (typeof object.kind !== 'string' || object.kind === '')
    return void fail('kind is missing; write for example "kind: Service"')
  if (object.kind.endsWith('List') && Array.isArray(object.items)) {
    for (const [index, item] of object.items.entries())
      collect(item, place, `${path}items[${index}]`, manifests, problems)
    return
  }
  const metadata = object.metadata as Partial<KubeObject['metadata']> | undefined
  if (typeof metadata !== 'object' || metadata === null) return void fail(`${object.kind}: metadata is missing`)
  const hasName = typeof metadata.name === 'string' && metadata.name !== ''
  if (!hasName && typeof metadata.generateName !== 'string')
    return void fail(`${object.kind}: metadata.name is missing or not a string`)
  manifests.push({ ...place, object: object as KubeObject })
}

function firstOffset(document: Document.Parsed): number {
  return document.contents?.range[0] ?? document.range[0]
}

/**
 * Kubernetes reads YAML 1.1 words for booleans (`yes`, `on`) and octal numbers (`0644`), both absent from YAML 1.2's core schema.
 * Dates and sexagesimal numbers stay strings, as they do in sigs.k8s.io/yaml.
 */
const yaml11Tags: (ScalarTag | CollectionTag)[] = [
  {
    tag: 'tag:yaml.org,2002:bool',
    default: true,
    test: /^(?:yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$/,
    resolve: (text: string) => /^(?:yes|on)$/i.test(text),
  },
  {
    tag: 'tag:yaml.org,2002:int',
    default: true,
    test: /^[-+]?0[0-7]+$/,
    resolve: (text: string) => Number.parseInt(text, 8),
  },
]
