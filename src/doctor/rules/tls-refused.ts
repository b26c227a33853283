import type { Rule } from '../cause.ts'
import { on } from '../examination.ts'
import { findBad } from '../probe.ts'
import { proofOf, serviceOf } from '../words.ts'

const reasons = {
  no_application_protocol: {
    value: 'ALPN http/1.1',
    says: 'the pods end TLS with the alert no_application_protocol: they take other protocols than HTTP/1.1 by ALPN (RFC 7301), HTTP/2 alone as a rule, and who offers HTTP/1.1 gets nothing',
    remedy:
      'say appProtocol: kubernetes.io/h2c where they speak HTTP/2 without TLS, or let the application offer http/1.1 too',
  },
  certificate_required: {
    value: 'no client certificate',
    says: 'the pods end TLS with the alert certificate_required: they want a certificate of whoever connects, and gateways and clients show none',
    remedy:
      'give the gateway a certificate for backends (Gateway spec.tls.backend.clientCertificateRef), or do not ask for one in the application',
  },
  handshake_failure: {
    value: 'handshake_failure',
    says: 'the pods end TLS with the alert handshake_failure: no version and cipher is taken by both sides, or they want a certificate of the client',
    remedy: 'compare what the application takes with what clients offer: openssl s_client -connect',
  },
} as const

/** Both sides speak TLS, and the pods refuse it by an alert that says why. */
export const tlsRefused: Rule = {
  covers: ['35', '38'],
  judge(examination) {
    const { subject } = examination
    const found = on(examination, 'loopback', 'pod', 'own-node').flatMap((one) => {
      const bad = findBad(one.result)
      return bad?.kind === 'garbled' && bad.alert !== undefined ? [{ one, alert: bad.alert }] : []
    })
    const [first] = found
    if (first === undefined) return []
    const { value, says, remedy } = reasons[first.alert]
    return [
      {
        confidence: first.alert === 'handshake_failure' ? 'likely' : 'certain',
        object: first.one.probe.target ?? serviceOf(subject),
        field: 'spec.containers',
        value,
        says,
        proof: found.slice(0, 3).map(({ one }) => proofOf(one)),
        twin: 'a port without TLS: there no alert comes, but something that is no TLS',
        fix: { says: remedy },
        rung: 'loopback',
      },
    ]
  },
}
