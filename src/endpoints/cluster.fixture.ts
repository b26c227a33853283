import type { EndpointSlice, Node, Pod, Service } from '../objects/index.ts'
import type { SlicePlan } from './family-slices.ts'
import type { ServiceEndpoints } from './service-endpoints.ts'

/** A Service `shop/web` with selector app=web and port 80 → 8080, changed by `spec`. */
export function service(spec: Partial<Service['spec']> = {}, metadata: Partial<Service['metadata']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop', uid: 'svc-uid', ...metadata },
    spec: {
      selector: { app: 'web' },
      clusterIP: '10.96.0.5',
      ipFamilies: ['IPv4'],
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
      ...spec,
    },
  }
}

/** A ready Pod `shop/<name>` on node-1, changed by the parts. */
export function pod(
  name: string,
  ip: string,
  parts: {
    labels?: Record<string, string>
    spec?: Partial<Pod['spec']>
    status?: Partial<Pod['status']>
    metadata?: Partial<Pod['metadata']>
    ready?: boolean
  } = {},
): Pod {
  const status = parts.ready === false ? 'False' : 'True'
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      labels: parts.labels ?? { app: 'web' },
      ...parts.metadata,
    },
    spec: {
      nodeName: 'node-1',
      containers: [{ name: 'main', ports: [{ name: 'http', containerPort: 8080 }] }],
      ...parts.spec,
    },
    status: {
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: 'Ready', status, lastTransitionTime: '2026-01-01T00:00:00Z' }],
      ...parts.status,
    },
  }
}

export function node(name: string, zone?: string): Node {
  const labels: Record<string, string> = zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone }
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } }
}

export const nodes: ReadonlyMap<string, Node> = new Map([
  ['node-1', node('node-1', 'zone-a')],
  ['node-2', node('node-2', 'zone-b')],
])

/** A server of slices that names creates and counts versions: what a plan leaves behind. */
export class SliceStore {
  readonly slices = new Map<string, EndpointSlice>()
  #next = 1

  apply(plan: SlicePlan): void {
    for (const slice of plan.create) {
      const name = `${slice.metadata.generateName}${this.#next++}`
      this.#put({ ...slice, metadata: { ...slice.metadata, name, uid: `uid-${name}` } })
    }
    for (const slice of plan.update) {
      const old = this.slices.get(slice.metadata.name)
      if (old?.metadata.resourceVersion !== slice.metadata.resourceVersion) throw new Error('Conflict')
      if (old?.addressType !== slice.addressType) throw new Error('addressType is immutable')
      this.#put(slice)
    }
    for (const slice of plan.delete) if (!this.slices.delete(slice.metadata.name)) throw new Error('NotFound')
  }

  #put(slice: EndpointSlice): void {
    this.slices.set(slice.metadata.name, {
      ...slice,
      metadata: { ...slice.metadata, resourceVersion: String(this.#next++) },
    })
  }
}

/** Feeds a plan's outcome back, as the informer does. */
export function catchUp(
  endpoints: ServiceEndpoints,
  store: SliceStore,
  before: ReadonlyMap<string, EndpointSlice>,
): void {
  for (const name of before.keys()) if (!store.slices.has(name)) endpoints.setSlice(name, undefined)
  for (const [name, slice] of store.slices) if (before.get(name) !== slice) endpoints.setSlice(name, slice)
}
