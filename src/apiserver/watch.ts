import { errors, type Status } from '../objects/index.ts'
import type { Form } from './accept.ts'
import type { StoreEvent } from './entry.ts'
import { revisionOf } from './list.ts'
import { Refusal } from './refusal.ts'
import type { Scope } from './scope.ts'
import type { Selector } from './selector.ts'
import type { Store } from './store.ts'
import type { IncludeObject } from './table.ts'
import { encodeBookmark, encodeEntry, encodeEvent, type WatchType } from './watch-encoding.ts'
import { type WatchLine, watchLine } from './watch-line.ts'

/** A watcher that does not read is cut off when so many bytes wait for it; it comes back with its last resourceVersion. */
const bufferLimitBytes = 16 * 1024 * 1024
/** What was before a watch is sent in pieces of so many bytes. */
const pieceBytes = 1024 * 1024
const bookmarkMs = 60_000

/** Where a watch writes its lines: a chunked HTTP answer or a WebSocket. */
export interface Sink {
  /** Sends lines; calls back when the kernel has taken them and everything before. */
  send(lines: readonly WatchLine[], taken?: () => void): void
  /** Bytes that wait for the client. */
  readonly bufferedBytes: number
  end(): void
  destroy(): void
  onClose(callback: () => void): void
}

/** What a watch request asks for. */
export interface WatchOptions {
  readonly revision: number
  /** The state at the start is sent as ADDED events. */
  readonly initial: boolean
  /** …and a bookmark marks their end (WatchList, KEP-3157). */
  readonly endMark: boolean
  readonly bookmarks: boolean
  readonly timeoutSeconds: number
  readonly form: Form
  readonly include: IncludeObject
}

/** Reads the query of a watch; 422 for combinations that upstream refuses. */
export function parseWatchOptions(query: URLSearchParams, form: Form, include: IncludeObject): WatchOptions {
  const version = query.get('resourceVersion') ?? ''
  const match = query.get('resourceVersionMatch') ?? ''
  const asked = query.get('sendInitialEvents')
  const sendInitial = asked === null ? undefined : asked === 'true' || asked === '1' || asked === ''
  if (sendInitial === undefined && match !== '')
    throw invalid(
      'resourceVersionMatch',
      'Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
    )
  if (sendInitial !== undefined && match !== 'NotOlderThan')
    throw invalid(
      'resourceVersionMatch',
      'Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    )
  const revision = revisionOf(version)
  const seconds = Number(query.get('timeoutSeconds') ?? 0)
  return {
    revision,
    initial: sendInitial ?? revision === 0,
    endMark: sendInitial === true,
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
    timeoutSeconds: Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 86_400) : 1800 + Math.random() * 1800,
    form,
    include,
  }
}

/** Whether a boolean of a query says yes. */
export function isTrue(value: string | null): boolean {
  return value === 'true' || value === '1'
}

/** Serves one watch until its timeout, its client or a full buffer ends it. */
export function serveWatch(store: Store, scope: Scope, selector: Selector, options: WatchOptions, sink: Sink): void {
  const session = new WatchSession(store, scope, selector, options, sink)
  session.start()
}

class WatchSession {
  readonly #store: Store
  readonly #scope: Scope
  readonly #selector: Selector
  readonly #options: WatchOptions
  readonly #sink: Sink
  readonly #prefix: string
  #columnsSent = false
  #sentRevision = 0
  #ended = false
  #stop: (() => void)[] = []

  constructor(store: Store, scope: Scope, selector: Selector, options: WatchOptions, sink: Sink) {
    this.#store = store
    this.#scope = scope
    this.#selector = selector
    this.#options = options
    this.#sink = sink
    this.#prefix = scope.namespace === undefined ? '' : `${scope.namespace}/`
  }

