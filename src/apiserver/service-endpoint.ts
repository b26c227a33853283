import type { EndpointSlice, Service } from '../objects/index.ts'
import type { Reader } from './store.ts'

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
