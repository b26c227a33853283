import { cpus, totalmem } from 'node:os'
import {
  type ConfigMap,
  type Container,
  type EnvVar,
  type Pod,
  quantityValue,
  type Secret,
  type Service,
} from '../objects/index.ts'

/** Where the values of a container's environment come from. */
export interface EnvironmentSources {
  readonly services: Iterable<Service>
  readonly configMap: (name: string) => Promise<ConfigMap | undefined>
  readonly secret: (name: string) => Promise<Secret | undefined>
  readonly podAddresses: readonly string[]
  readonly hostAddresses: readonly string[]
}

/** A container's configuration refers to something that is not there; the kubelet tries again later. */
export class ContainerConfigError extends Error {}

/** A container's environment in upstream's order of precedence: Services, then `envFrom`, then `env`; `$(NAME)` is expanded. */
export async function buildEnvironment(
  pod: Pod,
  container: Container,
  sources: EnvironmentSources,
): Promise<Record<string, string>> {
  const environment: Record<string, string> = serviceVariables(pod, sources.services)
  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef !== undefined) {
      const found = await sources.configMap(configMapRef.name)
      if (found === undefined && !configMapRef.optional) throw notFound('configmap', configMapRef.name)
      for (const [key, value] of Object.entries(found?.data ?? {})) environment[prefix + key] = value
    }
    if (secretRef !== undefined) {
      const found = await sources.secret(secretRef.name)
      if (found === undefined && !secretRef.optional) throw notFound('secret', secretRef.name)
      for (const [key, value] of Object.entries(found?.data ?? {})) environment[prefix + key] = decode(value)
    }
  }
  for (const variable of container.env ?? []) {
    const value =
      variable.valueFrom === undefined
        ? expandReferences(variable.value ?? '', environment)
        : await resolve(pod, container, variable, sources)
    if (value !== undefined) environment[variable.name] = value
  }
  return environment
}

/** `NAME_SERVICE_HOST` and Docker-link variables of the Services in the pod's namespace, and of `default/kubernetes` always. */
export function serviceVariables(pod: Pod, services: Iterable<Service>): Record<string, string> {
  const links = pod.spec.enableServiceLinks !== false
  const variables: Record<string, string> = {}
  const sorted = [...services].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  for (const service of sorted) {
    const { name, namespace } = service.metadata
    const wanted = (links && namespace === pod.metadata.namespace) || (name === 'kubernetes' && namespace === 'default')
    const { clusterIP, ports = [] } = service.spec
    if (!wanted || clusterIP === undefined || clusterIP === '' || clusterIP === 'None' || ports[0] === undefined)
      continue
    const prefix = name.toUpperCase().replaceAll('-', '_')
    variables[`${prefix}_SERVICE_HOST`] = clusterIP
    variables[`${prefix}_SERVICE_PORT`] = String(ports[0].port)
    for (const { name: port, port: number } of ports) {
      if (port) variables[`${prefix}_SERVICE_PORT_${port.toUpperCase().replaceAll('-', '_')}`] = String(number)
    }
    const host = clusterIP.includes(':') ? `[${clusterIP}]` : clusterIP
    const url = ({ protocol = 'TCP', port }: { protocol?: string; port: number }) =>
      `${protocol.toLowerCase()}://${host}:${port}`
    variables[`${prefix}_PORT`] = url(ports[0])
    for (const port of ports) {
      const { protocol = 'TCP', port: number } = port
      const base = `${prefix}_PORT_${number}_${protocol}`
      variables[base] = url(port)
      variables[`${base}_PROTO`] = protocol.toLowerCase()
      variables[`${base}_PORT`] = String(number)
      variables[`${base}_ADDR`] = clusterIP
    }
  }
  return variables
}

/** Replaces `$(NAME)` by its value; unknown names stay as they are and `$$` is a literal `$` (third_party/forked/golang/expansion). */
export function expandReferences(text: string, environment: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([^()]*)\)/g, (whole, name: string | undefined) =>
    whole === '$$' ? '$' : (environment[name ?? ''] ?? whole),
  )
}

