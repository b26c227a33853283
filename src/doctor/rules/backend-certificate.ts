import { findBad } from '../probe.ts'
import type { RequestRule } from '../request.ts'
import { findingsFor } from '../request.ts'
import { proofOf } from '../words.ts'

/** The gateway checks the certificate of the pods, as a BackendTLSPolicy asks, and does not take it: 503, though the pods answer who does not look. */
export const backendCertificate: RequestRule = {
  covers: ['37'],
  judge(examination) {
    const { tested, answer, model, request, backend, controls } = examination
    if (answer.kind !== 'forwarded') return []
    const found = model.backends.find(({ id }) => id === answer.backend)
    const checked = found?.tls !== undefined && found.tls.authority !== 'unchecked'
    const bad = tested.filter(({ result }) => {
      const outcome = findBad(result)
      return outcome?.kind === 'answered' && /^plumb; error=/.test(outcome.http?.headers['proxy-status'] ?? '')
    })
    const shown = (backend?.tested ?? []).flatMap((one) =>
      one.good
        ? one.result.tries.flatMap(({ outcome }) =>
            outcome.kind === 'answered' && outcome.tls !== undefined ? [{ one, tls: outcome.tls }] : [],
          )
        : [],
    )
    const [first] = bad
    const [direct] = shown
    if (!checked || found?.tls === undefined || first === undefined || direct === undefined) return []
    const names = direct.tls.names.length > 0 ? direct.tls.names : [direct.tls.subject]
    const finding = findingsFor(examination).find(({ object }) => object.startsWith('backendtlspolicy/'))
    const fits = names.includes(found.tls.host)
    return [
      {
        confidence: 'certain',
        object:
          finding?.object ?? request.objects.find((one) => one.startsWith('backendtlspolicy/')) ?? found.because.object,
        field: finding?.field ?? (fits ? 'spec.validation.caCertificateRefs' : 'spec.validation.hostname'),
        value: found.tls.host,
        says: `the gateway does not take the certificate of the pods (for ${names.join(', ')}, until ${direct.tls.notAfter}): ${fits ? 'no authority that it is told to trust issued it, or its time is over' : `it wants one for ${found.tls.host}`}`,
        proof: [
          proofOf(first),
          proofOf(direct.one),
          ...controls
            .slice(0, 1)
            .map(
              ({ tries }) =>
                `the control, which does not look at certificates: ${tries.filter(({ own }) => own).length} of ${tries.length} served`,
            ),
        ],
        twin: 'pods that are down: those answer nobody, and these answer who does not look at the certificate',
        fix: {
          says: finding?.try ?? 'name the authority that issued it and the name that is in it, in the BackendTLSPolicy',
        },
        rung: 'gateway',
      },
    ]
  },
}
