import type { FieldError } from './contract.ts'
import { duplicate, forbidden, invalid, notSupported, required } from './field-error.ts'
import { dns1123Label, portName, portNumber, qualifiedNameRule } from './names.ts'
import type { Service, ServicePort } from './types.ts'

/** The transport protocols that Kubernetes knows. */
export const protocols = ['SCTP', 'TCP', 'UDP'] as const

/** A Service's ports: names required when there are several, unique names, ports and node ports. */
export function validateServicePorts({ type, ports = [] }: Service['spec']): FieldError[] {
  const errors: FieldError[] = []
  const names = new Set<string>()
  for (const [index, port] of ports.entries()) {
    const path = `spec.ports[${index}]`
    errors.push(...validatePort(port, path, ports.length > 1))
    if (port.name && names.has(port.name)) errors.push(duplicate(`${path}.name`, port.name))
    if (port.name) names.add(port.name)
    if (type === 'ClusterIP' && port.nodePort)
      errors.push(forbidden(`${path}.nodePort`, "may not be used when `type` is 'ClusterIP'"))
  }
  return [...errors, ...validateUnique(ports)]
}

function validatePort(port: ServicePort, path: string, nameRequired: boolean): FieldError[] {
  const errors: FieldError[] = []
  const { name = '', protocol = '', targetPort, appProtocol } = port
  if (name !== '') errors.push(...dns1123Label(name).map((problem) => invalid(`${path}.name`, name, problem)))
  else if (nameRequired) errors.push(required(`${path}.name`))
  // Go decodes a missing number as zero, which is out of range.
  const number = port.port ?? 0
  errors.push(...portNumber(number).map((problem) => invalid(`${path}.port`, number, problem)))
  if (protocol === '') errors.push(required(`${path}.protocol`))
  else if (!protocols.includes(protocol)) errors.push(notSupported(`${path}.protocol`, protocol, protocols))
  if (targetPort !== undefined) errors.push(...validatePortOrName(targetPort, `${path}.targetPort`))
  if (appProtocol !== undefined)
    errors.push(
      ...qualifiedNameRule(appProtocol).map((problem) => invalid(`${path}.appProtocol`, appProtocol, problem)),
    )
  return errors
}

/** A port by number, or by the name of a container's port. */
export function validatePortOrName(value: number | string, field: string): FieldError[] {
  const problems = typeof value === 'number' ? portNumber(value) : portName(value)
  return problems.map((problem) => invalid(field, value, problem))
}

function validateUnique(ports: readonly ServicePort[]): FieldError[] {
  const errors: FieldError[] = []
  const seen = new Set<string>()
  for (const [index, { protocol, nodePort }] of ports.entries()) {
    const byNodePort = `node ${protocol} ${nodePort}`
    if (nodePort && seen.has(byNodePort)) errors.push(duplicate(`spec.ports[${index}].nodePort`, nodePort))
    seen.add(byNodePort)
  }
  for (const [index, { protocol, port }] of ports.entries()) {
    const byPort = `port ${protocol} ${port}`
    if (seen.has(byPort)) errors.push(duplicate(`spec.ports[${index}]`, { port, protocol }))
    seen.add(byPort)
  }
  return errors
}
