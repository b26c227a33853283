import type { Rule } from '../cause.ts'
import { on } from '../examination.ts'
import { findBad } from '../probe.ts'
import { patchPort, portField, proofOf, serviceOf } from '../words.ts'

/** The pod speaks another language than the Service's port says: TLS where HTTP is said, or the other way round. */
export const wrongProtocol: Rule = {
  covers: ['32', '33', '34'],
  judge(examination) {
    const { subject } = examination
    const wrong = on(examination, 'loopback', 'pod', 'own-node').flatMap((one) => {
      const bad = findBad(one.result)
      // An alert was spoken by who understood the TLS that was meant.
      if (bad?.kind === 'garbled' && bad.speaks !== 'other' && bad.speaks !== 'proxy' && bad.alert === undefined)
        return [{ one, speaks: bad.speaks }]
      const http = one.result.tries[0]?.outcome
      // What servers of TLS say to plain HTTP, in HTTP: nginx 497, Go's net/http.
      if (
        subject.speech === 'http' &&
        http?.kind === 'answered' &&
        http.http?.status === 400 &&
        /HTTPS? (server|port)|SSL-enabled|TLS/i.test(http.http.body)
      )
        return [{ one, speaks: 'tls' as const }]
      return []
    })
    const [first] = wrong
    if (first === undefined) return []
    const { appProtocol, name = '' } = subject.port
    const said = { connect: 'TCP', http: 'HTTP', https: 'HTTPS', h2c: 'HTTP/2', dns: 'DNS', datagram: 'UDP' }[
      subject.speech
    ]
    const spoken = { tls: 'TLS', http: 'HTTP/1.1 without TLS', h2: 'HTTP/2 without TLS' }[first.speaks]
    const value = { tls: 'https', http: 'http', h2: 'kubernetes.io/h2c' }[first.speaks]
    const field = appProtocol === undefined && name !== '' ? 'name' : 'appProtocol'
    return [
      {
        confidence: 'certain',
        object: serviceOf(subject),
        field: `${portField(subject)}.appProtocol`,
        value: appProtocol ?? '',
        says: `the port is said to speak ${said} (${field} ${appProtocol ?? name ?? ''}), and the pods speak ${spoken}: an Ingress or Gateway makes 502 of it`,
        proof: wrong.slice(0, 2).map(({ one }) => proofOf(one)),
        twin: 'a backend that closes early answers nothing at all',
        fix: { says: `say what the pods speak`, patch: patchPort(subject, 'appProtocol', value) },
        rung: 'loopback',
      },
    ]
  },
}