  // The last look at what was before and the subscription happen in one turn, and commits in turns of their own: nothing is missed or doubled.
  start(): void {
    const { revision, initial, timeoutSeconds } = this.#options
    const timeout = setTimeout(() => this.#end(true), timeoutSeconds * 1000)
    this.#stop.push(() => clearTimeout(timeout))
    this.#sink.onClose(() => this.#end(false))
    const current = this.#store.revision
    if (initial && revision > current) return void this.#refuse(errors.resourceVersionTooLarge(revision, current))
    if (initial) return void this.#pour(this.#stateLines(current), () => this.#catchUp())
    this.#sentRevision = revision === 0 ? current : revision
    this.#catchUp()
  }

  /** Sends what has happened since the last revision that was sent, until there is no more; then follows. */
  #catchUp(): void {
    const events = this.#store.eventsSince(this.#scope.collection, this.#sentRevision)
    if (events === undefined) return void this.#refuse(errors.expired(this.#sentRevision, this.#store.compacted))
    if (events.length === 0) return void this.#follow()
    const latest = events.at(-1)!.revision
    this.#pour(this.#eventLines(events), () => {
      this.#sentRevision = Math.max(this.#sentRevision, latest)
      this.#catchUp()
    })
  }

  #follow(): void {
    this.#stop.push(this.#store.subscribe(this.#scope.collection, (events) => this.#send(events)))
    if (!this.#options.bookmarks) return
    const ticker = setInterval(() => this.#sendBookmark(), bookmarkMs)
    this.#stop.push(() => clearInterval(ticker))
  }

  /** Sends lines at the client's pace: what was before a watch may be more than may wait for a client. */
  #pour(lines: Iterator<WatchLine>, done: () => void): void {
    while (!this.#ended) {
      const piece: WatchLine[] = []
      let bytes = 0
      let next = lines.next()
      for (; !next.done; next = bytes < pieceBytes ? lines.next() : { done: true, value: undefined }) {
        piece.push(next.value)
        bytes += next.value.text.length
      }
      if (bytes < pieceBytes) {
        if (piece.length > 0) this.#sink.send(piece)
        return void done()
      }
      let goOn = () => {}
      this.#sink.send(piece, () => goOn())
      if (this.#sink.bufferedBytes <= pieceBytes) continue
      goOn = () => this.#pour(lines, done)
      return
    }
  }

  *#stateLines(revision: number): Generator<WatchLine> {
    const { kind, collection } = this.#scope
    const { form, include, endMark, bookmarks } = this.#options
    this.#sentRevision = revision
    // The entries of this moment; later ones come as events.
    for (const entry of [...this.#store.collection(collection).range(this.#prefix)]) {
      if (!this.#selector.everything && !this.#selector.matches(entry.value)) continue
      yield encodeEntry(kind, entry, 'ADDED', form, include, this.#firstColumns())
    }
    if (endMark && bookmarks) yield encodeBookmark(kind, revision, true)
  }

  *#eventLines(events: readonly StoreEvent[]): Generator<WatchLine> {
    const { form, include } = this.#options
    for (const event of events) {
      // A watch may start at a revision that is still to come.
      if (event.revision <= this.#sentRevision) continue
      const type = this.#typeFor(event)
      if (type === undefined) continue
      this.#sentRevision = event.revision
      yield encodeEvent(this.#scope.kind, event, type, form, include, this.#firstColumns())
    }
  }

  #send(events: readonly StoreEvent[]): void {
    this.#write([...this.#eventLines(events)])
  }

  /** How this watcher sees the event: entering the selector is ADDED, leaving it DELETED. */
  #typeFor(event: StoreEvent): WatchType | undefined {
    if (!event.entry.key.startsWith(this.#prefix)) return undefined
    if (this.#selector.everything) return event.type
    const before = event.previous !== undefined && this.#selector.matches(event.previous.value)
    const after = event.type !== 'DELETED' && this.#selector.matches(event.entry.value)
    if (after) return before ? 'MODIFIED' : 'ADDED'
    return before ? 'DELETED' : undefined
  }

  #firstColumns(): boolean {
    if (this.#options.form.kind !== 'table' || this.#columnsSent) return false
    this.#columnsSent = true
    return true
  }

  #sendBookmark(): void {
    const revision = Math.max(this.#sentRevision, this.#store.revision)
    this.#write([encodeBookmark(this.#scope.kind, revision, false)])
  }

  #write(lines: readonly WatchLine[]): void {
    if (lines.length === 0) return
    this.#sink.send(lines)
    if (this.#sink.bufferedBytes > bufferLimitBytes) {
      this.#unsubscribe()
      this.#sink.destroy()
    }
  }

  #refuse(status: Status): void {
    this.#unsubscribe()
    this.#sink.send([watchLine([`${JSON.stringify({ type: 'ERROR', object: status })}\n`])])
    this.#sink.end()
  }

  #end(regular: boolean): void {
    if (regular && this.#options.bookmarks) this.#sendBookmark()
    this.#ended = true
    this.#unsubscribe()
    if (regular) this.#sink.end()
  }

  #unsubscribe(): void {
    for (const stop of this.#stop) stop()
    this.#stop = []
  }
}

function invalid(field: string, message: string): Refusal {
  const cause = { reason: 'FieldValueForbidden' as const, field, message }
  return new Refusal(errors.invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [cause]))
}
