import type { Rule } from '../cause.ts'
import { findBad } from '../probe.ts'
import { proofOf } from '../words.ts'

/** There is no room for another neighbour: packets to machines that are not known yet are dropped. */
export const neighbourTableFull: Rule = {
  covers: ['92'],
  judge({ rises = [], tested }) {
    const lost = tested.filter(({ result }) => ['silence', 'unreachable'].includes(findBad(result)?.kind ?? ''))
    const places = rises.filter(({ counter, place }) => counter === 'neighbours' && place.startsWith('node/'))
    const [first] = places
    // The table is the whole machine's: each of its namespaces counts the same.
    if (first === undefined || lost.length === 0) return []
    return [
      {
        confidence: 'certain',
        object: first.place,
        field: 'net.ipv4.neigh.default.gc_thresh3',
        value: String(first.by),
        says: `the table of neighbours of ${first.place} is full: ${first.by} times there was no room for one while probes were sent, and packets to it were dropped`,
        proof: [`table_fulls of arp_cache rose by ${first.by}`, ...lost.slice(0, 3).map(proofOf)],
        twin: 'a neighbour that does not answer: there the table has an entry, INCOMPLETE or FAILED',
        fix: {
          says: `raise net.ipv4.neigh.default.gc_thresh3 (and gc_thresh2) on ${first.place}, and see who asks for so many addresses (ip neigh)`,
        },
        rung: 'own-node',
      },
    ]
  },
}
