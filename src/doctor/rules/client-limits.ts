import type { RequestRule } from '../request.ts'
import { proofOf } from '../words.ts'

/** The gateway refuses what is more than one client may have, by its own limits. */
export const clientLimits: RequestRule = {
  covers: ['71'],
  judge({ tested, answer, model }) {
    if (answer.kind !== 'forwarded') return []
    const own = model.backends.find(({ id }) => id === answer.backend)?.limits
    const limits = own ?? answer.entrance?.limits
    const refused = tested.filter(({ result }) =>
      result.tries.some(
        ({ outcome }) =>
          outcome.kind === 'answered' &&
          /error=http_request_denied/.test(outcome.http?.headers['proxy-status'] ?? '') &&
          /too many/.test(outcome.http?.headers['proxy-status'] ?? ''),
      ),
    )
    const [first] = refused
    if (limits === undefined || first === undefined) return []
    const asked = [
      limits.perSecond === undefined ? [] : [`${limits.perSecond} requests a second`],
      limits.perMinute === undefined ? [] : [`${limits.perMinute} requests a minute`],
      limits.connections === undefined ? [] : [`${limits.connections} requests at a time`],
    ].flat()
    return [
      {
        confidence: 'certain',
        object: own === undefined ? limits.id : answer.rule.because.object,
        field: 'metadata.annotations',
        value: asked.join(', '),
        says: `the gateway lets one address have ${asked.join(', ')}, and refuses what is more with 503: clients behind one NAT or proxy are one address`,
        proof: refused.slice(0, 3).map(proofOf),
        twin: 'no server that is there: then the answer’s Proxy-Status says destination_unavailable',
        fix: { says: 'raise limit-rps, limit-rpm or limit-connections, or name trusted addresses in limit-allowlist' },
        rung: 'gateway',
      },
    ]
  },
}