async function resolve(
  pod: Pod,
  container: Container,
  { valueFrom = {} }: EnvVar,
  sources: EnvironmentSources,
): Promise<string | undefined> {
  const { fieldRef, configMapKeyRef, secretKeyRef, resourceFieldRef } = valueFrom
  if (fieldRef !== undefined) return readField(pod, fieldRef.fieldPath, sources)
  if (resourceFieldRef !== undefined) return readResource(pod, resourceFieldRef, container)
  const reference = configMapKeyRef ?? secretKeyRef
  if (reference === undefined) return ''
  const kind = configMapKeyRef === undefined ? 'secret' : 'configmap'
  const found = kind === 'secret' ? await sources.secret(reference.name) : await sources.configMap(reference.name)
  if (found === undefined) {
    if (reference.optional) return undefined
    throw notFound(kind, reference.name)
  }
  const value = found.data?.[reference.key]
  if (value !== undefined) return kind === 'secret' ? decode(value) : value
  if (reference.optional) return undefined
  const owner = `${pod.metadata.namespace}/${reference.name}`
  throw new ContainerConfigError(
    `couldn't find key ${reference.key} in ${kind === 'secret' ? 'Secret' : 'ConfigMap'} ${owner}`,
  )
}

/** A downward API field of the pod. */
export function readField(pod: Pod, path: string, { podAddresses, hostAddresses }: EnvironmentSources): string {
  const { metadata, spec } = pod
  if (path === 'metadata.labels') return renderMap(metadata.labels)
  if (path === 'metadata.annotations') return renderMap(metadata.annotations)
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path)
  if (keyed !== null) return metadata[keyed[1] as 'labels' | 'annotations']?.[keyed[2]!] ?? ''
  const fields: Record<string, string | undefined> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'metadata.uid': metadata.uid,
    'spec.nodeName': spec.nodeName,
    'spec.serviceAccountName': spec.serviceAccountName ?? 'default',
    'status.hostIP': hostAddresses[0],
    'status.hostIPs': hostAddresses.join(','),
    'status.podIP': podAddresses[0],
    'status.podIPs': podAddresses.join(','),
  }
  if (!(path in fields))
    throw new ContainerConfigError(`fieldPath "${path}" is not a field that an environment can have`)
  return fields[path] ?? ''
}

/** Labels or annotations in a file: a line each, sorted, values as Go quotes them. */
function renderMap(map: Readonly<Record<string, string>> = {}): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n')
}

/** A request or limit of a container, in units of `divisor`. */
export interface ResourceField {
  readonly containerName?: string
  /** `limits.cpu`, `requests.memory`, … */
  readonly resource: string
  readonly divisor?: string | number
}

/** A container's resource in units of its divisor, rounded up; without a limit what the machine has, without a request 0 (as upstream). */
export function readResource(pod: Pod, { containerName, resource, divisor }: ResourceField, own?: Container): string {
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
  const container = containerName === undefined ? own : all.find(({ name }) => name === containerName)
  const [list = '', ...rest] = resource.split('.')
  const name = rest.join('.')
  const resources = (container as { resources?: Record<string, Record<string, string> | undefined> } | undefined)
    ?.resources
  const machine: Record<string, number> = { cpu: cpus().length, memory: totalmem() }
  const quantity = resources?.[list]?.[name]
  const value = quantity === undefined ? (list === 'limits' ? (machine[name] ?? 0) : 0) : quantityValue(quantity)
  const unit = quantityValue(divisor ?? 1) || 1
  // 0.1 / 0.001 is 100.00000000000001 in binary.
  return String(Math.ceil(Number((value / unit).toFixed(6))))
}

function notFound(kind: string, name: string): ContainerConfigError {
  return new ContainerConfigError(`${kind} "${name}" not found`)
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString()
}
