import { releaseMemory } from '../memory/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { Collection } from './collection.ts'
import { Database, type Row } from './database.ts'
import { Entry, type StoreEvent } from './entry.ts'
import { defaultHistoryLimit, forgottenRows, History } from './history.ts'

/** At most so many pieces of work share one commit; the rest waits for the next turn. */
const batchLimit = 1_000

/** Reading so many rows or bytes leaves enough behind to be worth a collection, once the server has started. */
const manyRows = 5_000
const manyBytes = 4 * 2 ** 20
const releaseAfterMs = 1_000

interface Job {
  readonly work: (transaction: Transaction) => unknown
  readonly dryRun: boolean
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** What one piece of work may do: it runs alone, sees everything before it, and its writes stand or fall together. */
export interface Transaction {
  readonly dryRun: boolean
  find(collection: string, key: string): Entry | undefined
  range(collection: string, prefix: string): IterableIterator<Entry>
  /** Writes a state under the next revision and sets the object's resourceVersion. */
  put(collection: string, key: string, object: KubeObject): Entry
  remove(collection: string, key: string): Entry
  /** Runs when the work is thrown away (error, dry run, failed commit), last registered first. */
  onUndo(undo: () => void): void
}

/** What reads objects and writes none. */
export type Reader = Pick<Transaction, 'find' | 'range'>

/**
 * All objects, in memory for reading and in SQLite for keeping, under one global revision. Work queued in one turn of the
 * event loop shares one durable commit; only after it are promises resolved and watchers told.
 */
export class Store {
  readonly #database: Database
  readonly #history: History
  readonly #collections = new Map<string, Collection>()
  readonly #listeners = new Map<string, Set<(events: readonly StoreEvent[]) => void>>()
  #revision = 0
  #queue: Job[] = []
  #scheduled = false
  #closed = false

