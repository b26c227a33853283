import type { Client, Resource } from '../client/index.ts'
import type { ObjectKey, Snapshot } from '../cluster/index.ts'
import {
  type ConfigMap,
  type Ingress,
  type IngressClass,
  type Secret,
  type Sources,
  withBefore,
} from '../gateways/index.ts'
import type { KubeObject } from '../objects/index.ts'

const networking = { group: 'networking.k8s.io', version: 'v1' }
const core = { group: '', version: 'v1' }
const gateway = { group: 'gateway.networking.k8s.io', version: 'v1' }

const resources = {
  ingresses: { ...networking, plural: 'ingresses', namespaced: true, kind: 'Ingress' },
  ingressClasses: { ...networking, plural: 'ingressclasses', namespaced: false, kind: 'IngressClass' },
  secrets: { ...core, plural: 'secrets', namespaced: true, kind: 'Secret' },
  configMaps: { ...core, plural: 'configmaps', namespaced: true, kind: 'ConfigMap' },
  namespaces: { ...core, plural: 'namespaces', namespaced: false, kind: 'Namespace' },
  classes: { ...gateway, plural: 'gatewayclasses', namespaced: false, kind: 'GatewayClass' },
  gateways: { ...gateway, plural: 'gateways', namespaced: true, kind: 'Gateway' },
  listenerSets: { ...gateway, plural: 'listenersets', namespaced: true, kind: 'ListenerSet' },
  httpRoutes: { ...gateway, plural: 'httproutes', namespaced: true, kind: 'HTTPRoute' },
  grpcRoutes: { ...gateway, plural: 'grpcroutes', namespaced: true, kind: 'GRPCRoute' },
  tlsRoutes: { ...gateway, plural: 'tlsroutes', namespaced: true, kind: 'TLSRoute' },
  tcpRoutes: { ...gateway, plural: 'tcproutes', namespaced: true, kind: 'TCPRoute' },
  udpRoutes: { ...gateway, plural: 'udproutes', namespaced: true, kind: 'UDPRoute' },
  grants: { ...gateway, plural: 'referencegrants', namespaced: true, kind: 'ReferenceGrant' },
  policies: { ...gateway, plural: 'backendtlspolicies', namespaced: true, kind: 'BackendTLSPolicy' },
} satisfies Readonly<Record<string, Resource>>

/** The kinds that gateways are compiled from, but for Services and slices. */
export const gatewayResources: readonly Resource[] = Object.values(resources)

type Kind = keyof typeof resources

/** Whether what the gateways are depends on an object, be it that it is not there. */
export type IsRead = (kind: 'secrets' | 'configMaps' | 'namespaces', key: ObjectKey) => boolean

/** The objects that gateways are compiled from, but for Services and slices, as they are at the API server. */
export class GatewayObjects {
  readonly #kept = new Map<Kind, Map<ObjectKey, KubeObject>>()
  /** All of a kind; gone when one of it changes. */
  readonly #lists = new Map<Kind, readonly KubeObject[]>()
  readonly #isRead: IsRead
  readonly #stops: (() => void)[] = []
  /** Resolves when all kinds are known; kinds of the Gateway API are, too, where it is not installed. */
  readonly synced: Promise<unknown>

