import { isIP } from 'node:net'
import { errors, type Node, type Pod, type Service } from '../objects/index.ts'
import type { Core } from './core.ts'
import { Refusal } from './refusal.ts'
import { nodeDoor } from './relay.ts'
import { getEntry } from './resource.ts'
import type { Scope } from './scope.ts'
import { serviceEndpoint } from './service-endpoint.ts'

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

function nodeTarget(core: Core, node: Node, scheme: 'http' | 'https', port: string): ProxyTarget {
  const kubelet = nodeDoor(core, node.metadata.name)
  const host = String(kubelet.host)
  if (port === '' || Number(port) === kubelet.port)
    return { scheme: 'https', host, port: Number(kubelet.port), kubelet }
  return { scheme, host, port: numberOf(port, []) }
}
