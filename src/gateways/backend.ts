import { type Address, familyOf, findAddress } from '../addr/index.ts'
import { keyOf } from '../cluster/index.ts'
import type { EndpointSlice, Service, ServicePort } from '../objects/index.ts'
import type { BackendModel, ServerModel } from './model.ts'
import { perObjectGiven } from './remember.ts'
import type { Sources } from './sources.ts'

/** A port of a Service that requests or streams can be sent to. */
export function findPort(service: Service, wanted: { name?: string; number?: number } = {}): ServicePort | undefined {
  return (service.spec.ports ?? []).find(
    ({ name, port, protocol }) =>
      (protocol ?? 'TCP') === 'TCP' && (wanted.name ? name === wanted.name : port === wanted.number),
  )
}

/** KEP-3726: `kubernetes.io/h2c` is HTTP/2 without TLS; gRPC is spoken over it. */
export function protocolOf(appProtocol: string | undefined): BackendModel['protocol'] {
  return appProtocol === 'kubernetes.io/h2c' || appProtocol === 'grpc' ? 'h2c' : 'http1'
}

/**
 * The servers of a backend, in the order of slices, each once: ready ones; with none ready, those that terminate and still
 * serve (KEP-1669). Of a dual-stack Service its first family, because both name the same pods. Or the Service itself, where it is asked for.
 */
export function compileServers(
  backend: BackendModel,
  sources: Pick<Sources, 'services' | 'slicesOf'>,
): readonly ServerModel[] {
  const service = sources.services.get(backend.service)
  if (backend.viaService) return serversOf(backend, [service], () => serviceItself(backend, service))
  const slices = sources.slicesOf(backend.service)
  return serversOf(backend, [slices, service], () => chooseServers(backend, service, slices))
}

/** Most Services have the same pods the next time. */
const serversOf = perObjectGiven<BackendModel, readonly ServerModel[]>()

function chooseServers(
  backend: BackendModel,
  service: Service | undefined,
  slices: readonly EndpointSlice[],
): readonly ServerModel[] {
  const offers = slices.flatMap((slice) => offersOf(slice, backend))
  const first = service?.spec.ipFamilies?.[0] === 'IPv6' ? 6 : 4
  const preferred = offers.filter(({ server }) => familyOf(server.address) === first)
  const family = preferred.length > 0 ? preferred : offers
  const ready = family.filter(({ ready }) => ready)
  const chosen = ready.length > 0 ? ready : family.filter(({ fallback }) => fallback)
  return [...new Map(chosen.map(({ server }) => [`${server.address} ${server.port}`, server])).values()]
}

function serviceItself({ service: key, portName }: BackendModel, service: Service | undefined): readonly ServerModel[] {
  const address = findAddress(service?.spec.clusterIP ?? '')
  const port = service?.spec.ports?.find(({ name = '', protocol = 'TCP' }) => name === portName && protocol === 'TCP')
  if (address === undefined || port === undefined) return []
  const because = { object: `service/${key}`, field: 'spec.clusterIP', value: address }
  return [{ address, port: port.port, because }]
}

interface Offer {
  readonly server: ServerModel
  readonly ready: boolean
  readonly fallback: boolean
}

function offersOf(slice: EndpointSlice, { portName, protocol: spoken }: BackendModel): Offer[] {
  if (slice.addressType === 'FQDN') return []
  const transport = spoken === 'udp' ? 'UDP' : 'TCP'
  const port = slice.ports?.find(({ name = '', protocol = 'TCP' }) => name === portName && protocol === transport)?.port
  if (port === undefined) return []
  const object = `endpointslice/${keyOf(slice)}`
  return (slice.endpoints ?? []).flatMap(({ addresses, conditions = {} }, at) => {
    // Upstream: clients use the first address only.
    const address: Address | undefined = findAddress(addresses[0] ?? '')
    if (address === undefined) return []
    const { ready = true, serving = ready, terminating = false } = conditions
    const because = { object, field: `endpoints[${at}]`, value: `${address}:${port}` }
    return [{ server: { address, port, because }, ready, fallback: serving && terminating }]
  })
}
