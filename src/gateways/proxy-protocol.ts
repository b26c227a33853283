import type { Service } from '../objects/index.ts'
import { AnnotationReader } from './annotation-reader.ts'
import type { BackendModel, Finding } from './model.ts'

const annotation = 'proxy-protocol'

/**
 * Whose connections begin with a header of the PROXY protocol (haproxy.org, proxy-protocol.txt), of either version: prefixes of load balancers
 * in `plumb.network/proxy-protocol` of a Gateway or an IngressClass. Nobody is believed where it cannot be read.
 */
export function readTrustedProxies(
  annotations: Readonly<Record<string, string>> = {},
  object: string,
): { readonly prefixes: readonly string[]; readonly findings: readonly Finding[] } {
  const own = annotations[`plumb.network/${annotation}`]
  if (own === undefined) return { prefixes: [], findings: [] }
  const read = new AnnotationReader({ [`plumb.network/${annotation}`]: own }, object)
  return { prefixes: read.prefixes(annotation) ?? [], findings: read.findings }
}

/** In which version pods of a Service are told the client's address: `plumb.network/proxy-protocol` of the Service is `v1` or `v2`. */
export function proxyProtocolOf({ metadata }: Service): Pick<BackendModel, 'proxyProtocol'> {
  const version = metadata.annotations?.[`plumb.network/${annotation}`]
  return version === 'v1' || version === 'v2' ? { proxyProtocol: version } : {}
}
