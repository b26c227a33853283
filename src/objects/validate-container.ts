import type { FieldError } from './contract.ts'
import { absent, complaints, duplicate, forbidden, invalid, notSupported, required } from './field-error.ts'
import { dns1123Label, portName, portNumber } from './names.ts'
import { quantityValue } from './quantity.ts'
import type { Container, ContainerPort } from './types.ts'
import { validateEnv } from './validate-env.ts'
import { validateHandler, validateProbe } from './validate-probe.ts'
import { protocols } from './validate-service-ports.ts'

/** A container with the fields that only validation reads. */
interface FullContainer extends Container {
  imagePullPolicy?: string
  resources?: { limits?: Record<string, unknown>; requests?: Record<string, unknown> }
  volumeMounts?: { name?: string; mountPath?: string }[]
  lifecycle?: { postStart?: object; preStop?: object }
  ports?: (ContainerPort & { hostIP?: string })[]
}

/** What a container may refer to in its pod. */
export interface PodScope {
  readonly volumes: ReadonlySet<string>
  readonly hostNetwork: boolean
}

const pullPolicies = ['Always', 'IfNotPresent', 'Never']

/** All containers of one list; `init` containers take probes and hooks only when they restart always. */
export function validateContainers(
  containers: readonly Container[],
  path: string,
  scope: PodScope,
  init: boolean,
): FieldError[] {
  const errors: FieldError[] = []
  const names = new Set<string>()
  for (const [index, container] of containers.entries()) {
    const at = `${path}[${index}]`
    errors.push(...validateContainer(container, at, scope))
    if (container.name && names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name))
    names.add(container.name)
    if (init) errors.push(...validateInit(container, at))
    else if (
      container.restartPolicy !== undefined &&
      !['Always', 'OnFailure', 'Never'].includes(container.restartPolicy)
    )
      errors.push(notSupported(`${at}.restartPolicy`, container.restartPolicy, ['Always', 'OnFailure', 'Never']))
  }
  return errors
}

function validateInit(container: FullContainer, path: string): FieldError[] {
  if (container.restartPolicy === 'Always') return []
  const given = (['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const).filter(
    (name) => container[name] !== undefined,
  )
  return given.map((name) =>
    forbidden(`${path}.${name}`, 'may not be set for init containers without restartPolicy=Always'),
  )
}

function validateContainer(container: FullContainer, path: string, scope: PodScope): FieldError[] {
  const { name, image, imagePullPolicy = 'Always', lifecycle } = container
  const errors = name ? complaints(`${path}.name`, name, dns1123Label(name)) : [required(`${path}.name`)]
  if (!image) errors.push(required(`${path}.image`))
  else if (image !== image.trim())
    errors.push(invalid(`${path}.image`, image, 'must not have leading or trailing whitespace'))
  if (!pullPolicies.includes(imagePullPolicy))
    errors.push(notSupported(`${path}.imagePullPolicy`, imagePullPolicy, pullPolicies))
  for (const hook of ['postStart', 'preStop'] as const) {
    const handler = lifecycle?.[hook]
    if (handler !== undefined) errors.push(...validateHandler(handler, `${path}.lifecycle.${hook}`))
  }
  return [
    ...errors,
    ...validateProbe(container.livenessProbe, `${path}.livenessProbe`, true),
    ...validateProbe(container.readinessProbe, `${path}.readinessProbe`, false),
    ...validateProbe(container.startupProbe, `${path}.startupProbe`, true),
    ...validatePorts(container, path, scope),
    ...validateEnv(container, path),
    ...validateMounts(container, path, scope),
    ...validateResources(container, path),
  ]
}

function validatePorts({ ports = [] }: FullContainer, path: string, scope: PodScope): FieldError[] {
  const errors: FieldError[] = []
  const names = new Set<string>()
  for (const [index, port] of ports.entries()) {
    const at = `${path}.ports[${index}]`
    const { name, containerPort, hostPort, protocol = '' } = port
    if (name) {
      const wrong = portName(name)
      errors.push(...complaints(`${at}.name`, name, wrong))
      if (wrong.length === 0 && names.has(name)) errors.push(duplicate(`${at}.name`, name))
      names.add(name)
    }
    if (!containerPort) errors.push(required(`${at}.containerPort`))
    else errors.push(...complaints(`${at}.containerPort`, containerPort, portNumber(containerPort)))
    if (hostPort) errors.push(...complaints(`${at}.hostPort`, hostPort, portNumber(hostPort)))
    if (scope.hostNetwork && hostPort && hostPort !== containerPort)
      errors.push(invalid(`${at}.hostPort`, hostPort, 'must match `containerPort` when `hostNetwork` is true'))
    if (protocol === '') errors.push(required(`${at}.protocol`))
    else if (!protocols.includes(protocol)) errors.push(notSupported(`${at}.protocol`, protocol, protocols))
  }
  return errors
}

/** Host ports must be free of each other in the whole pod. */
export function validateHostPorts(containers: readonly Container[], path: string): FieldError[] {
  const errors: FieldError[] = []
  const seen = new Set<string>()
  for (const [index, container] of (containers as readonly FullContainer[]).entries())
    for (const [at, { protocol, hostIP = '', hostPort }] of (container.ports ?? []).entries()) {
      if (!hostPort) continue
      const key = `${protocol}/${hostIP}/${hostPort}`
      if (seen.has(key)) errors.push(duplicate(`${path}[${index}].ports[${at}].hostPort`, key))
      seen.add(key)
    }
  return errors
}

function validateMounts({ volumeMounts = [] }: FullContainer, path: string, { volumes }: PodScope): FieldError[] {
  const paths = new Set<string>()
  return volumeMounts.flatMap(({ name, mountPath }, index) => {
    const at = `${path}.volumeMounts[${index}]`
    const errors: FieldError[] = []
    if (!name) errors.push(required(`${at}.name`))
    else if (!volumes.has(name)) errors.push(absent(`${at}.name`, name))
    if (!mountPath) errors.push(required(`${at}.mountPath`))
    else if (paths.has(mountPath)) errors.push(invalid(`${at}.mountPath`, mountPath, 'must be unique'))
    paths.add(mountPath ?? '')
    return errors
  })
}

function validateResources({ resources = {} }: FullContainer, path: string): FieldError[] {
  const { limits = {}, requests = {} } = resources
  const errors: FieldError[] = []
  for (const [list, values] of Object.entries({ limits, requests }))
    for (const [name, value] of Object.entries(values))
      if (quantityValue(value) < 0)
        errors.push(invalid(`${path}.resources.${list}[${name}]`, String(value), 'must be greater than or equal to 0'))
  for (const [name, value] of Object.entries(requests)) {
    const limit = limits[name]
    if (limit !== undefined && quantityValue(value) > quantityValue(limit))
      errors.push(
        invalid(
          `${path}.resources.requests`,
          String(value),
          `must be less than or equal to ${name} limit of ${String(limit)}`,
        ),
      )
  }
  return errors
}
