import type { Labels } from '../../cluster/index.ts'
import type { Patch, Rule } from '../cause.ts'
import { type Examination, isMeant, on, type Tested } from '../examination.ts'
import { findBad } from '../probe.ts'
import { portField, proofOf, serviceOf } from '../words.ts'

/** A NetworkPolicy denies the connection, by the model, and the wire agrees: silence. */
export const policyDenies: Rule = {
  covers: ['43', '44', '46', '47'],
  judge(examination) {
    const { subject } = examination
    const denied = on(examination, 'client-pod', 'cluster-ip', 'other-node', 'node-port', 'external').filter(
      ({ good, answer }) => !good && answer?.verdict.kind === 'deny' && isPolicy(answer.verdict.because.object),
    )
    const byPolicy = new Map<string, (typeof denied)[number][]>()
    for (const one of denied) {
      const { object } = one.answer!.verdict.because
      byPolicy.set(object, [...(byPolicy.get(object) ?? []), one])
    }
    return [...byPolicy].map(([object, some]) => {
      // What a client meets counts more than what a node does.
      const first = some.find(({ probe }) => probe.from.kind === 'pod') ?? some[0]!
      const { verdict } = first.answer!
      const silent = some.every(({ result }) => findBad(result)?.kind === 'silence')
      const number = String(subject.backends[0]?.port ?? '')
      const mistaken = namesServicePort(examination, object)
        ? `; it names the Service's port ${subject.port.port}, and policies see the pod's port ${number}`
        : ''
      return {
        // Who is no client of the Service may be kept out on purpose.
        confidence: some.every((one) => isMeant(one, examination.tested))
          ? ('possible' as const)
          : silent
            ? ('certain' as const)
            : ('likely' as const),
        object,
        field: verdict.because.field,
        value: verdict.because.value,
        says: `${verdict.says}${mistaken}`,
        proof: some.slice(0, 3).map(proofOf),
        twin: 'a port on which nothing listens is refused with RST, a policy is silent',
        fix: {
          says: `allow port ${number} of the pods of ${serviceOf(subject)} (${portField(subject)}.targetPort) to this client in a NetworkPolicy`,
          ...patchOf(examination, object, verdict.because.field, first),
        },
        rung: first.probe.rung,
      }
    })
  },
}

/** A rule more in the policy: pods by their labels, nodes and others by their addresses. */
function patchOf(
  { snapshot, subject }: Examination,
  object: string,
  field: string,
  { probe: { from } }: Tested,
): { readonly patch?: Patch } {
  const policy = snapshot.policies.get(object.replace(/^networkpolicy\//, ''))
  const port = subject.backends[0]?.port
  const client = from.kind === 'pod' ? snapshot.pods.get(`${from.namespace}/${from.name}`) : undefined
  if (policy === undefined || port === undefined || client === undefined) return {}
  const direction = /egress/i.test(field) ? 'egress' : 'ingress'
  const peers = (labels: Labels, namespace: string) => [
    {
      podSelector: { matchLabels: labels },
      ...(namespace === policy.metadata.namespace
        ? {}
        : { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } }),
    },
  ]
  const ports = [{ port, protocol: subject.transport.toUpperCase() }]
  const { namespace = '' } = subject.service.metadata
  const rule =
    direction === 'ingress'
      ? { from: peers(client.metadata.labels ?? {}, client.metadata.namespace ?? ''), ports }
      : { to: peers(subject.service.spec.selector ?? {}, namespace), ports }
  const body = [
    policy.spec?.[direction] === undefined
      ? { op: 'add', path: `/spec/${direction}`, value: [rule] }
      : { op: 'add', path: `/spec/${direction}/-`, value: rule },
  ]
  const { name } = policy.metadata
  return { patch: { kind: 'NetworkPolicy', namespace: policy.metadata.namespace ?? '', name, type: 'json', body } }
}

function isPolicy(object: string): boolean {
  return /^(networkpolicy|clusternetworkpolicy|adminnetworkpolicy|baselineadminnetworkpolicy)\//.test(object)
}

/** The commonest slip: policies count after the Service's address and port have been translated. */
function namesServicePort({ snapshot, subject }: Examination, object: string): boolean {
  const spec = snapshot.policies.get(object.replace(/^networkpolicy\//, ''))?.spec
  const rules = [...(spec?.ingress ?? []), ...(spec?.egress ?? [])]
  const ports = rules.flatMap((rule) => rule.ports ?? []).map(({ port }) => port)
  return ports.includes(subject.port.port) && !ports.includes(subject.backends[0]?.port)
}
