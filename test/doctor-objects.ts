// The objects of a fault, put together from what is wrong with each part of one small application.

/** What is wrong with each part; a part that is not named is as it should be. */
export interface Parts {
  readonly app?: {
    readonly command?: string
    readonly labels?: string
    readonly ports?: string
    /** Of the container. */
    readonly more?: string
    /** Of the pod's spec. */
    readonly pod?: string
    readonly node?: string
  }
  readonly service?: {
    readonly port?: string
    readonly selector?: string
    readonly spec?: readonly string[]
    readonly annotations?: string
  }
  /** What the client runs, and more of its spec; it sleeps unless told. */
  readonly client?: { readonly command?: string; readonly pod?: string }
  /** The spec of a NetworkPolicy by its name. */
  readonly policies?: Readonly<Record<string, string>>
  readonly ingress?: {
    readonly host: string
    readonly service?: string
    readonly className?: string
    readonly tls?: string
    readonly annotations?: string
  }
  /** Objects besides, as YAML. */
  readonly more?: readonly string[]
  /** All objects there are, but for the client. */
  readonly only?: string
}

/** A part that both change cannot be as both want it. */
export function canCoexist(one: Parts, other: Parts): boolean {
  if (one.only !== undefined || other.only !== undefined) return false
  const clash = (a: object = {}, b: object = {}): boolean =>
    Object.keys(a).some((key) => key !== 'spec' && Object.hasOwn(b, key))
  return (
    !clash(one.app, other.app) &&
    !clash(one.service, other.service) &&
    !clash(one.policies, other.policies) &&
    !clash(one.client, other.client) &&
    (one.ingress === undefined || other.ingress === undefined)
  )
}

/** Both at once. */
export function merge(one: Parts, other: Parts): Parts {
  const spec = [...(one.service?.spec ?? []), ...(other.service?.spec ?? [])]
  const ingress = one.ingress ?? other.ingress
  return {
    app: { ...one.app, ...other.app },
    service: { ...one.service, ...other.service, spec },
    policies: { ...one.policies, ...other.policies },
    client: { ...one.client, ...other.client },
    ...(ingress === undefined ? {} : { ingress }),
    more: [...(one.more ?? []), ...(other.more ?? [])],
  }
}

/** A pod `app`, its Service `web`, a pod `client`, and what the parts say. */
export function objectsOf(parts: Parts): string {
  const { policies = {}, ingress, more = [], only } = parts
  const all =
    only === undefined
      ? [
          appOf(parts.app),
          // What is besides is older.
          ...more,
          serviceOf(parts.service),
          ...Object.entries(policies).map(([name, spec]) => policyOf(name, spec)),
          ...(ingress === undefined ? [] : [ingressOf(ingress)]),
        ]
      : [only]
  return [...all, clientOf(parts.client)].join('\n---\n')
}

/** A pod that serves, or a real process where a command is given. */
function appOf({ command, labels, ports, more = '', pod = '', node }: Parts['app'] = {}): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: app, labels: ${labels ?? '{ app: web }'} }
spec:
  ${node === undefined ? '' : `nodeName: ${node}`}
  ${pod}
  containers:
    - name: app
      image: app
      ports: ${ports ?? '[{ name: http, containerPort: 8080 }]'}
      ${command === undefined ? '' : `command: ${command}`}
      ${more}`
}

export function serviceOf(
  { port, selector, spec = [], annotations = '{}' }: NonNullable<Parts['service']> = {},
  name = 'web',
): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name}, annotations: ${annotations} }
spec:
  selector: ${selector ?? '{ app: web }'}
  ports: [${port ?? '{ name: http, port: 80, targetPort: 8080 }'}]
  ${spec.join('\n  ')}`
}

function clientOf({ command = '[sleep, infinity]', pod = '' }: Parts['client'] = {}): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: client, labels: { app: client } }
spec:
  ${pod}
  containers: [{ name: client, image: client, command: ${command} }]`
}

function policyOf(name: string, spec: string): string {
  return `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ${name} }
spec: ${spec}`
}

/** Of Plumb's class, for one host. */
export function ingressOf(
  { host, service = 'web', className = 'plumb', tls = '', annotations = '{}' }: NonNullable<Parts['ingress']>,
  name = 'web',
): string {
  return `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: ${name}, annotations: ${annotations} }
spec:
  ingressClassName: ${className}
  ${tls}
  rules:
    - host: ${host}
      http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: ${service}, port: { number: 80 } } } }] }`
}

/** A Gateway with one listener of HTTP, and an HTTPRoute to the Service for one host. */
export function gatewayOf({
  host,
  port,
  annotations = '{}',
  parent = '',
  rule = '',
}: {
  readonly host: string
  readonly port: number
  readonly annotations?: string
  /** More of the route's reference to the Gateway. */
  readonly parent?: string
  /** More of the route's rule. */
  readonly rule?: string
}): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: front, annotations: ${annotations} }
spec:
  gatewayClassName: plumb
  listeners: [{ name: http, port: ${port}, protocol: HTTP }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ name: front ${parent} }]
  hostnames: [${host}]
  rules:
    - backendRefs: [{ name: web, port: 80 }]
      ${rule}`
}
