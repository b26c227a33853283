import type { EndpointPort, Pod, Protocol, Service, ServicePort } from '../objects/index.ts'

/** The number of the container port with this name and protocol: containers first, then sidecars (init containers that restart always). */
export function findNamedPort(pod: Pod, name: string, protocol: Protocol): number | undefined {
  const sidecars = (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always')
  for (const container of [...pod.spec.containers, ...sidecars]) {
    for (const port of container.ports ?? []) {
      if (port.name === name && (port.protocol ?? 'TCP') === protocol) return port.containerPort
    }
  }
  return undefined
}

/** The port of the Pod behind a Service port, or undefined when the Pod names no such port. */
export function findTargetPort(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort
  // Defaulting as the API server's: zero and the empty name stand for the Service's own port.
  if (target === undefined || target === 0 || target === '') return port.port
  return typeof target === 'number' ? target : findNamedPort(pod, target, port.protocol ?? 'TCP')
}

/** The ports of a Service as this Pod serves them; a named port that the Pod lacks is left out. */
export function endpointPorts(service: Service, pod: Pod): EndpointPort[] {
  return (service.spec.ports ?? []).flatMap((port) => {
    const number = findTargetPort(pod, port)
    return number === undefined ? [] : [endpointPort(port, number)]
  })
}

/** A Service's port with its number in the Pod; the name is always set, as upstream. */
export function endpointPort(port: ServicePort, number: number): EndpointPort {
  const appProtocol = port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }
  return { name: port.name ?? '', protocol: port.protocol ?? 'TCP', port: number, ...appProtocol }
}

/** Equal for lists of the same ports in any order: slices are grouped by it. */
export function portsKey(ports: readonly EndpointPort[] | undefined): string {
  const texts = (ports ?? []).map(
    ({ name, protocol, port, appProtocol }) => `${name ?? ''}/${protocol ?? 'TCP'}/${port ?? ''}/${appProtocol ?? ''}`,
  )
  return texts.sort().join(' ')
}
