import type { Informer, Resource } from '../client/index.ts'
import { type ObjectKey, serviceNameLabel } from '../cluster/index.ts'
import {
  type ConfigMap,
  type GatewayApiStates,
  gatewayNameLabel,
  noGatewayApi,
  type ReferenceGrant,
  type Secret,
  type Sources,
} from '../gateways/index.ts'
import {
  ConfigMaps,
  type EndpointSlice,
  EndpointSlices,
  type KubeObject,
  Namespaces,
  Secrets,
  type Service,
  Services,
} from '../objects/index.ts'
import type { Context } from './context.ts'

const group = { group: 'gateway.networking.k8s.io', version: 'v1' }

/** The kinds of the Gateway API that are told a status. */
export const gatewayResources = {
  GatewayClass: { ...group, plural: 'gatewayclasses', namespaced: false, kind: 'GatewayClass' },
  Gateway: { ...group, plural: 'gateways', namespaced: true, kind: 'Gateway' },
  ListenerSet: { ...group, plural: 'listenersets', namespaced: true, kind: 'ListenerSet' },
  HTTPRoute: { ...group, plural: 'httproutes', namespaced: true, kind: 'HTTPRoute' },
  GRPCRoute: { ...group, plural: 'grpcroutes', namespaced: true, kind: 'GRPCRoute' },
  TLSRoute: { ...group, plural: 'tlsroutes', namespaced: true, kind: 'TLSRoute' },
  TCPRoute: { ...group, plural: 'tcproutes', namespaced: true, kind: 'TCPRoute' },
  UDPRoute: { ...group, plural: 'udproutes', namespaced: true, kind: 'UDPRoute' },
  BackendTLSPolicy: { ...group, plural: 'backendtlspolicies', namespaced: true, kind: 'BackendTLSPolicy' },
} satisfies Readonly<Record<string, Resource>>

const referenceGrants: Resource = { ...group, plural: 'referencegrants', namespaced: true, kind: 'ReferenceGrant' }

export type GatewayKind = keyof typeof gatewayResources

/** The caches from which the Gateway API is compiled; `onChange` is called for each change that may matter, by what was read last. */
export interface GatewayCaches {
  readonly byKind: Readonly<Record<GatewayKind, Informer<KubeObject>>>
  readonly services: Informer<Service>
  readonly slices: Informer<EndpointSlice>
  sources(): Sources
}

export function openGatewayCaches(
  context: Context,
  states: Pick<GatewayApiStates, 'isRead'>,
  onChange: () => void,
): GatewayCaches {
  const follow = <T extends KubeObject>(
    resource: Resource,
    optional: boolean,
    matters: (key: ObjectKey, old?: T, now?: T) => boolean = () => true,
  ): Informer<T> => {
    const informer = context.informer<T>(resource, { optional })
    context.onClose(
      informer.onChange((old, now, key) => {
        if (matters(key, old, now)) onChange()
      }),
    )
    return informer
  }
  const isEither = (old: KubeObject | undefined, now: KubeObject | undefined): boolean =>
    [old, now].some((one) => one !== undefined && isForGateway(one))
  const byKind = Object.fromEntries(
    Object.entries(gatewayResources).map(([kind, resource]) => [kind, follow(resource, true)]),
  ) as GatewayCaches['byKind']
  const grants = follow<ReferenceGrant>(referenceGrants, true)
  const secrets = follow<Secret>(Secrets, false, (key) => states.isRead('secrets', key))
  const configMaps = follow<ConfigMap>(ConfigMaps, false, (key) => states.isRead('configMaps', key))
  const namespaces = follow<KubeObject>(Namespaces, false, (key) => states.isRead('namespaces', key))
  const services = follow<Service>(
    Services,
    false,
    (key, old, now) => states.isRead('services', key) || isEither(old, now),
  )
  const slices = follow<EndpointSlice>(EndpointSlices, false, (_, old, now) => isEither(old, now))
  const all = <T>(kind: GatewayKind): T[] => [...byKind[kind].values()] as T[]
  return {
    byKind,
    services,
    slices,
    sources: () => ({
      ingresses: [],
      ingressClasses: [],
      gatewayApi: {
        ...noGatewayApi,
        classes: all('GatewayClass'),
        gateways: all('Gateway'),
        listenerSets: all('ListenerSet'),
        httpRoutes: all('HTTPRoute'),
        grpcRoutes: all('GRPCRoute'),
        tlsRoutes: all('TLSRoute'),
        tcpRoutes: all('TCPRoute'),
        udpRoutes: all('UDPRoute'),
        grants: [...grants.values()],
        policies: all('BackendTLSPolicy'),
      },
      secrets,
      configMaps,
      namespaces,
      services,
      slicesOf: (service) => [...slices.values()].filter((slice) => serviceOf(slice) === service),
    }),
  }
}

/** Whether it is one that a Gateway gets its address by. */
export function isForGateway({ metadata }: KubeObject): boolean {
  return metadata.labels?.[gatewayNameLabel] !== undefined
}

export function serviceOf({ metadata }: EndpointSlice): string {
  return `${metadata.namespace}/${metadata.labels?.[serviceNameLabel]}`
}