  /** Throws `StorageFault` when the file is damaged, of another format, or open elsewhere. */
  constructor(path: string, historyLimit = defaultHistoryLimit) {
    this.#database = new Database(path)
    try {
      this.#history = new History(historyLimit, this.#database.compacted())
      this.#load()
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  /** The revision of the latest commit. */
  get revision(): number {
    return this.#revision
  }

  /** The lowest revision from which a watch can start. */
  get compacted(): number {
    return this.#history.compacted
  }

  collection(name: string): Collection {
    let collection = this.#collections.get(name)
    if (collection === undefined) {
      collection = new Collection()
      this.#collections.set(name, collection)
    }
    return collection
  }

  /** Runs `work` at the end of this turn and resolves with its result once that is durable; a dry run is undone at once. */
  write<T>(work: (transaction: Transaction) => T, dryRun = false): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) return reject(new Error('the store is closed'))
      this.#queue.push({ work, dryRun, resolve: resolve as (value: unknown) => void, reject })
      this.#schedule()
    })
  }

  /** Calls back with the committed events of one collection. Returns the way to stop. */
  subscribe(collection: string, listener: (events: readonly StoreEvent[]) => void): () => void {
    let listeners = this.#listeners.get(collection)
    if (listeners === undefined) {
      listeners = new Set()
      this.#listeners.set(collection, listeners)
    }
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  /** The events of a collection after `revision`, or undefined when that history is gone. */
  eventsSince(collection: string, revision: number): StoreEvent[] | undefined {
    return this.#history.since(collection, revision)
  }

  /** The entries under a prefix as they were at `revision`, in order from `from`; undefined when that history is gone. */
  rangeAt(collection: string, prefix: string, revision: number, from = prefix): Iterable<Entry> | undefined {
    if (revision >= this.#revision) return this.collection(collection).range(prefix, from)
    const events = this.eventsSince(collection, revision)
    if (events === undefined) return undefined
    const then = new Map<string, Entry | undefined>()
    for (const event of events) if (!then.has(event.entry.key)) then.set(event.entry.key, event.previous)
    const entries: Entry[] = []
    for (const entry of this.collection(collection).range(prefix, from)) if (!then.has(entry.key)) entries.push(entry)
    const start = from > prefix ? from : prefix
    for (const [key, entry] of then) {
      if (entry !== undefined && key.startsWith(prefix) && key >= start) entries.push(entry)
    }
    return entries.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  /** Copies everything that is committed, as it is at one moment, to a new file. */
  backup(path: string): Promise<void> {
    return this.#database.backup(path)
  }

  /** Finishes the queued work, then closes the file. */
  close(): void {
    if (this.#closed) return
    while (this.#queue.length > 0) this.#flush()
    this.#closed = true
    this.#database.close()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (!this.#closed) this.#flush()
      if (this.#queue.length > 0) this.#schedule()
    })
  }

  #flush(): void {
    const jobs = this.#queue.splice(0, batchLimit)
    if (jobs.length === 0) return
    const before = this.#revision
    const events: StoreEvent[] = []
    const undo: (() => void)[] = []
    const settled: (() => void)[] = []
    for (const job of jobs) settled.push(this.#run(job, events, undo))
    try {
      if (events.length > 0) this.#commit(events)
    } catch (error) {
      for (let i = undo.length - 1; i >= 0; i--) undo[i]!()
      this.#revision = before
      for (const job of jobs) job.reject(error)
      return
    }
    for (const settle of settled) settle()
    this.#publish(events)
  }

  #run(job: Job, events: StoreEvent[], undo: (() => void)[]): () => void {
    const before = this.#revision
    const mine: StoreEvent[] = []
    const back: (() => void)[] = []
    const rollback = () => {
      for (let i = back.length - 1; i >= 0; i--) back[i]!()
      this.#revision = before
    }
    try {
      const result = job.work(this.#transaction(job.dryRun, mine, back))
      if (job.dryRun) rollback()
      else {
        events.push(...mine)
        undo.push(...back)
      }
      return () => job.resolve(result)
    } catch (error) {
      rollback()
      return () => job.reject(error)
    }
  }

  #transaction(dryRun: boolean, events: StoreEvent[], undo: (() => void)[]): Transaction {
    const restore = (collection: string, key: string, previous: Entry | undefined) => () => {
      if (previous === undefined) this.collection(collection).remove(key)
      else this.collection(collection).set(previous)
    }
    return {
      dryRun,
      find: (collection, key) => this.collection(collection).find(key),
      range: (collection, prefix) => this.collection(collection).range(prefix),
      put: (collection, key, object) => {
        const previous = this.collection(collection).find(key)
        const entry = this.#encode(collection, key, object, previous)
        this.collection(collection).set(entry)
        undo.push(restore(collection, key, previous))
        events.push({ type: previous === undefined ? 'ADDED' : 'MODIFIED', revision: entry.revision, entry, previous })
        return entry
      },
      remove: (collection, key) => {
        const previous = this.collection(collection).find(key)
        if (previous === undefined) throw new Error(`${collection} ${key} is not stored`)
        const last = { ...previous.value, metadata: { ...previous.value.metadata } }
        const entry = this.#encode(collection, key, last, previous)
        this.collection(collection).remove(key)
        undo.push(restore(collection, key, previous))
        events.push({ type: 'DELETED', revision: entry.revision, entry, previous })
        return entry
      },
      onUndo: (back) => undo.push(back),
    }
  }

  #encode(collection: string, key: string, object: KubeObject, previous: Entry | undefined): Entry {
    const revision = ++this.#revision
    object.metadata.resourceVersion = String(revision)
    const json = Buffer.from(JSON.stringify(object))
    return new Entry(collection, key, revision, previous?.created ?? revision, json, object)
  }

  #commit(events: readonly StoreEvent[]): void {
    const rows: Row[] = events.map(({ type, entry }) => ({
      revision: entry.revision,
      collection: entry.collection,
      key: entry.key,
      created: entry.created,
      deleted: type === 'DELETED' ? 1 : 0,
      value: entry.json,
    }))
    const excess = this.#history.excess()
    // Somebody may still be reading them.
    for (const { previous } of excess) previous?.takeBack()
    this.#database.commit(rows, excess.flatMap(forgottenRows), excess.at(-1)?.revision)
    this.#history.drop(excess)
    this.#history.add(events)
  }

  #publish(events: readonly StoreEvent[]): void {
    const byCollection = Map.groupBy(events, (event) => event.entry.collection)
    for (const [collection, own] of byCollection) {
      // A copy: listeners may come and go while they are called.
      for (const listener of [...(this.#listeners.get(collection) ?? [])]) listener(own)
    }
  }

  #load(): void {
    let count = 0
    let bytes = 0
    const replaced = this.#database.replaced()
    const read = (revision: number) => bufferOf(this.#database.valueAt(revision))
    for (const row of this.#database.rows()) {
      // History that few ask for: half of what a busy store would hold.
      const json = replaced.has(row.revision) ? read : bufferOf(row.value)
      const entry = new Entry(row.collection, row.key, row.revision, row.created, json)
      const collection = this.collection(row.collection)
      const previous = collection.find(row.key)
      count++
      bytes += row.value.byteLength
      if (row.deleted === 0) collection.set(entry)
      else collection.remove(row.key)
      this.#revision = row.revision
      if (row.revision <= this.#history.compacted) continue
      const type = row.deleted === 1 ? 'DELETED' : previous === undefined ? 'ADDED' : 'MODIFIED'
      this.#history.add([{ type, revision: row.revision, entry, previous }])
    }
    // After a restore revisions go on far beyond those that are stored.
    this.#revision = Math.max(this.#revision, this.#history.compacted)
    if (count >= manyRows || bytes >= manyBytes) setTimeout(releaseMemory, releaseAfterMs).unref()
  }
}

function bufferOf(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}
