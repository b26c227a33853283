import { isControlGood } from '../control.ts'
import { findBad } from '../probe.ts'
import type { RequestRule } from '../request.ts'
import { proofOf } from '../words.ts'

/** The route is there, the backends answer a proxy apart from the gateway, and the gateway does not: it is to blame itself. */
export const gatewayItself: RequestRule = {
  covers: ['70', '71'],
  judge({ tested, answer, backend, controls }) {
    if (answer.kind !== 'forwarded' || backend?.kind === 'sick') return []
    // Silence is somebody's on the way: a gateway answers or is not there.
    const bad = tested.filter(({ good, result }) => !good && findBad(result)?.kind !== 'silence')
    const [first] = bad
    if (first === undefined || controls.some((one) => one.unseen === undefined && !isControlGood(one))) return []
    const refused = findBad(first.result)?.kind === 'refused'
    const node = first.probe.target ?? ''
    return [
      {
        confidence: controls.some(isControlGood) ? 'certain' : 'likely',
        object: node,
        field: 'gateway',
        value: String(first.probe.port),
        says: refused
          ? `no gateway listens on ${first.probe.port} of ${bad.map(({ probe }) => probe.target).join(', ')}, although a route is for it: HAProxy does not run there`
          : `the gateway of ${node} fails where a proxy apart from it is served by the same backends`,
        proof: [
          ...bad.slice(0, 3).map(proofOf),
          ...controls
            .filter(isControlGood)
            .slice(0, 1)
            .map(({ tries }) => `the control HAProxy: ${tries.length} of ${tries.length} served`),
        ],
        twin: 'a backend that fails: there the control fails too',
        fix: {
          says: `see the log of the agent on ${node}; is haproxy installed, and does something else listen on ${first.probe.port}?`,
        },
        rung: 'gateway',
      },
    ]
  },
}
