import type { Rule } from '../cause.ts'
import { on, roseAt } from '../examination.ts'
import { findBad } from '../probe.ts'
import { proofOf } from '../words.ts'

/** Segments arrive with a wrong checksum and are dropped without a word: a link promises to compute it and does not. */
export const checksum: Rule = {
  covers: ['86'],
  judge(examination) {
    const { rises = [], tested, subject } = examination
    const places = [...rises].filter(({ counter }) => counter === 'checksum')
    return places.flatMap(({ place, by }) => {
      const own = subject.backends.filter(({ pod, node }) =>
        place.startsWith('pod/')
          ? place === `pod/${pod?.metadata.namespace}/${pod?.metadata.name}`
          : place === `node/${node}`,
      )
      const lost = tested.filter(
        ({ good, probe, result }) =>
          !good && ['silence', 'stalled'].includes(findBad(result)?.kind ?? '') && probe.rung !== 'loopback',
      )
      if (lost.length === 0 || roseAt(rises, place, 'checksum') === 0) return []
      const node = place.startsWith('node/') ? place : `node/${own[0]?.node ?? ''}`
      const well = on(examination, 'pod', 'own-node').filter(({ good }) => good)
      return [
        {
          confidence: 'certain' as const,
          object: node,
          field: 'tx-checksumming',
          value: String(by),
          says: `${by} segments of TCP came to ${place} with a wrong checksum while probes were sent, and its kernel dropped them without a word: a link on the way leaves the checksum to nobody`,
          proof: [
            `Tcp InCsumErrors of ${place} rose by ${by}`,
            ...lost.slice(0, 2).map(proofOf),
            ...well.slice(0, 1).map(proofOf),
          ],
          twin: 'a firewall: it drops before anybody looks at the checksum, and this counter stays',
          fix: {
            says: `turn checksum offload off on the links between the nodes and on the tunnel (ethtool -K LINK tx off; for VXLAN tx-checksum-ip-generic), or mend the driver`,
          },
          rung: 'other-node' as const,
        },
      ]
    })
  },
}
