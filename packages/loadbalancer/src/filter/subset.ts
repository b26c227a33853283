import { hashText } from '../hash.ts'
import type { Filter } from './filter.ts'

/**
 * At most `size` instances for each client, chosen by rendezvous hashing over client and instance: every instance can be used, and
 * adding or removing one changes one place of a client's subset at most (compare gRFC A68). `clientId` tells clients apart.
 */
export function subset(size: number, clientId: string): Filter {
  if (!(size >= 1)) throw new Error(`subset.size ${size} is not 1 or more`)
  const seed = hashText(clientId)
  return {
    name: 'subset',
    apply(endpoints) {
      if (endpoints.length <= size) return endpoints
      const ranked = endpoints.map((endpoint) => ({ endpoint, rank: hashText(endpoint.instance.instanceId, seed) }))
      ranked.sort((a, b) => a.rank - b.rank)
      const chosen = new Set(ranked.slice(0, size).map(({ endpoint }) => endpoint))
      return endpoints.filter((endpoint) => chosen.has(endpoint))
    },
    because: () => `not among the ${size} of client ${clientId}`,
  }
}
