import type { Rule } from '../cause.ts'
import { on, type Tested } from '../examination.ts'
import { findBad } from '../probe.ts'
import type { RequestRule } from '../request.ts'
import { patchService, proofOf, serviceOf } from '../words.ts'

const annotation = 'plumb.network/proxy-protocol'

/** The pods wait for a header of the PROXY protocol before HTTP, and nobody sends one. */
export const proxyHeaderMissing: Rule = {
  covers: ['40'],
  judge(examination) {
    const { subject } = examination
    const found = on(examination, 'loopback', 'pod', 'own-node').filter(expectsHeader)
    const [first] = found
    // Behind a gateway that sends it all is well.
    if (first === undefined || subject.service.metadata.annotations?.[annotation] !== undefined) return []
    return [
      {
        confidence: 'certain',
        object: serviceOf(subject),
        field: `metadata.annotations["${annotation}"]`,
        value: '',
        says: 'the pods expect a header of the PROXY protocol on every connection, and nobody is told to send one: they close',
        proof: found.slice(0, 3).map(proofOf),
        twin: 'an application that closes early: it does so after such a header too',
        fix: {
          says: 'let gateways send the header, or turn it off in the application; who asks without a gateway gets no answer as long as it is on',
          patch: patchService(subject, { metadata: { annotations: { [annotation]: 'v1' } } }),
        },
        rung: 'loopback',
      },
    ]
  },
}

/** One side alone speaks the PROXY protocol: the gateway sends it to pods that do not know it, or wants it of clients that send none. */
export const proxyHeaderUnexpected: RequestRule = {
  covers: ['40'],
  judge({ tested, answer, model, backend }) {
    const bad = tested.filter(({ good, result }) => !good || statusOf(result) === 400)
    const wanted = bad.filter(expectsHeader)
    const { entrance } = answer
    if (wanted.length > 0 && entrance?.trustedProxies !== undefined) {
      return [
        {
          confidence: 'certain',
          object: entrance.because.object,
          field: `metadata.annotations["${annotation}"]`,
          value: entrance.trustedProxies.join(', '),
          says: `the gateway expects a header of the PROXY protocol from ${entrance.trustedProxies.join(', ')}, and clients there send none: it closes their connections`,
          proof: wanted.slice(0, 3).map(proofOf),
          twin: 'a gateway that does not run refuses; here it answers as soon as the header is sent',
          fix: { says: 'name the addresses of the load balancers alone that send the header, or turn it on there' },
          rung: 'gateway',
        },
      ]
    }
    if (answer.kind !== 'forwarded' && answer.kind !== 'stream') return []
    const sent = model.backends.find(({ id }) => id === answer.backend)
    const direct = backend?.tested.filter(({ probe }) => probe.rung === 'own-node' || probe.rung === 'pod') ?? []
    const [first] = bad
    if (sent?.proxyProtocol === undefined || first === undefined || direct.length === 0) return []
    if (direct.some(({ good }) => !good)) return []
    return [
      {
        confidence: 'certain',
        object: `service/${sent.service}`,
        field: `metadata.annotations["${annotation}"]`,
        value: sent.proxyProtocol,
        says: `the gateway begins each connection to the pods with a header of the PROXY protocol (${sent.proxyProtocol}), and they take it for a broken request; asked without it they answer`,
        proof: [proofOf(first), ...direct.slice(0, 1).map(proofOf)],
        twin: 'an application that fails: it fails without the header too',
        fix: {
          says: 'take the annotation away, or let the application expect the header',
          patch: {
            kind: 'Service',
            namespace: sent.service.split('/')[0] ?? '',
            name: sent.service.split('/')[1] ?? '',
            type: 'merge',
            body: { metadata: { annotations: { [annotation]: null } } },
          },
        },
        rung: 'gateway',
      },
    ]
  },
}

function expectsHeader({ result }: Tested): boolean {
  const bad = findBad(result)
  return bad?.kind === 'garbled' && bad.speaks === 'proxy'
}

function statusOf({ tries }: Tested['result']): number | undefined {
  const outcome = tries[0]?.outcome
  return outcome?.kind === 'answered' ? outcome.http?.status : undefined
}
