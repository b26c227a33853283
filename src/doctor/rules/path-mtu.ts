import type { Rule } from '../cause.ts'
import { type Examination, on, type Tested } from '../examination.ts'
import { findBad, renderPlace } from '../probe.ts'
import { proofOf } from '../words.ts'
import { passes } from './way.ts'

/** Small packets pass, large ones are lost, and nobody says "packet too big": a link's two ends do not agree on the MTU. */
export const pathMtu: Rule = {
  covers: ['84'],
  judge(examination) {
    const tested = on(examination, 'other-node', 'client-pod')
    const lost = tested.filter((one) => isLarge(one) && !one.good && findBad(one.result)?.kind === 'stalled')
    const found = lost.filter((large) =>
      tested.some(
        (small) =>
          small.good &&
          !isLarge(small) &&
          small.probe.address === large.probe.address &&
          renderPlace(small.probe.from) === renderPlace(large.probe.from),
      ),
    )
    const [first] = found
    if (first === undefined) return []
    const smallest = smallestOf(examination, first)
    const end = examination.subject.backends.find(({ address }) => address === first.probe.address)?.node
    const node = smallest?.node ?? end ?? ''
    const where =
      smallest === undefined
        ? `somewhere on the way to ${node}`
        : `at ${smallest.link} of ${node}, whose MTU is ${smallest.mtu} where other nodes have ${smallest.others}`
    return [
      {
        confidence: smallest === undefined ? 'likely' : 'certain',
        object: `node/${node}`,
        field: 'mtu',
        value: smallest === undefined ? '' : String(smallest.mtu),
        says: `small requests are answered and large ones stall: full-size packets are lost ${where}, and nothing says "packet too big"`,
        proof: found.slice(0, 3).map(proofOf),
        twin: 'an application that is slow: it stalls for small requests too, and within the pod',
        fix: {
          says: `give every link on the nodes’ segment one MTU${smallest === undefined ? '' : ` (ip link set ${smallest.link} mtu ${smallest.others} on ${node})`}; an overlay or a VPN needs a smaller one in pods`,
        },
        rung: first.probe.rung,
      },
    ]
  },
}

function isLarge({ probe: { speech } }: Tested): boolean {
  return speech.kind === 'http' && (speech.padding ?? 0) > 0
}

/** The node of the way with the link that has the smallest MTU, where they differ. */
function smallestOf(
  { nodes }: Examination,
  lost: Tested,
): { readonly node: string; readonly link: string; readonly mtu: number; readonly others: number } | undefined {
  const links = nodes
    .filter(({ node }) => passes(lost, node))
    .flatMap(({ node, links = [] }) => links.map(({ name, mtu }) => ({ node, link: name, mtu })))
    .sort((a, b) => a.mtu - b.mtu)
  const [smallest] = links
  const largest = links.at(-1)
  return smallest === undefined || largest === undefined || smallest.mtu === largest.mtu
    ? undefined
    : { ...smallest, others: largest.mtu }
}
