import type { Endpoint, EndpointPort, EndpointSlice, ObjectMeta, Service } from '../objects/index.ts'

/** A Service in namespace `ns` with port 80/TCP at `clusterIP`. */
export function service(
  name: string,
  clusterIP: string,
  spec: Partial<Service['spec']> = {},
  metadata: Partial<ObjectMeta> = {},
): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'ns', creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
    spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ port: 80, protocol: 'TCP' }], ...spec },
  }
}

/** The endpoint 10.244.0.`number`. */
export function endpoint(
  number: number,
  conditions: Endpoint['conditions'] = { ready: true, serving: true, terminating: false },
  nodeName = 'n1',
): Endpoint {
  return { addresses: [`10.244.0.${number}`], conditions, nodeName }
}

/** A slice of Service `ns/web` with port 8080. */
export function slice(
  endpoints: Endpoint[],
  options: { name?: string; service?: string; type?: EndpointSlice['addressType']; port?: EndpointPort } = {},
): EndpointSlice {
  const { service: owner = 'web', type = 'IPv4', port = { port: 8080, protocol: 'TCP' } } = options
  const { name = `${owner}-a` } = options
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'ns', labels: { 'kubernetes.io/service-name': owner } },
    addressType: type,
    endpoints,
    ports: [port],
  }
}
