import { findAddress } from '../addr/index.ts'
import { findPort, protocolOf } from './backend.ts'
import { variantOf } from './backend-reference.ts'
import type { IngressBackend } from './ingress.ts'
import type { Particulars } from './ingress-particulars.ts'
import type { BackendModel, Because, Finding, Target } from './model.ts'
import { proxyProtocolOf } from './proxy-protocol.ts'
import type { Sources } from './sources.ts'

/** Where an Ingress's reference to a Service's port leads. `because` is the reference; one that is broken or not followed to the letter comes with its finding. */
export function compileBackend(
  reference: IngressBackend,
  namespace: string,
  because: Because,
  services: Sources['services'],
  particular: Particulars = {},
): { readonly target: Target; readonly backend?: BackendModel; readonly finding?: Finding } {
  const broken = (code: string, part: string, says: string, remedy: string) => {
    const field = `${because.field}.${part}`
    return {
      target: { kind: 'broken', because: { ...because, field }, says } as const,
      finding: { code, object: because.object, field, says, try: remedy },
    }
  }
  const { service: wanted, resource } = reference
  if (wanted === undefined) {
    const says =
      resource === undefined ? 'no backend is named' : `${resource.kind} "${resource.name}" cannot be a backend`
    return broken('BackendNotServed', 'resource', says, 'name a Service')
  }
  const key = `${namespace}/${wanted.name}`
  const service = services.get(key)
  if (service === undefined) {
    const remedy = `create service/${key}, or name one that exists in namespace ${namespace}`
    return broken('BackendMissing', 'service.name', `there is no Service "${wanted.name}" in ${namespace}`, remedy)
  }
  if (service.spec.type === 'ExternalName') {
    const says = `Service "${wanted.name}" is an ExternalName, which has no endpoints`
    return broken('BackendNotServed', 'service.name', says, 'name a Service with endpoints')
  }
  const port = findPort(service, wanted.port)
  if (port === undefined) {
    const asked = wanted.port?.name ?? wanted.port?.number ?? ''
    const has = (service.spec.ports ?? []).map(({ name, port: number }) => (name ? `${name} (${number})` : number))
    const says = `Service "${wanted.name}" has no port "${asked}"`
    return broken('BackendPortMissing', 'service.port', says, `name one of its ports: ${has.join(', ')}`)
  }
  const { protocol = protocolOf(port.appProtocol), viaService, ...others } = particular
  const hasAddress = findAddress(service.spec.clusterIP ?? '') !== undefined
  const rest = { ...others, ...proxyProtocolOf(service), ...(viaService && hasAddress && { viaService }) }
  const id = `${namespace}:${wanted.name}:${port.port}${variantOf(protocol, port.appProtocol, rest)}`
  const backend: BackendModel = { id, service: key, portName: port.name ?? '', protocol, ...rest, because }
  if (!viaService || hasAddress) return { target: { kind: 'backend', id }, backend }
  const headless: Finding = {
    code: 'AnnotationIgnored',
    object: because.object,
    field: 'metadata.annotations[service-upstream]',
    says: `Service "${wanted.name}" has no address of its own; its pods are asked`,
    try: 'take the annotation away, or name a Service that is not headless',
  }
  return { target: { kind: 'backend', id }, backend, finding: headless }
}
