import type { KubeObject } from '../objects/index.ts'

/** The JSON of a state, or the way to read it from the store. */
type Json = Buffer | ((revision: number) => Buffer)

/** One stored state of an object: its JSON is encoded once and shared by every answer and watcher. Never changed after it was made. */
export class Entry {
  /** `group/plural`, e.g. `/services` or `apps/deployments`. */
  readonly collection: string
  /** `namespace/name`, or `name` for cluster-scoped objects. */
  readonly key: string
  /** The revision that wrote this state; the object's resourceVersion. */
  readonly revision: number
  /** The revision that created the object. */
  readonly created: number
  #json: Json
  #value: KubeObject | undefined
  #used = false

  constructor(collection: string, key: string, revision: number, created: number, json: Json, value?: KubeObject) {
    this.collection = collection
    this.key = key
    this.revision = revision
    this.created = created
    this.#json = json
    this.#value = value
    if (value !== undefined) keep(this)
  }

  /** The object as JSON. A state that is not held is read from the store each time; throws `StorageFault` when that fails. */
  get json(): Buffer {
    return typeof this.#json === 'function' ? this.#json(this.revision) : this.#json
  }

  /** Holds the JSON again, because the store is about to forget it. */
  takeBack(): void {
    if (typeof this.#json !== 'function') return
    try {
      this.#json = this.#json(this.revision)
    } catch {
      // Whoever still wants this state is told; the write that makes it old goes on.
    }
  }

  /** The object; shared, so it must not be changed. Decoded on need, and kept decoded while it is in use. */
  get value(): KubeObject {
    this.#used = true
    if (this.#value !== undefined) return this.#value
    const value = this.decode()
    if (typeof this.#json === 'function') return value
    this.#value = value
    keep(this)
    return value
  }

  /** A private copy of the object. */
  decode(): KubeObject {
    return JSON.parse(this.json.toString()) as KubeObject
  }

  /** Lets go of the decoded object, unless it was used since this was asked last; whether it is gone. */
  lapse(): boolean {
    if (this.#used) {
      this.#used = false
      return false
    }
    this.#value = undefined
    return true
  }

  /** Lets go of the decoded object. */
  forget(): void {
    this.#value = undefined
  }
}

/** So much JSON is kept decoded, in bytes; decoded it takes about three times as much. */
const decodedLimitBytes = 8 * 1024 * 1024
let decoded: Entry[] = []
let decodedBytes = 0

/** Counts an entry as decoded. Beyond the limit, what was not used since the last time is let go of, then the oldest. */
function keep(entry: Entry): void {
  decoded.push(entry)
  decodedBytes += entry.json.length
  if (decodedBytes <= decodedLimitBytes) return
  const used = decoded.filter((item) => !item.lapse())
  let bytes = used.reduce((sum, item) => sum + item.json.length, 0)
  let gone = 0
  for (; bytes > decodedLimitBytes / 2; gone++) {
    used[gone]!.forget()
    bytes -= used[gone]!.json.length
  }
  decoded = used.slice(gone)
  decodedBytes = bytes
}

/** One change in the order of revisions. A DELETED event's entry is the last state, under the revision of its deletion. */
export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly revision: number
  readonly entry: Entry
  readonly previous: Entry | undefined
}