  constructor(client: Client, onChange: () => void, isRead: IsRead = () => true) {
    this.#isRead = isRead
    this.synced = Promise.all(
      Object.entries(resources).map(([kind, resource]) => this.#follow(client, kind as Kind, resource, onChange)),
    )
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }

  sources(snapshot: Snapshot): Sources {
    const all = <T extends KubeObject>(kind: Kind): readonly T[] => {
      const list = this.#lists.get(kind) ?? [...this.#of(kind).values()]
      this.#lists.set(kind, list)
      return list as readonly T[]
    }
    return {
      ingresses: all<Ingress>('ingresses'),
      ingressClasses: all<IngressClass>('ingressClasses'),
      secrets: this.#of('secrets') as Map<ObjectKey, Secret>,
      configMaps: this.#of('configMaps') as Map<ObjectKey, ConfigMap>,
      namespaces: this.#of('namespaces'),
      gatewayApi: {
        classes: all('classes'),
        gateways: all('gateways'),
        listenerSets: all('listenerSets'),
        httpRoutes: all('httpRoutes'),
        grpcRoutes: all('grpcRoutes'),
        tlsRoutes: all('tlsRoutes'),
        tcpRoutes: all('tcpRoutes'),
        udpRoutes: all('udpRoutes'),
        grants: all('grants'),
        policies: all('policies'),
      },
      services: snapshot.services,
      slicesOf: (service) => snapshot.slicesOf(service),
    }
  }

  /** An object by how findings name it: `ingress/NAMESPACE/NAME`. */
  find(object: string): KubeObject | undefined {
    const [word = '', ...key] = object.split('/')
    const known = Object.entries(resources).find(([, { kind }]) => kind.toLowerCase() === word)
    return known && this.#of(known[0] as Kind).get(key.join('/'))
  }

  /** A Secret, a ConfigMap or a namespace that nobody speaks of changes nothing. */
  #isAbout(kind: Kind, key: ObjectKey): boolean {
    return (kind !== 'secrets' && kind !== 'configMaps' && kind !== 'namespaces') || this.#isRead(kind, key)
  }

  #of(kind: Kind): Map<ObjectKey, KubeObject> {
    const kept = this.#kept.get(kind) ?? new Map<ObjectKey, KubeObject>()
    this.#kept.set(kind, kept)
    return kept
  }

  #follow(client: Client, kind: Kind, resource: Resource, onChange: () => void): Promise<void> {
    const informer = client.informer<KubeObject>(resource, { optional: resource.group === gateway.group })
    const into = this.#of(kind)
    const change = (old: KubeObject | undefined, current: KubeObject | undefined, key: ObjectKey): void => {
      const kept = current !== undefined && isWorthKeeping(current) ? current : undefined
      if (kept === undefined && !into.has(key)) return
      if (kept === undefined) into.delete(key)
      else into.set(key, kept.kind === 'Secret' ? afterOther(kept, into.get(key)) : kept)
      this.#lists.delete(kind)
      if (!isSameSpec(old, kept) && this.#isAbout(kind, key)) onChange()
    }
    this.#stops.push(informer.onChange(change))
    return informer.start()
  }
}

const mostBytes = 65_536

/** Of all Secrets only those for TLS and those that may hold passwords, and of ConfigMaps those with certificates of authorities or maybe headers. */
function isWorthKeeping(object: KubeObject): boolean {
  if (object.kind !== 'Secret' && object.kind !== 'ConfigMap') return true
  const { type = 'Opaque', data = {} } = object as Secret
  const size = Object.values(data).reduce((sum, { length }) => sum + length, 0)
  return isForTls(object as Secret) || ((object.kind === 'ConfigMap' || type === 'Opaque') && size <= mostBytes)
}

function isForTls({ type, data }: Secret): boolean {
  return type === 'kubernetes.io/tls' || data?.['ca.crt'] !== undefined
}

/** A Secret that was changed for the worse, while its certificate serves. */
function afterOther(now: Secret, before: Secret | undefined): Secret {
  return before === undefined ? now : withBefore(now, before)
}

/** A new status, our own above all, changes nothing here. */
function isSameSpec(old: KubeObject | undefined, current: KubeObject | undefined): boolean {
  if (old === undefined || current === undefined) return false
  const { generation } = old.metadata
  if (generation === undefined || generation !== current.metadata.generation) return false
  const labelsOf = ({ metadata }: KubeObject): string => JSON.stringify([metadata.labels, metadata.annotations])
  return old.metadata.uid === current.metadata.uid && labelsOf(old) === labelsOf(current)
}
