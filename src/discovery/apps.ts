import { keyOf, type Snapshot, splitKey } from '../cluster/index.ts'
import type { Endpoint, EndpointPort, EndpointSlice, Service } from '../objects/index.ts'

/** An instance with the fields and in the order that Spring Cloud Kubernetes writes its `DefaultKubernetesServiceInstance`. */
export interface AppInstance {
  readonly instanceId: string
  readonly serviceId: string
  readonly host: string
  readonly port: number
  readonly metadata: Readonly<Record<string, string>>
  readonly secure: boolean
  readonly namespace: string
  readonly cluster: null
  readonly podMetadata: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly scheme: 'http' | 'https'
  readonly uri: string
}

/** A Service and its instances. */
export interface App {
  readonly name: string
  readonly serviceInstances: readonly AppInstance[]
}

/** What `/state` lists: who stands behind all Services, so that a change of it is a change of the catalogue. */
export interface EndpointName {
  readonly endpointName: string
  readonly namespace: string
}

/** Which port of a Service is told; its label `primary-port-name` comes before `primaryPortName`. */
export interface AppOptions {
  readonly primaryPortName?: string
  /** Ports that mean https; 443 and 8443 unless given. */
  readonly knownSecurePorts?: readonly number[]
  /** Also instances that are not ready; with terminating ones marked in their metadata. */
  readonly includeNotReady?: boolean
}

/** All Services by name; those of the same name in several namespaces are one app, as in Spring Cloud Kubernetes. */
export function compileApps(snapshot: Snapshot, options: AppOptions): App[] {
  const names = new Set([...snapshot.services.keys()].map((key) => splitKey(key).name))
  return [...names].sort().map((name) => ({ name, serviceInstances: compileInstances(snapshot, name, options) }))
}

/** The instances of one app: of every slice of every Service of that name; an address that stands in two slices counts once. */
export function compileInstances(snapshot: Snapshot, name: string, options: AppOptions): AppInstance[] {
  const found = new Map<string, AppInstance>()
  for (const service of snapshot.services.values()) {
    if (service.metadata.name !== name) continue
    const family = service.spec?.ipFamilies?.[0]
    for (const slice of snapshot.slicesOf(keyOf(service))) {
      // Endpoints, which Spring reads, have the Service's first family alone; clients could not tell which they can reach.
      if (slice.addressType === 'FQDN' || (family !== undefined && slice.addressType !== family)) continue
      const port = choosePort(service, slice.ports ?? [], options)
      for (const endpoint of slice.endpoints) {
        const host = endpoint.addresses[0]
        if (host === undefined || (endpoint.conditions?.ready === false && options.includeNotReady !== true)) continue
        const instance = instanceOf(snapshot, { service, slice, endpoint, host, port }, options)
        if (!found.has(instance.instanceId)) found.set(instance.instanceId, instance)
      }
    }
  }
  return [...found.values()]
}

/** The names behind every Service, sorted, so that equal states are equal texts. */
export function compileState(snapshot: Snapshot): EndpointName[] {
  const names = new Map<string, EndpointName>()
  for (const slice of snapshot.slices.values()) {
    for (const { targetRef, conditions } of slice.endpoints) {
      if (targetRef?.name === undefined || conditions?.ready === false) continue
      const namespace = targetRef.namespace ?? slice.metadata.namespace ?? ''
      names.set(`${namespace}/${targetRef.name}`, { endpointName: targetRef.name, namespace })
    }
  }
  return [...names.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, name]) => name)
}

interface Place {
  readonly service: Service
  readonly slice: EndpointSlice
  readonly endpoint: Endpoint
  readonly host: string
  readonly port: EndpointPort | undefined
}

function instanceOf(snapshot: Snapshot, place: Place, options: AppOptions): AppInstance {
  const { service, slice, endpoint, host, port } = place
  const { name = '', namespace = '', labels = {}, annotations = {} } = service.metadata
  const number = port?.port ?? 0
  const secure =
    [labels.secured, annotations.secured].includes('true') || (options.knownSecurePorts ?? [443, 8443]).includes(number)
  const scheme = secure ? 'https' : 'http'
  const ports = (slice.ports ?? []).flatMap((one) =>
    one.name && one.port !== undefined ? [[`port.${one.name}`, String(one.port)]] : [],
  )
  const pod =
    endpoint.targetRef?.kind === 'Pod' ? snapshot.pods.get(`${namespace}/${endpoint.targetRef.name}`) : undefined
  const hintedZones = endpoint.hints?.forZones?.map((zone) => zone.name).join(',')
  return {
    instanceId: endpoint.targetRef?.uid ?? `${host}:${number}`,
    serviceId: name,
    host,
    port: number,
    metadata: {
      ...labels,
      ...annotations,
      ...Object.fromEntries(ports),
      k8s_namespace: namespace,
      type: service.spec?.type ?? 'ClusterIP',
      // Beyond Spring's: what a client needs to prefer its zone and to leave out who drains.
      ...(endpoint.zone === undefined ? {} : { zone: endpoint.zone }),
      ...(hintedZones ? { 'hints.zones': hintedZones } : {}),
      ...(endpoint.conditions?.terminating === true
        ? { terminating: 'true', serving: String(endpoint.conditions.serving ?? false) }
        : {}),
    },
    secure,
    namespace,
    cluster: null,
    podMetadata:
      pod === undefined ? {} : { labels: pod.metadata.labels ?? {}, annotations: pod.metadata.annotations ?? {} },
    scheme,
    uri: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${number}`,
  }
}

/** One port; the label's; the option's; `https`; `http`; the first. */
function choosePort(service: Service, ports: readonly EndpointPort[], options: AppOptions): EndpointPort | undefined {
  if (ports.length <= 1) return ports[0]
  const names = [service.metadata.labels?.['primary-port-name'], options.primaryPortName, 'https', 'http']
  for (const name of names) {
    const port = name === undefined ? undefined : ports.find((one) => one.name === name)
    if (port !== undefined) return port
  }
  return ports[0]
}
