import type { KubeObject } from '../objects/index.ts'

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
  readonly json: Buffer
  #value: KubeObject | undefined

  constructor(collection: string, key: string, revision: number, created: number, json: Buffer, value?: KubeObject) {
    this.collection = collection
    this.key = key
    this.revision = revision
    this.created = created
    this.json = json
    this.#value = value
  }

  /** The object, decoded on first use; shared, so it must not be changed. */
  get value(): KubeObject {
    this.#value ??= JSON.parse(this.json.toString()) as KubeObject
    return this.#value
  }
}

/** One change in the order of revisions. A DELETED event's entry is the last state, under the revision of its deletion. */
export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly revision: number
  readonly entry: Entry
  readonly previous: Entry | undefined
}
