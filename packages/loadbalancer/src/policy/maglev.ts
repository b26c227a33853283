import type { Endpoint } from '../endpoint.ts'
import { hashText } from '../hash.ts'
import type { BalancedRequest } from '../instance.ts'
import type { PickContext, Policy, View } from './policy.ts'
import { hashedBy, requestHash } from './ring-hash.ts'

/** Prime, as the permutations need. */
const tableSize = 65_537

/**
 * Maglev's table (Eisenbud et al., NSDI 2016, section 3.4): one look per pick, nearly even shares. Endpoints take slots in
 * turn, each by a permutation of its own; weights take turns in proportion.
 */
export class Maglev implements Policy {
  readonly name = 'maglev'

  prepare(endpoints: readonly Endpoint[]): Uint32Array {
    const table = new Uint32Array(tableSize).fill(0xffff_ffff)
    // In order of ids, so that every client has the same table whatever order its list came in.
    const order = endpoints.map((_, index) => index)
    order.sort((a, b) => (endpoints[a]!.instance.instanceId < endpoints[b]!.instance.instanceId ? -1 : 1))
    const largest = endpoints.reduce((most, { weight }) => Math.max(most, weight), 0)
    const states = order.map((owner) => {
      const id = endpoints[owner]!.instance.instanceId
      return {
        owner,
        at: hashText(id, 0x5bd1e995) % tableSize,
        skip: (hashText(id, 0x1b873593) % (tableSize - 1)) + 1,
        share: endpoints[owner]!.weight / largest,
        due: 0,
      }
    })
    for (let filled = 0; filled < tableSize; ) {
      for (const state of states) {
        state.due += state.share
        if (state.due < 1) continue
        state.due -= 1
        while (table[state.at] !== 0xffff_ffff) state.at = (state.at + state.skip) % tableSize
        table[state.at] = state.owner
        if (++filled === tableSize) break
      }
    }
    return table
  }

  pick(view: View, request: BalancedRequest, context: PickContext): number {
    return (view.prepared as Uint32Array)[requestHash(request, context) % tableSize]!
  }

  because(_view: View, _picked: number, request: BalancedRequest): string {
    return `${hashedBy(request)}: its slot in the Maglev table of ${tableSize}`
  }
}
