import { isDeepStrictEqual } from 'node:util'
import type { Prefix } from '../addr/index.ts'
import type { Because } from '../cluster/index.ts'
import type { CommunityValue, Route } from './model.ts'

/** What one object has a peer told. */
export interface Told {
  readonly peer: string
  readonly prefix: Prefix
  readonly localPreference: number | undefined
  readonly communities: readonly CommunityValue[]
  readonly because: Because
}

/** What each peer is told, by the objects for whose sake: an object that changes costs its own prefixes alone. */
export class RouteBook {
  readonly #byObject = new Map<string, readonly Told[]>()
  readonly #byPeer = new Map<string, Map<Prefix, Map<string, readonly Told[]>>>()

  /** Takes an object's word instead of its former one; true when it is another one. */
  put(object: string, told: readonly Told[]): boolean {
    const before = this.#byObject.get(object) ?? []
    if (isDeepStrictEqual(before, told)) return false
    for (const { peer, prefix } of before) this.#at(peer, prefix).delete(object)
    if (told.length === 0) this.#byObject.delete(object)
    else this.#byObject.set(object, told)
    const grouped = Map.groupBy(told, ({ peer, prefix }) => `${peer} ${prefix}`)
    for (const [first, ...more] of grouped.values())
      if (first !== undefined) this.#at(first.peer, first.prefix).set(object, [first, ...more])
    return true
  }

  /**
   * What a peer is told, in the order of prefixes. Where several ask for one prefix, communities are united and the highest preference wins.
   */
  routesOf(peer: string): readonly Route[] {
    const routes: Route[] = []
    for (const [prefix, byObject] of this.#byPeer.get(peer) ?? []) {
      const told = [...byObject.values()].flat()
      if (told.length > 0) routes.push(unite(prefix, told))
    }
    return routes.sort((a, b) => (a.prefix < b.prefix ? -1 : 1))
  }

  #at(peer: string, prefix: Prefix): Map<string, readonly Told[]> {
    const prefixes = this.#byPeer.get(peer) ?? new Map<Prefix, Map<string, readonly Told[]>>()
    this.#byPeer.set(peer, prefixes)
    const told = prefixes.get(prefix) ?? new Map<string, readonly Told[]>()
    prefixes.set(prefix, told)
    return told
  }
}

function unite(prefix: Prefix, told: readonly Told[]): Route {
  const preferences = told.flatMap(({ localPreference }) => localPreference ?? [])
  const communities = new Map(told.flatMap((one) => one.communities).map((value) => [value.join(), value]))
  return {
    prefix,
    localPreference: preferences.length === 0 ? undefined : Math.max(...preferences),
    communities: [...communities.values()],
    because: told.map(({ because }) => because),
  }
}
