import type { EndpointSlice, Service } from '../objects/index.ts'
import type { Ingress, IngressClass, IngressPath, Secret } from './ingress.ts'
import { type GatewayApiSources, noGatewayApi, type Sources } from './sources.ts'

export const ourClass: IngressClass = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'plumb' },
  spec: { controller: 'plumb.network/gateway' },
}

/** A path of an Ingress to port 80 of a Service. */
export function path(text: string, service: string, pathType: IngressPath['pathType'] = 'Prefix'): IngressPath {
  return { path: text, pathType, backend: { service: { name: service, port: { number: 80 } } } }
}

export function ingress(name: string, spec: Ingress['spec'], created = '2026-01-01T00:00:00Z'): Ingress {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'ns', creationTimestamp: created },
    spec: { ingressClassName: 'plumb', ...spec },
  }
}

export function service(name: string, appProtocol?: string): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'ns' },
    spec: {
      ports: [{ name: 'http', port: 80, protocol: 'TCP', ...(appProtocol === undefined ? {} : { appProtocol }) }],
    },
  }
}

export function slice(service: string, addresses: readonly string[], port = 8080, conditions = {}): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-1`, namespace: 'ns', labels: { 'kubernetes.io/service-name': service } },
    addressType: addresses[0]?.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true, ...conditions } })),
    ports: [{ name: 'http', port, protocol: 'TCP' }],
  }
}

/** Sources out of objects; all Services are in namespace `ns`. */
export function sourcesOf(objects: {
  ingresses?: readonly Ingress[]
  classes?: readonly IngressClass[]
  services?: readonly Service[]
  slices?: readonly EndpointSlice[]
  secrets?: readonly Secret[]
  configMaps?: Sources['configMaps']
  gatewayApi?: Partial<GatewayApiSources>
}): Sources {
  const { ingresses = [], classes = [ourClass], services = [], slices = [], secrets = [] } = objects
  const key = (object: Service | Secret): string => `${object.metadata.namespace}/${object.metadata.name}`
  return {
    ingresses,
    ingressClasses: classes,
    gatewayApi: { ...noGatewayApi, ...objects.gatewayApi },
    configMaps: objects.configMaps ?? new Map(),
    namespaces: new Map(),
    secrets: new Map(secrets.map((one) => [key(one), one])),
    services: new Map(services.map((one) => [key(one), one])),
    slicesOf: (service) =>
      slices.filter(({ metadata }) => `ns/${metadata.labels?.['kubernetes.io/service-name']}` === service),
  }
}
