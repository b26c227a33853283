import { randomBytes } from 'node:crypto'
import { ApiError, type Resource } from '../client/index.ts'
import { IngressClasses, type KubeObject, Secrets } from '../objects/index.ts'
import type { Context } from './context.ts'
import { gatewayResources } from './gateway-objects.ts'

/** The class of the Gateways that nodes serve. */
const gatewayClass = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'GatewayClass',
  metadata: { name: 'plumb' },
  spec: { controllerName: 'plumb.network/gateway-controller' },
} as KubeObject

/** The class of the Ingresses that nodes serve; not the default one, which another controller’s may be. */
const ingressClass = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'plumb' },
  spec: { controller: 'plumb.network/gateway' },
} as KubeObject

/** By which speakers know one another's heartbeats. */
function speakerKey(): KubeObject {
  const data = { key: randomBytes(32).toString('base64') }
  const metadata = { name: 'plumb-speaker', namespace: 'kube-system' }
  return { apiVersion: 'v1', kind: 'Secret', metadata, data } as KubeObject
}

/** Makes what Plumb needs in every cluster and nobody writes, once; what is there stays as it is. */
export function ownObjectsController(context: Context): void {
  const wanted: Readonly<Record<string, { resource: Resource; make(): KubeObject }>> = {
    'secret/plumb-speaker': { resource: Secrets, make: speakerKey },
    'gatewayclass/plumb': { resource: gatewayResources.GatewayClass, make: () => gatewayClass },
    'ingressclass/plumb': { resource: IngressClasses, make: () => ingressClass },
  }
  const queue = context.queue({
    name: 'own-objects',
    workers: 1,
    async work(name) {
      const one = wanted[name]
      if (one === undefined) return
      try {
        await context.client.create(one.resource, one.make())
      } catch (error) {
        // NotFound: a cluster without Gateway API.
        if (!(error instanceof ApiError) || !['AlreadyExists', 'NotFound'].includes(error.reason ?? '')) throw error
      }
    },
  })
  for (const name of Object.keys(wanted)) queue.add(name)
}
