import { keyOf, type Snapshot } from '../cluster/index.ts'
import type { ConfigMap, Ingress, IngressClass, Secret, Sources } from '../gateways/index.ts'
import type { KubeObject } from '../objects/index.ts'

const gatewayGroup = 'gateway.networking.k8s.io/'

/** What gateways are compiled from, out of a list of objects such as manifests; Services, slices and namespaces are the snapshot's. */
export function gatewaySources(objects: readonly KubeObject[], snapshot: Snapshot): Sources {
  const byKind = Map.groupBy(objects, ({ apiVersion, kind }) =>
    apiVersion.startsWith(gatewayGroup) ? `gateway ${kind}` : kind,
  )
  const all = <T>(kind: string): readonly T[] => (byKind.get(kind) ?? []) as readonly unknown[] as readonly T[]
  const api = <T>(kind: string): readonly T[] => all<T>(`gateway ${kind}`)
  const keyed = <T extends KubeObject>(list: readonly T[]) => new Map(list.map((one) => [keyOf(one), one]))
  const { namespaces, services } = snapshot
  return {
    ingresses: all<Ingress>('Ingress'),
    ingressClasses: all<IngressClass>('IngressClass'),
    secrets: keyed(all<Secret>('Secret').map(withEncoded)),
    configMaps: keyed(all<ConfigMap>('ConfigMap')),
    namespaces: { get: (name) => namespaces.get(name) ?? unlabelled(name) },
    services,
    slicesOf: (service) => snapshot.slicesOf(service),
    gatewayApi: {
      classes: api('GatewayClass'),
      gateways: api('Gateway'),
      listenerSets: api('ListenerSet'),
      httpRoutes: api('HTTPRoute'),
      grpcRoutes: api('GRPCRoute'),
      tlsRoutes: api('TLSRoute'),
      tcpRoutes: api('TCPRoute'),
      udpRoutes: api('UDPRoute'),
      grants: api('ReferenceGrant'),
      policies: api('BackendTLSPolicy'),
    },
  }
}

/** A namespace that manifests use and do not make has the label that every namespace has. */
function unlabelled(name: string): KubeObject {
  const labels = { 'kubernetes.io/metadata.name': name }
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }
}

/** The API server stores `stringData` as `data`. */
function withEncoded(secret: Secret & { stringData?: Readonly<Record<string, string>> }): Secret {
  const { stringData, ...rest } = secret
  if (stringData === undefined) return secret
  const encoded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(String(text)).toString('base64')])
  return { ...rest, data: { ...rest.data, ...Object.fromEntries(encoded) } }
}
