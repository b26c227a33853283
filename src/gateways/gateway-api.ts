import type { Condition, KubeObject, LabelSelector } from '../objects/index.ts'

/** gateway.networking.k8s.io, the fields that are read. Objects have passed their schemas; what schemas leave open is not believed. */

export const gatewayGroup = 'gateway.networking.k8s.io'

export interface GatewayClass extends KubeObject {
  spec?: { controllerName?: string; parametersRef?: object }
  status?: { conditions?: Condition[]; supportedFeatures?: { name: string }[] }
}

export interface Gateway extends KubeObject {
  spec?: {
    gatewayClassName?: string
    listeners?: Listener[]
    addresses?: { type?: string; value?: string }[]
    infrastructure?: {
      labels?: Record<string, string>
      annotations?: Record<string, string>
      parametersRef?: { group: string; kind: string; name: string }
    }
    allowedListeners?: { namespaces?: NamespaceChoice }
    tls?: {
      backend?: { clientCertificateRef?: ObjectReference }
      frontend?: { default?: FrontendTls; perPort?: { port: number; tls: FrontendTls }[] }
    }
  }
  status?: GatewayStatus
}

export interface GatewayStatus {
  addresses?: { type?: string; value: string }[]
  conditions?: Condition[]
  listeners?: ListenerStatus[]
  attachedListenerSets?: number
}

export interface ListenerStatus {
  name: string
  supportedKinds: { group: string; kind: string }[]
  attachedRoutes: number
  conditions: Condition[]
}

export interface FrontendTls {
  validation?: { caCertificateRefs?: ObjectReference[]; mode?: string }
}

export interface NamespaceChoice {
  from?: string
  selector?: LabelSelector
}

export interface Listener {
  name: string
  hostname?: string
  port: number
  protocol: string
  tls?: { mode?: string; certificateRefs?: ObjectReference[] }
  allowedRoutes?: { namespaces?: NamespaceChoice; kinds?: { group?: string; kind: string }[] }
}

export interface ListenerSet extends KubeObject {
  spec?: { parentRef?: ParentReference; listeners?: Listener[] }
  status?: { conditions?: Condition[]; listeners?: ListenerStatus[] }
}

export interface ObjectReference {
  group?: string
  kind?: string
  name: string
  namespace?: string
}

export interface ParentReference extends ObjectReference {
  sectionName?: string
  port?: number
}

export interface BackendReference extends ObjectReference {
  port?: number
  weight?: number
  filters?: RouteFilter[]
}

export interface RouteParentStatus {
  parentRef: ParentReference
  controllerName: string
  conditions: Condition[]
}

interface RouteOf<Rule> extends KubeObject {
  spec?: { parentRefs?: ParentReference[]; hostnames?: string[]; rules?: Rule[] }
  status?: { parents?: RouteParentStatus[] }
}

export type HTTPRoute = RouteOf<HTTPRouteRule>
export type GRPCRoute = RouteOf<GRPCRouteRule>
/** TLSRoute, TCPRoute and UDPRoute. */
export type StreamRouteObject = RouteOf<{ name?: string; backendRefs?: BackendReference[] }>
export type AnyRoute = RouteOf<{ name?: string }>

export interface HTTPRouteRule extends RuleCommon {
  matches?: {
    path?: { type?: string; value?: string }
    headers?: NamedMatch[]
    queryParams?: NamedMatch[]
    method?: string
  }[]
  timeouts?: { request?: string; backendRequest?: string }
  retry?: { codes?: number[]; attempts?: number; backoff?: string }
}

export interface GRPCRouteRule extends RuleCommon {
  matches?: { method?: { type?: string; service?: string; method?: string }; headers?: NamedMatch[] }[]
}

export interface RuleCommon {
  name?: string
  filters?: RouteFilter[]
  backendRefs?: BackendReference[]
  sessionPersistence?: {
    sessionName?: string
    absoluteTimeout?: string
    type?: string
    cookieConfig?: { lifetimeType?: string }
  }
}

export interface NamedMatch {
  type?: string
  name: string
  value: string
}

export interface HeaderFilter {
  set?: { name: string; value: string }[]
  add?: { name: string; value: string }[]
  remove?: string[]
}

export interface PathModifier {
  type: string
  replaceFullPath?: string
  replacePrefixMatch?: string
}

export interface RouteFilter {
  type: string
  requestHeaderModifier?: HeaderFilter
  responseHeaderModifier?: HeaderFilter
  requestMirror?: {
    backendRef: BackendReference
    percent?: number
    fraction?: { numerator: number; denominator?: number }
  }
  requestRedirect?: { scheme?: string; hostname?: string; path?: PathModifier; port?: number; statusCode?: number }
  urlRewrite?: { hostname?: string; path?: PathModifier }
  cors?: {
    allowOrigins?: string[]
    allowCredentials?: boolean
    allowMethods?: string[]
    allowHeaders?: string[]
    exposeHeaders?: string[]
    maxAge?: number
  }
  externalAuth?: {
    protocol: string
    backendRef: BackendReference
    http?: { path?: string; allowedHeaders?: string[]; allowedResponseHeaders?: string[] }
    forwardBody?: { maxSize?: number }
  }
}

export interface ReferenceGrant extends KubeObject {
  spec?: {
    from?: { group: string; kind: string; namespace: string }[]
    to?: { group: string; kind: string; name?: string }[]
  }
}

export interface BackendTLSPolicy extends KubeObject {
  spec?: {
    targetRefs?: { group: string; kind: string; name: string; sectionName?: string }[]
    validation?: {
      caCertificateRefs?: ObjectReference[]
      wellKnownCACertificates?: string
      hostname?: string
      subjectAltNames?: { type: string; hostname?: string; uri?: string }[]
    }
  }
  status?: { ancestors?: PolicyAncestorStatus[] }
}

export interface PolicyAncestorStatus {
  ancestorRef: ParentReference
  controllerName: string
  conditions: Condition[]
}
