import { Endpoint } from './endpoint.ts'
import { Inventory } from './filter/filter.ts'
import type { InstanceList } from './instance.ts'

/** The endpoints of a service as discovery last told, with what was learnt of each. */
export class Roster {
  endpoints: readonly Endpoint[] = []
  inventory = new Inventory([])
  stale = false
  trouble: string | undefined
  #hasList = false

  /** Whether discovery has said anything yet. */
  get isKnown(): boolean {
    return this.#hasList
  }

  /**
   * Takes a whole list. Who stays keeps what was learnt; who is new starts slowly for `slowStartMs`, unless all are new. An instance that is named
   * twice counts once: the first ready one. Says who left.
   */
  update(list: InstanceList, slowStartMs: number, nowMs: number): Endpoint[] {
    const before = this.inventory.byId
    const after = new Map<string, Endpoint>()
    for (const instance of list.instances) {
      const id = instance.instanceId
      const twin = after.get(id)
      if (twin !== undefined) {
        if (twin.instance.ready === false && instance.ready !== false) twin.update(instance)
        continue
      }
      const known = before.get(id)
      if (known !== undefined && isSamePlace(known, instance)) known.update(instance)
      const endpoint =
        known !== undefined && isSamePlace(known, instance)
          ? known
          : this.#welcome(new Endpoint(instance, nowMs), slowStartMs, nowMs)
      after.set(id, endpoint)
    }
    const gone = [...before.values()].filter((endpoint) => after.get(endpoint.instance.instanceId) !== endpoint)
    this.endpoints = [...after.values()]
    this.inventory = new Inventory(this.endpoints)
    this.stale = list.stale === true
    this.trouble = list.trouble
    this.#hasList = true
    return gone
  }

  #welcome(endpoint: Endpoint, slowStartMs: number, nowMs: number): Endpoint {
    if (slowStartMs > 0 && this.endpoints.length > 0) {
      endpoint.warmSinceMs = nowMs
      endpoint.warmUntilMs = nowMs + slowStartMs
    }
    return endpoint
  }
}

/** An id that comes back at another address is another instance. */
function isSamePlace(known: Endpoint, instance: { host: string; port: number }): boolean {
  return known.instance.host === instance.host && known.instance.port === instance.port
}
