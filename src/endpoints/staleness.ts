import type { KubeObject } from '../objects/index.ts'

/**
 * What a controller itself wrote last, by owner: as long as its cache shows older versions, acting on the cache would undo or repeat
 * the write (k/k EndpointSliceTracker). Compares resourceVersions as numbers, as KEP-5504 promises for one resource type.
 */
export class StalenessTracker {
  readonly #writes = new Map<string, Map<string, Write>>()

  /** The server accepted this version of an object; `cached` is what the cache shows by now. */
  wrote(owner: string, object: KubeObject, cached: KubeObject | undefined, now: number): void {
    const version = object.metadata.resourceVersion ?? '0'
    if (cached === undefined || isOlder(cached.metadata.resourceVersion, version))
      this.#expect(owner, object, version, now)
  }

  /** The server accepted the deletion of an object; `cached` is what the cache shows by now. */
  deleted(owner: string, object: KubeObject, cached: KubeObject | undefined, now: number): void {
    if (cached !== undefined && idOf(cached) === idOf(object)) this.#expect(owner, object, undefined, now)
  }

  /** The cache now shows this version, or that the object is gone. Says whether it was waited for. */
  saw(owner: string, object: KubeObject, gone: boolean): boolean {
    const writes = this.#writes.get(owner)
    const write = writes?.get(idOf(object))
    if (writes === undefined || write === undefined) return false
    const { version } = write
    const settled = gone || (version !== undefined && !isOlder(object.metadata.resourceVersion, version))
    if (settled) writes.delete(idOf(object))
    if (writes.size === 0) this.#writes.delete(owner)
    return settled
  }

  /** Whether the cache is behind the controller's own writes for this owner. */
  isStale(owner: string, now: number): boolean {
    const writes = this.#writes.get(owner)
    if (writes === undefined) return false
    // An object that others deleted before the answer to its creation came never shows up: after a while it is not waited for.
    for (const [id, { at }] of writes) if (now - at > patienceMs) writes.delete(id)
    if (writes.size === 0) this.#writes.delete(owner)
    return writes.size > 0
  }

  forget(owner: string): void {
    this.#writes.delete(owner)
  }

  #expect(owner: string, object: KubeObject, version: string | undefined, now: number): void {
    let writes = this.#writes.get(owner)
    if (writes === undefined) {
      writes = new Map()
      this.#writes.set(owner, writes)
    }
    writes.set(idOf(object), { version, at: now })
  }
}

interface Write {
  /** The version to wait for; undefined for a deletion. */
  readonly version: string | undefined
  readonly at: number
}

const patienceMs = 30_000

function idOf({ metadata }: KubeObject): string {
  return metadata.uid ?? `${metadata.namespace ?? ''}/${metadata.name}`
}

function isOlder(version: string | undefined, than: string): boolean {
  if (version === undefined || !/^\d+$/.test(version) || !/^\d+$/.test(than)) return version !== than
  return version.length === than.length ? version < than : version.length < than.length
}
