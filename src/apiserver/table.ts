import type { Kind, KubeObject } from '../objects/index.ts'
import type { Form } from './accept.ts'
import type { Entry } from './entry.ts'
import { entryAs } from './version-view.ts'

/** What each row of a Table carries of its object. */
export type IncludeObject = 'None' | 'Metadata' | 'Object'

/** The request's `includeObject`; `Metadata` when it says nothing or something unknown. */
export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject')
  return value === 'None' || value === 'Object' ? value : 'Metadata'
}

/** The JSON of an object's metadata alone. */
export function renderPartial(object: KubeObject, version: string): string {
  return JSON.stringify({
    kind: 'PartialObjectMetadata',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: object.metadata,
  })
}

/** The JSON of one row of a Table. */
export function renderRow(kind: Kind, entry: Entry, include: IncludeObject, version: string, now: Date): string {
  const shown = entryAs(kind, entry)
  const { value } = shown
  const cells = JSON.stringify(kind.columns.map((column) => column.cell(value, now)))
  if (include === 'None') return `{"cells":${cells},"object":null}`
  const object = include === 'Object' ? shown.json.toString() : renderPartial(value, version)
  return `{"cells":${cells},"object":${object}}`
}

/** The column definitions of a Table, as JSON. */
export function renderColumns(kind: Kind): string {
  return JSON.stringify(
    kind.columns.map(({ name, type, format, description, priority }) => ({
      name,
      type,
      format,
      description,
      priority,
    })),
  )
}

/** A whole Table of the given rows. */
export function renderTable(
  version: string,
  metadata: Readonly<Record<string, unknown>>,
  columns: string,
  rows: readonly string[],
): string {
  const head = `"kind":"Table","apiVersion":"meta.k8s.io/${version}","metadata":${JSON.stringify(metadata)}`
  return `{${head},"columnDefinitions":${columns},"rows":[${rows.join(',')}]}`
}

/** One object in the form that the client asked for; YAML is rendered by the caller. */
export function renderObject(kind: Kind, entry: Entry, form: Form, include: IncludeObject): Buffer | string {
  switch (form.kind) {
    case 'json':
    case 'yaml':
      return entryAs(kind, entry).json
    case 'partial':
      return renderPartial(entry.value, form.version)
    case 'table': {
      const metadata = { resourceVersion: entry.value.metadata.resourceVersion }
      const row = renderRow(kind, entry, include, form.version, new Date())
      return renderTable(form.version, metadata, renderColumns(kind), [row])
    }
    default:
      return form satisfies never
  }
}
