import { keyOf } from '../../cluster/index.ts'
import { explainEndpoint, selects } from '../../endpoints/index.ts'
import type { Rule } from '../cause.ts'
import { patchPort, serviceOf } from '../words.ts'

/** A named targetPort that no container has, or has with another protocol. */
export const portNotInPod: Rule = {
  covers: ['4', '5', '6'],
  judge({ snapshot, subject }) {
    const { service, port, backends } = subject
    const { targetPort } = port
    if (typeof targetPort !== 'string') return []
    const pods = [...snapshot.pods.values()].filter((pod) => selects(service, pod))
    const found = pods.flatMap((pod) => {
      const node = snapshot.nodes.get(pod.spec.nodeName ?? '')
      const { steps } = explainEndpoint({ service, pod, node, port: port.port })
      const step = steps.find(({ kind, because }) => kind === 'blocks' && because.field.endsWith('.targetPort'))
      return step === undefined ? [] : [{ pod, step }]
    })
    const [first] = found
    // Pods of another revision may have the name: then only those without it are missing.
    if (first === undefined) return []
    const ports = first.pod.spec.containers.flatMap((container) => container.ports ?? [])
    const same = ports.filter((one) => (one.protocol ?? 'TCP') === (port.protocol ?? 'TCP'))
    const other = ports.find(({ name }) => name === targetPort)
    const fix =
      other !== undefined
        ? {
            says: `the container's port ${targetPort} is ${other.protocol ?? 'TCP'}: let the Service's port be so too`,
            patch: patchPort(subject, 'protocol', other.protocol ?? 'TCP'),
          }
        : same.length === 1
          ? {
              says: `use the only ${port.protocol ?? 'TCP'} port that the container has`,
              patch: patchPort(subject, 'targetPort', same[0]?.name ?? same[0]?.containerPort),
            }
          : { says: `name a container port "${targetPort}", or use a number as targetPort` }
    return [
      {
        confidence: backends.length === 0 ? 'certain' : 'likely',
        object: serviceOf(subject),
        field: first.step.because.field,
        value: targetPort,
        says: `${first.step.says} (${found.length} of ${pods.length} pods)`,
        proof: found.slice(0, 3).map(({ pod }) => `pod/${keyOf(pod)} declares ${describe(pod.spec.containers)}`),
        twin: 'a wrong number: there a slice has a port and the pod answers with RST',
        fix,
        rung: 'cluster-ip',
      },
    ]
  },
}

function describe(
  containers: readonly { readonly ports?: readonly { name?: string; containerPort: number; protocol?: string }[] }[],
): string {
  const ports = containers.flatMap(({ ports: some = [] }) => some)
  if (ports.length === 0) return 'no ports'
  return ports
    .map(({ name, containerPort, protocol = 'TCP' }) =>
      `${name ?? ''} ${containerPort}/${protocol.toLowerCase()}`.trim(),
    )
    .join(', ')
}
