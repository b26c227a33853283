import { type Address, findAddress } from '../addr/index.ts'
import { internalAddresses, keyOf, type Snapshot } from '../cluster/index.ts'
import { gatewayNameLabel } from '../gateways/index.ts'
import type { Service } from '../objects/index.ts'
import type { End } from './answer.ts'

/** A Service that a URL leads to past every gateway, and what the client connects to. */
export interface PlainService {
  readonly service: Service
  readonly to: End
}

/**
 * The Service that a URL's host and port lead to, where no gateway is on the way: rules lead its addresses on before any socket of a gateway hears of it. Names are
 * those of the cluster's DNS, short ones within the namespace of who asks.
 */
export function findPlainService(
  snapshot: Snapshot,
  host: string,
  port: number,
  namespace: string | undefined,
): PlainService | undefined {
  const address = findAddress(host.replace(/^\[|\]$/g, ''))
  if (address === undefined) return byName(snapshot, host, namespace)
  const service = [...snapshot.services.values()].find((one) => isPlain(one) && isAt(snapshot, one, address, port))
  return service && { service, to: { kind: 'address', address } }
}

function isPlain({ metadata }: Service): boolean {
  return metadata.labels?.[gatewayNameLabel] === undefined
}

function isAt({ nodes }: Snapshot, { spec, status }: Service, address: Address, port: number): boolean {
  const ports = spec.ports ?? []
  const isOne = (texts: readonly string[]): boolean => texts.some((text) => findAddress(text) === address)
  const ingress = status?.loadBalancer?.ingress?.flatMap(({ ip }) => ip ?? []) ?? []
  if (
    ports.some((one) => one.port === port) &&
    isOne([...(spec.clusterIPs ?? []), ...(spec.externalIPs ?? []), ...ingress])
  )
    return true
  return (
    ports.some(({ nodePort }) => nodePort === port) &&
    [...nodes.values()].some((one) => internalAddresses(one).includes(address))
  )
}

function byName(snapshot: Snapshot, host: string, own: string | undefined): PlainService | undefined {
  const [name = '', namespace = own, svc, ...domain] = host.split('.')
  if (namespace === undefined || (svc !== undefined && svc !== 'svc') || (domain.length > 0 && svc !== 'svc'))
    return undefined
  const service = snapshot.services.get(`${namespace}/${name}`)
  return service && { service, to: { kind: 'service', namespace, name } }
}

/** In words, for what is taken for granted. */
export function sayPlain({ service }: PlainService, host: string): string {
  return `${host} is service/${keyOf(service)} itself, past every gateway: what is spoken over the connection is the pods’ own`
}
