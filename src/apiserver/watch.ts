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

/** A watcher that does not read is cut off when so many bytes wait for it; it comes back with its last resourceVersion. */
const bufferLimitBytes = 16 * 1024 * 1024
const bookmarkMs = 60_000

/** Where a watch writes its lines: a chunked HTTP answer or a WebSocket. */
export interface Sink {
  /** Sends lines, each with its newline. */
  send(lines: readonly Buffer[]): void
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
  #stop: (() => void)[] = []

  constructor(store: Store, scope: Scope, selector: Selector, options: WatchOptions, sink: Sink) {
    this.#store = store
    this.#scope = scope
    this.#selector = selector
    this.#options = options
    this.#sink = sink
    this.#prefix = scope.namespace === undefined ? '' : `${scope.namespace}/`
  }

  // The start and the subscription happen in one turn, and commits happen in turns of their own: nothing is missed or doubled.
  start(): void {
    this.#sink.onClose(() => this.#end(false))
    const refusal = this.#sendStart()
    if (refusal !== undefined) this.#refuse(refusal)
    else this.#follow()
  }

  /** Sends what is before the first live event, or says why the watch cannot start. */
  #sendStart(): Status | undefined {
    const { revision, initial } = this.#options
    const current = this.#store.revision
    if (initial) {
      if (revision > current) return errors.resourceVersionTooLarge(revision, current)
      this.#sendState()
    } else if (revision === 0) this.#sentRevision = current
    else if (!this.#sendHistory(revision)) return errors.expired(revision, this.#store.compacted)
    return undefined
  }

  #follow(): void {
    const { timeoutSeconds, bookmarks } = this.#options
    const timeout = setTimeout(() => this.#end(true), timeoutSeconds * 1000)
    this.#stop.push(() => clearTimeout(timeout))
    this.#stop.push(this.#store.subscribe(this.#scope.collection, (events) => this.#send(events)))
    if (!bookmarks) return
    const ticker = setInterval(() => this.#sendBookmark(), bookmarkMs)
    this.#stop.push(() => clearInterval(ticker))
  }

  #sendState(): void {
    const lines: Buffer[] = []
    const { kind, collection } = this.#scope
    const { form, include, endMark, bookmarks } = this.#options
    for (const entry of this.#store.collection(collection).range(this.#prefix)) {
      if (!this.#selector.everything && !this.#selector.matches(entry.value)) continue
      lines.push(encodeEntry(kind, entry, 'ADDED', form, include, this.#firstColumns()))
    }
    if (endMark && bookmarks) lines.push(encodeBookmark(kind, this.#store.revision, true))
    this.#sentRevision = this.#store.revision
    this.#write(lines)
  }

  #sendHistory(revision: number): boolean {
    this.#sentRevision = revision
    const events = this.#store.eventsSince(this.#scope.collection, revision)
    if (events === undefined) return false
    this.#send(events)
    return true
  }

  #send(events: readonly StoreEvent[]): void {
    const lines: Buffer[] = []
    for (const event of events) {
      // A watch may start at a revision that is still to come.
      if (event.revision <= this.#sentRevision) continue
      const type = this.#typeFor(event)
      if (type === undefined) continue
      const { form, include } = this.#options
      lines.push(encodeEvent(this.#scope.kind, event, type, form, include, this.#firstColumns()))
      this.#sentRevision = event.revision
    }
    this.#write(lines)
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

  #write(lines: readonly Buffer[]): void {
    if (lines.length === 0) return
    this.#sink.send(lines)
    if (this.#sink.bufferedBytes > bufferLimitBytes) {
      this.#unsubscribe()
      this.#sink.destroy()
    }
  }

  #refuse(status: Status): void {
    this.#sink.send([Buffer.from(`${JSON.stringify({ type: 'ERROR', object: status })}\n`)])
    this.#sink.end()
  }

  #end(regular: boolean): void {
    if (regular && this.#options.bookmarks) this.#sendBookmark()
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
