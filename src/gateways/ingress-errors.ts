import type { AnnotationReader } from './annotation-reader.ts'
import { compileServers } from './backend.ts'
import { compileBackend } from './ingress-backend.ts'
import type { ClaimBackend } from './ingress-claims.ts'
import type { BackendModel, Because, Failed, Filter, Finding, WeightedTarget } from './model.ts'
import type { Sources } from './sources.ts'

/** Who answers where pods do not, or wrongly (`default-backend`, `custom-http-errors`). */
export interface ErrorPages {
  /** Of the Ingress's own namespace; its first port is asked. */
  readonly service: string
  /** Of answers of pods that become those of the Service. */
  readonly codes: readonly number[]
}

/** What an Ingress asks for; codes without a Service are told. */
export function readErrorPages(read: AnnotationReader): ErrorPages | undefined {
  const service = read.like('default-backend', /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/, 'the name of a Service')
  const listed = read.like(
    'custom-http-errors',
    /^[345]\d\d(\s*,\s*[345]\d\d)*$/,
    'codes of 300 to 599 apart by commas',
  )
  const codes = read.flag('disable-proxy-intercept-errors') ? [] : [...new Set(listed?.split(',').map(Number))]
  if (service !== undefined) return { service, codes }
  if (codes.length > 0)
    read.refuse(
      'custom-http-errors',
      'no Service is named that answers instead',
      'name one by default-backend',
      'AnnotationIgnored',
    )
  return undefined
}

/** The Service that answers instead, as a backend; `servers` is whether it has any. */
export interface Reserve {
  readonly backend: BackendModel
  readonly hasServers: boolean
}

/** Where an Ingress's default backend leads; one that is not there changes nothing, and is told. */
export function compileReserve(
  { service: name }: ErrorPages,
  namespace: string,
  object: string,
  sources: Pick<Sources, 'services' | 'slicesOf'>,
): { readonly reserve?: Reserve; readonly finding?: Finding } {
  const service = sources.services.get(`${namespace}/${name}`)
  const first = service?.spec.ports?.find(({ protocol = 'TCP' }) => protocol === 'TCP')
  const because: Because = { object, field: 'metadata.annotations[default-backend]', value: name }
  const reference = { service: { name, port: { number: first?.port ?? 0 } } }
  const { backend, finding } = compileBackend(reference, namespace, because, sources.services)
  if (backend === undefined) return finding === undefined ? {} : { finding }
  return { reserve: { backend, hasServers: compileServers(backend, sources).length > 0 } }
}

/**
 * A reference as it is served with a reserve: while the Service has no ready endpoint the reserve has its requests, as far as it has endpoints itself;
 * otherwise it answers instead of pods where their answers have one of the codes.
 */
export function withReserve(
  served: WeightedTarget,
  backend: BackendModel | undefined,
  { backend: wanted, because }: ClaimBackend,
  { codes }: ErrorPages,
  reserve: Reserve,
  sources: Pick<Sources, 'services' | 'slicesOf'>,
): WeightedTarget {
  const { name = '', port } = wanted.service ?? {}
  const [, namespace = '', ingress = ''] = because.object.split('/')
  const of: Failed = { namespace, ingress, service: name, port: String(port?.name ?? port?.number ?? '') }
  const { id } = reserve.backend
  if (reserve.hasServers && (backend === undefined || compileServers(backend, sources).length === 0))
    return { ...served, target: { kind: 'backend', id }, filters: [{ kind: 'failed', code: 503, of }] }
  const errors: Filter[] = codes.length === 0 ? [] : [{ kind: 'errors', codes, backend: id, of }]
  return { ...served, filters: [...served.filters, ...errors] }
}
