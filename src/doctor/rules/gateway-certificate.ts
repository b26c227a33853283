import type { RequestRule } from '../request.ts'
import { findingsFor } from '../request.ts'
import { proofOf } from '../words.ts'

/** The certificate is not for the name, or its time is over: clients that look at it go away. */
export const gatewayCertificate: RequestRule = {
  covers: ['36', '37', '39', '95'],
  judge(examination) {
    const { request, tested, now, answer } = examination
    if (request.scheme !== 'https') return []
    const shown = tested.flatMap((one) =>
      one.result.tries.flatMap(({ outcome }) =>
        outcome.kind === 'answered' && outcome.tls !== undefined ? [{ one, tls: outcome.tls }] : [],
      ),
    )
    const [first] = shown
    if (first === undefined) return []
    const { tls, one } = first
    const names = tls.names.length > 0 ? tls.names : [tls.subject]
    const fits = names.some((name) => covers(name, request.host))
    const over = tls.notAfter !== '' && tls.notAfter < now
    const early = tls.notBefore !== '' && tls.notBefore > now
    if (fits && !over && !early) return []
    const finding = findingsFor(examination).find(({ field }) => /tls|certificate/i.test(field))
    // Ingresses share a listener, which is nobody's object.
    const named = [answer.listener?.because.object].find((one) => one?.includes('/'))
    const object = finding?.object ?? named ?? request.objects[0] ?? `request/${request.host}`
    return [
      {
        confidence: 'certain',
        object,
        field: finding?.field ?? (over || early ? 'tls.crt' : 'spec.tls'),
        value: over ? tls.notAfter : early ? tls.notBefore : names.join(', '),
        says: `${request.host} is shown a certificate ${over ? `that ended at ${tls.notAfter}` : early ? `that is not valid before ${tls.notBefore}, and here it is ${now}: the clock of its authority is ahead, or this one behind` : `for ${names.join(', ')}`}${finding === undefined ? '' : `: ${finding.says}`}`,
        proof: [proofOf(one), `certificate of ${tls.subject}, from ${tls.notBefore} until ${tls.notAfter}`],
        twin: 'a client without SNI gets the default certificate too: this one sent it',
        fix: {
          says:
            finding?.try ??
            (over
              ? 'renew the certificate in its Secret'
              : early
                ? 'compare the clocks (chronyc tracking) of the nodes and of the authority, then issue the certificate anew'
                : `name the Secret of a certificate for ${request.host} in spec.tls`),
        },
        rung: 'gateway',
      },
    ]
  },
}

/** RFC 6125: a wildcard is one label, the first. */
function covers(name: string, host: string): boolean {
  if (name.toLowerCase() === host.toLowerCase()) return true
  return name.startsWith('*.') && host.slice(host.indexOf('.') + 1).toLowerCase() === name.slice(2).toLowerCase()
}
