import { keyOf } from '../../cluster/index.ts'
import type { Rule } from '../cause.ts'
import { type Examination, inPod, type ListeningAt, type Tested } from '../examination.ts'
import { findBad } from '../probe.ts'
import type { Backend } from '../subject.ts'
import { addressText, patchPort, portField, proofOf, serviceOf } from '../words.ts'
import { isLoopback, socketsOf } from './sockets.ts'

/** Where net.ipv4.ip_local_port_range begins unless told. */
const ephemeral = 32_768

/** Nothing listens at all, so only what containers declare tells that the number is another. */
function byDeclaration(
  { subject }: Examination,
  wrong: readonly { readonly pod: string; readonly backend: Backend; readonly direct: Tested }[],
): ReturnType<Rule['judge']> {
  const [first] = wrong
  const { targetPort } = subject.port
  if (first === undefined || typeof targetPort !== 'number') return []
  const declared = subject.backends.flatMap(({ pod }) =>
    (pod?.spec.containers ?? []).flatMap(({ ports = [] }) => ports.map(({ containerPort }) => containerPort)),
  )
  const [only] = declared
  if (only === undefined || declared.includes(targetPort)) return []
  const says = `connections go to port ${targetPort}, which no container of pod/${first.pod} declares (it has ${[...new Set(declared)].join(', ')}); nothing listens yet that would show it`
  return [
    {
      confidence: 'likely',
      object: serviceOf(subject),
      field: `${portField(subject)}.targetPort`,
      value: String(targetPort),
      says,
      proof: wrong.slice(0, 2).map(({ direct }) => proofOf(direct)),
      twin: 'a port that a container listens on without declaring it',
      fix: { says: 'lead to the port that is declared', patch: patchPort(subject, 'targetPort', only) },
      rung: 'pod',
    },
  ]
}

/** The pod refuses the port, and another port listens there: the number is wrong. Twin: an application that listens nowhere. */
export const wrongTargetPort: Rule = {
  covers: ['3', '6'],
  judge(examination) {
    const { subject } = examination
    const wrong = subject.backends.flatMap((backend) => {
      if (backend.pod === undefined) return []
      const pod = keyOf(backend.pod)
      const sockets = socketsOf(examination, pod)
      if (sockets === undefined) return []
      const [direct] = inPod(examination, 'pod', pod).filter(({ probe }) => probe.address === backend.address)
      if (direct === undefined || findBad(direct.result)?.kind !== 'refused') return []
      if (sockets.some((one) => one.port === backend.port && one.transport === subject.transport)) return []
      const others = sockets.filter(
        (one) => one.transport === subject.transport && !isLoopback(one.address) && isServing(one),
      )
      const swapped = sockets.find((one) => one.port === backend.port)
      return [{ pod, backend, direct, others: [...new Set(others.map(({ port }) => port))], swapped }]
    })
    const first = wrong.find(({ others, swapped }) => others.length > 0 || swapped !== undefined)
    if (first === undefined) return byDeclaration(examination, wrong)
    const { pod, backend, others, swapped } = first
    const listens =
      swapped === undefined
        ? `it listens on ${others
            .slice(0, 6)
            .map((port) => `${port}/${subject.transport}`)
            .join(', ')}`
        : `it listens there in ${swapped.transport}`
    const target = subject.port.targetPort ?? subject.port.port
    const named = swapped === undefined ? declaredPort(first.pod, backend, target) : undefined
    return [
      {
        confidence: 'certain',
        object: named?.object ?? serviceOf(subject),
        field: named?.field ?? `${portField(subject)}.${swapped === undefined ? 'targetPort' : 'protocol'}`,
        value:
          named === undefined
            ? swapped === undefined
              ? String(target)
              : (subject.port.protocol ?? 'TCP')
            : String(backend.port),
        says: `connections go to port ${backend.port}/${subject.transport}, where pod/${pod} has no socket; ${listens}`,
        proof: wrong
          .slice(0, 3)
          .flatMap(({ direct, backend: one }) => [proofOf(direct), `no socket listens at ${addressText(one)}`]),
        twin: 'an application that is down: there no port listens at all; a policy would be silent',
        fix:
          swapped !== undefined
            ? {
                says: `let the Service's port be ${swapped.transport.toUpperCase()}`,
                patch: patchPort(subject, 'protocol', swapped.transport.toUpperCase()),
              }
            : named !== undefined
              ? { says: `let the port ${target} of the pod’s container be one that listens (${others.join(', ')})` }
              : others.length === 1
                ? { says: 'lead to the port that listens', patch: patchPort(subject, 'targetPort', others[0]) }
                : { says: `lead to one of the ports that listen (${others.join(', ')})` },
        rung: 'pod',
      },
    ]
  },
}

/** A socket of UDP that is bound to a port which the kernel chose is a client's. */
function isServing({ transport, port }: ListeningAt): boolean {
  return transport === 'tcp' || port < ephemeral
}

/** A name is the pod's word for a number: then the pod's number is wrong. Ports of a pod cannot be changed by a patch. */
function declaredPort(
  pod: string,
  { pod: found }: Backend,
  target: number | string,
): { readonly object: string; readonly field: string } | undefined {
  if (typeof target === 'number') return undefined
  const at = (found?.spec.containers ?? []).findIndex(({ ports = [] }) => ports.some(({ name }) => name === target))
  if (at < 0) return undefined
  const port = (found?.spec.containers[at]?.ports ?? []).findIndex(({ name }) => name === target)
  return { object: `pod/${pod}`, field: `spec.containers[${at}].ports[${port}].containerPort` }
}
