import { decisiveFinding } from '../../explain/index.ts'
import { hostText } from '../../gateways/index.ts'
import type { RequestRule } from '../request.ts'
import { findingsFor } from '../request.ts'
import { proofOf } from '../words.ts'

/** The gateway has no route, no class, or a broken reference for the request: it answers itself, or nobody listens. */
export const noRoute: RequestRule = {
  covers: ['12', '13', '14', '15', '16'],
  judge(examination) {
    const { answer, request, tested, model } = examination
    if (answer.kind === 'forwarded' || answer.kind === 'stream') return []
    const rule = 'rule' in answer ? answer.rule : undefined
    if (answer.kind === 'answered' && answer.status < 400) return []
    const finding = decisiveFinding(findingsFor(examination), rule?.because)
    const url = `${request.scheme}://${request.host}${request.path}`
    const status = answer.kind === 'answered' ? `${answer.status}` : 'no connection'
    const proof = tested.slice(0, 2).map(proofOf)
    if (finding !== undefined) {
      return [
        {
          confidence: 'certain',
          object: finding.object,
          field: finding.field,
          value: '',
          says: `${finding.says}: ${url} gets ${status}`,
          proof,
          twin: 'an application that answers 404 itself: there the answer has no Proxy-Status of the gateway',
          fix: { says: finding.try },
          rung: 'gateway',
        },
      ]
    }
    if (rule !== undefined && answer.kind === 'answered' && answer.status >= 500) {
      const field = rule.because.field.replace(/\.matches\[\d+\]$/, '.backendRefs')
      return [
        {
          confidence: 'certain',
          object: rule.because.object,
          field,
          value: '',
          says: `${answer.says}: ${url} gets ${status}`,
          proof,
          twin: 'an application that answers 500 itself: there the answer has no Proxy-Status of the gateway',
          fix: { says: `let ${field} name what is there` },
          rung: 'gateway',
        },
      ]
    }
    const [nearest] = answer.lost
    const hosts = new Set(
      model.entrances.flatMap(({ tiers }) =>
        tiers.flatMap(({ host }) => (host.kind === 'any' ? [] : [hostText(host)])),
      ),
    )
    const because = rule?.because ?? nearest?.because
    const known =
      hosts.size === 0
        ? 'no Ingress or route of this gateway exists'
        : `routes are for ${[...hosts].slice(0, 6).join(', ')}`
    return [
      {
        confidence: 'certain',
        object: because?.object ?? request.objects[0] ?? `request/${request.host}`,
        field: because?.field ?? 'host',
        value: because?.value ?? request.host,
        says: `${url} gets ${status}: ${answer.says}; ${nearest === undefined ? known : `the nearest rule did not take it: ${nearest.says}`}`,
        proof,
        twin: 'an application that answers 404 itself: there the answer has no Proxy-Status of the gateway',
        fix: { says: `ask for what a rule has, or add a rule for host ${request.host} and path ${request.path}` },
        rung: 'gateway',
      },
    ]
  },
}
