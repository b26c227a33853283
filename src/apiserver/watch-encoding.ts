import { apiVersionOf, type Kind } from '../objects/index.ts'
import type { Form } from './accept.ts'
import { Entry, type StoreEvent } from './entry.ts'
import { type IncludeObject, renderColumns, renderPartial, renderRow, renderTable } from './table.ts'
import { entryAs } from './version-view.ts'
import { type WatchLine, watchLine } from './watch-line.ts'

export type WatchType = StoreEvent['type']

// One line per event and form, shared by all watchers; it lives as long as the event is in the history.
const lines = new WeakMap<StoreEvent, Map<string, WatchLine>>()

/** One watch event as a line of JSON. `type` may differ from the event's own when the object enters or leaves a selector. */
export function encodeEvent(
  kind: Kind,
  event: StoreEvent,
  type: WatchType,
  form: Form,
  include: IncludeObject,
  withColumns: boolean,
): WatchLine {
  const name = `${kind.version} ${type} ${form.kind} ${'version' in form ? form.version : ''} ${include} ${withColumns}`
  let known = lines.get(event)
  if (known === undefined) {
    known = new Map()
    lines.set(event, known)
  }
  let line = known.get(name)
  if (line === undefined) {
    line = encodeEntry(kind, shownEntry(event, type), type, form, include, withColumns)
    known.set(name, line)
  }
  return line
}

/** One state as a line of JSON: `{"type":…,"object":…}` and a newline. */
export function encodeEntry(
  kind: Kind,
  entry: Entry,
  type: WatchType,
  form: Form,
  include: IncludeObject,
  withColumns: boolean,
): WatchLine {
  const head = `{"type":"${type}","object":`
  if (form.kind === 'json' || form.kind === 'yaml') return watchLine([head, entryAs(kind, entry).json, '}\n'])
  if (form.kind === 'partial') return watchLine([head, renderPartial(entry.value, form.version), '}\n'])
  const metadata = { resourceVersion: entry.value.metadata.resourceVersion }
  const row = renderRow(kind, entry, include, form.version, new Date())
  const columns = withColumns ? renderColumns(kind) : 'null'
  return watchLine([head, renderTable(form.version, metadata, columns, [row]), '}\n'])
}

/** A BOOKMARK: an object with nothing but its resourceVersion; the one that ends the initial events says so. */
export function encodeBookmark(kind: Kind, revision: number, endsInitialEvents: boolean): WatchLine {
  const annotations = { 'k8s.io/initial-events-end': 'true' }
  const metadata = { resourceVersion: String(revision), ...(endsInitialEvents ? { annotations } : {}) }
  const object = { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata }
  return watchLine([`${JSON.stringify({ type: 'BOOKMARK', object })}\n`])
}

/** An object that leaves a selector is shown as it was before, under the revision of the change, as upstream does. */
function shownEntry(event: StoreEvent, type: WatchType): Entry {
  if (type !== 'DELETED' || event.type === 'DELETED' || event.previous === undefined) return event.entry
  const { value, collection, key, created } = event.previous
  const object = { ...value, metadata: { ...value.metadata, resourceVersion: String(event.revision) } }
  return new Entry(collection, key, event.revision, created, Buffer.from(JSON.stringify(object)), object)
}
