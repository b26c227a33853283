import type { Endpoint } from '../endpoint.ts'
import { hashText, mix } from '../hash.ts'
import type { BalancedRequest } from '../instance.ts'
import type { PickContext, Policy, View } from './policy.ts'

/** Points in order of their hash; `owners[i]` is the endpoint of `hashes[i]`. */
interface Ring {
  readonly hashes: Uint32Array
  readonly owners: Uint32Array
}

const mostPoints = 1 << 20

/** What a request is hashed by: its key, or chance. */
export function requestHash(request: BalancedRequest, context: PickContext): number {
  return request.hashKey === undefined ? Math.floor(context.random.next() * 0x1_0000_0000) : hashText(request.hashKey)
}

/** How a request was hashed, in words. */
export function hashedBy(request: BalancedRequest): string {
  return request.hashKey === undefined ? 'no hash key, so by chance' : `hash of "${request.hashKey}"`
}

/** Consistent hashing on a ring: when an endpoint goes, only its own keys move. Points per endpoint follow its weight. */
export class RingHash implements Policy {
  readonly name = 'ring-hash'
  readonly #pointsEach: number

  /** `pointsEach`: of an endpoint of average weight. */
  constructor(pointsEach = 160) {
    this.#pointsEach = pointsEach
  }

  prepare(endpoints: readonly Endpoint[]): Ring {
    const each = Math.max(1, Math.min(this.#pointsEach, Math.floor(mostPoints / endpoints.length)))
    const points: [hash: number, owner: number][] = []
    endpoints.forEach((endpoint, owner) => {
      const seed = hashText(endpoint.instance.instanceId)
      // By the weight itself and not by its share, or a change of one weight would move everybody's points.
      const count = Math.min(each * 16, Math.max(1, Math.round(each * endpoint.weight)))
      for (let i = 0; i < count; i++) points.push([mix(seed + Math.imul(i, 0x9e3779b1)), owner])
    })
    const idOf = (owner: number) => endpoints[owner]!.instance.instanceId
    points.sort((a, b) => a[0] - b[0] || (idOf(a[1]) < idOf(b[1]) ? -1 : 1))
    return {
      hashes: Uint32Array.from(points, ([hash]) => hash),
      owners: Uint32Array.from(points, ([, owner]) => owner),
    }
  }

  pick(view: View, request: BalancedRequest, context: PickContext): number {
    const { hashes, owners } = view.prepared as Ring
    const hash = requestHash(request, context)
    let low = 0
    let high = hashes.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (hashes[middle]! < hash) low = middle + 1
      else high = middle
    }
    return owners[low === hashes.length ? 0 : low]!
  }

  because(view: View, _picked: number, request: BalancedRequest): string {
    return `${hashedBy(request)}: next point on a ring of ${(view.prepared as Ring).hashes.length}`
  }
}
