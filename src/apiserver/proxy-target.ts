import { isIP } from 'node:net'
import { type EndpointSlice, errors, type Node, type Pod, type Service } from '../objects/index.ts'
import type { Reader } from './authorization.ts'
import type { Core } from './core.ts'
import { Refusal } from './refusal.ts'
import { nodeDoor } from './relay.ts'
import { getEntry } from './resource.ts'
import type { Scope } from './scope.ts'

/** Where a proxied request goes: `kubelet` has the API server's client certificate, a pod gets none. */
export interface ProxyTarget {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  readonly kubelet?: ReturnType<typeof nodeDoor>
}

/** Where the name of a proxied pod, Service or node leads: `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT` (upstream's `ResourceLocation`). */
export function proxyTarget(core: Core, scope: Scope): ProxyTarget {
  const { scheme, name, port } = splitName(scope)
  const { value } = getEntry(core, { ...scope, name, subresource: undefined })
  if (scope.kind.kind === 'Node') return nodeTarget(core, value as Node, scheme, port)
  if (scope.kind.kind === 'Service') {
    const found = serviceEndpoint(core.reader, value as Service, port)
    if (typeof found === 'string') throw new Refusal(errors.serviceUnavailable(found))
    return { scheme, ...found }
  }
  return { scheme, ...podTarget(value as Pod, port, scheme) }
}

function splitName({ name = '', kind }: Scope): { scheme: 'http' | 'https'; name: string; port: string } {
  const parts = name.split(':')
  const [scheme = '', own = '', port = ''] = parts.length === 3 ? parts : ['', ...parts]
  if (parts.length > 3 || own === '' || !['', 'http', 'https'].includes(scheme))
    throw new Refusal(errors.badRequest(`invalid ${kind.kind.toLowerCase()} request ${JSON.stringify(name)}`))
  return { scheme: scheme === 'https' ? 'https' : 'http', name: own, port }
}

function podTarget(pod: Pod, port: string, scheme: string): { host: string; port: number } {
  const host = pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? ''
  // Upstream lets no request out to loopback and link-local addresses that a pod's status may claim.
  if (isIP(host) === 0 || /^(127\.|169\.254\.|0\.|::|fe[89ab])/i.test(host))
    throw new Refusal(errors.badRequest('address not allowed'))
  const declared = (pod.spec.containers ?? []).flatMap((container) => container.ports ?? [])
  const number = port === '' ? declared[0]?.containerPort : numberOf(port, declared)
  return { host, port: number ?? (scheme === 'https' ? 443 : 80) }
}

function numberOf(port: string, declared: readonly { name?: string; containerPort: number }[]): number {
  const number = /^\d+$/.test(port) ? Number(port) : declared.find(({ name }) => name === port)?.containerPort
  if (number === undefined || number < 1 || number > 65535)
    throw new Refusal(errors.badRequest(`invalid port ${JSON.stringify(port)}`))
  return number
}

/** A ready endpoint of a Service, any of them, by its port's name or number; a string tells in upstream's words why there is none. */
export function serviceEndpoint(
  reader: Reader,
  { metadata, spec }: Service,
  port: string,
): { host: string; port: number } | string {
  const { name } = metadata
  const ports = spec.ports ?? []
  const own = port === '' && ports.length === 1 ? ports[0] : ports.find((item) => portIs(item, port))
  if (own === undefined && port !== '')
    return `no service port ${JSON.stringify(port)} found for service ${JSON.stringify(name)}`
  const wanted = own?.name ?? ''
  const ready: { host: string; port: number }[] = []
  for (const { value } of reader.range('discovery.k8s.io/endpointslices', `${metadata.namespace}/`)) {
    const slice = value as EndpointSlice
    if (slice.metadata.labels?.['kubernetes.io/service-name'] !== name) continue
    const target = slice.ports?.find((item) => (item.name ?? '') === wanted)?.port
    if (!target) continue
    for (const { addresses, conditions } of slice.endpoints ?? [])
      if (conditions?.ready !== false && addresses[0] !== undefined) ready.push({ host: addresses[0], port: target })
  }
  return ready[Math.floor(Math.random() * ready.length)] ?? `no endpoints available for service ${JSON.stringify(name)}`
}

function portIs(item: { name?: string; port: number }, port: string): boolean {
  return (item.name ?? '') === port || String(item.port) === port
}

function nodeTarget(core: Core, node: Node, scheme: 'http' | 'https', port: string): ProxyTarget {
  const kubelet = nodeDoor(core, node.metadata.name)
  const host = String(kubelet.host)
  if (port === '' || Number(port) === kubelet.port)
    return { scheme: 'https', host, port: Number(kubelet.port), kubelet }
  return { scheme, host, port: numberOf(port, []) }
}
