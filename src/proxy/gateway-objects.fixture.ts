import type { Station } from '../agent/rig.fixture.ts'
import type { EndpointSlice, KubeObject, Service } from '../objects/index.ts'

const apiVersion = 'gateway.networking.k8s.io/v1'
const created = '2026-01-01T00:00:00Z'

export const gatewayClass = {
  apiVersion,
  kind: 'GatewayClass',
  metadata: { name: 'plumb' },
  spec: { controllerName: 'plumb.network/gateway-controller' },
} as KubeObject

/** A listener as YAML has it. */
export interface ListenerSpec {
  readonly name: string
  readonly port: number
  readonly protocol: string
  readonly [field: string]: unknown
}

/** A Gateway in namespace `ns`, and its Service as the controller makes it: nodes bind 20000 more than each port. */
export function gatewayOf(name: string, listeners: readonly ListenerSpec[], more: object = {}): KubeObject[] {
  const ports = [...new Set(listeners.map(({ port }) => port))]
  const gateway = {
    apiVersion,
    kind: 'Gateway',
    metadata: { name, namespace: 'ns', creationTimestamp: created },
    spec: { gatewayClassName: 'plumb', listeners, ...more },
  }
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `${name}-plumb`, namespace: 'ns' },
    spec: { ports: ports.map((port) => ({ name: `port-${port}`, port, targetPort: 20_000 + port })) },
  }
  return [gateway as KubeObject, service as KubeObject]
}

/** A route of a kind in namespace `ns` to a Gateway there. */
export function routeOf(
  kind: string,
  name: string,
  rules: readonly object[],
  more: { parent?: object; hostnames?: readonly string[]; created?: string } = {},
): KubeObject {
  const { parent = {}, hostnames, created: at = created } = more
  return {
    apiVersion,
    kind,
    metadata: { name, namespace: 'ns', creationTimestamp: at },
    spec: { parentRefs: [{ name: 'gw', ...parent }], ...(hostnames && { hostnames }), rules },
  } as KubeObject
}

/** A reference to port 80 of a Service. */
export function to(name: string, more: object = {}): object {
  return { name, port: 80, ...more }
}

export function serviceOf(name: string, appProtocol?: string): Service {
  const port = { port: 80, ...(appProtocol && { appProtocol }) }
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'ns' }, spec: { ports: [port] } }
}

export function sliceOf(name: string, port: number, ...stations: readonly Station[]): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'ns', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: stations.map(({ addresses }, at) => ({
      addresses: [addresses[4]],
      conditions: { ready: true },
      targetRef: { kind: 'Pod', name: `${name}-${at}`, namespace: 'ns' },
    })),
    ports: [{ name: '', port, protocol: 'TCP' }],
  }
}
