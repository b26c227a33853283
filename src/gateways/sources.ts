import type { ObjectKey } from '../cluster/index.ts'
import type { EndpointSlice, KubeObject, Service } from '../objects/index.ts'
import type {
  BackendTLSPolicy,
  Gateway,
  GatewayClass,
  GRPCRoute,
  HTTPRoute,
  ListenerSet,
  ReferenceGrant,
  StreamRouteObject,
} from './gateway-api.ts'
import type { Ingress, IngressClass, Secret } from './ingress.ts'

/** A ConfigMap that holds certificates of authorities. */
export interface ConfigMap extends KubeObject {
  data?: Record<string, string>
  binaryData?: Record<string, string>
}

/** A cache of one kind: a map is one, and so is an informer. */
export interface Lookup<T> {
  get(key: ObjectKey): T | undefined
}

/** The objects that gateways are compiled from. */
export interface Sources {
  readonly ingresses: readonly Ingress[]
  readonly ingressClasses: readonly IngressClass[]
  readonly gatewayApi: GatewayApiSources
  /** Those of type kubernetes.io/tls, and those that hold a `ca.crt`. */
  readonly secrets: Lookup<Secret>
  readonly configMaps: Lookup<ConfigMap>
  /** By name. */
  readonly namespaces: Lookup<KubeObject>
  readonly services: Lookup<Service>
  slicesOf(service: ObjectKey): readonly EndpointSlice[]
}

/** The kinds of the Gateway API; all empty where it is not installed. */
export interface GatewayApiSources {
  readonly classes: readonly GatewayClass[]
  readonly gateways: readonly Gateway[]
  readonly listenerSets: readonly ListenerSet[]
  readonly httpRoutes: readonly HTTPRoute[]
  readonly grpcRoutes: readonly GRPCRoute[]
  readonly tlsRoutes: readonly StreamRouteObject[]
  readonly tcpRoutes: readonly StreamRouteObject[]
  readonly udpRoutes: readonly StreamRouteObject[]
  readonly grants: readonly ReferenceGrant[]
  readonly policies: readonly BackendTLSPolicy[]
}

/** Where the Gateway API is not installed. */
export const noGatewayApi: GatewayApiSources = {
  classes: [],
  gateways: [],
  listenerSets: [],
  httpRoutes: [],
  grpcRoutes: [],
  tlsRoutes: [],
  tcpRoutes: [],
  udpRoutes: [],
  grants: [],
  policies: [],
}
