import { ApiError, type Resource } from '../client/index.ts'
import { keyOf, type ObjectKey, splitKey } from '../cluster/index.ts'
import { type Node, Nodes, type ServiceBGPStatus, type ServiceL2Status } from '../objects/index.ts'
import type { Context } from './context.ts'
import { openIndex } from './object-index.ts'

const ours = { group: 'plumb.network', version: 'v1alpha1', namespaced: true }
export const serviceL2Statuses: Resource = { ...ours, plural: 'servicel2statuses', kind: 'ServiceL2Status' }
const serviceBGPStatuses: Resource = { ...ours, plural: 'servicebgpstatuses', kind: 'ServiceBGPStatus' }

/** Removes what nodes that are no more have told of Services; a node that is told of and lives removes its own. */
export function announcementGcController(context: Context): void {
  const nodes = context.informer<Node>(Nodes)
  for (const resource of [serviceL2Statuses, serviceBGPStatuses]) {
    const objects = context.informer<ServiceL2Status | ServiceBGPStatus>(resource, { optional: true })
    const byNode = openIndex(objects, ({ status }) => (status === undefined ? [] : [status.node]))
    const queue = context.queue({
      name: `${resource.plural}-garbage-collector`,
      workers: 1,
      async work(key: ObjectKey) {
        const node = objects.get(key)?.status?.node
        if (node === undefined || nodes.get(node) !== undefined) return
        // The cache may be behind.
        if ((await context.client.find(Nodes, undefined, node)) !== undefined) return
        const { namespace, name } = splitKey(key)
        await context.client.delete(resource, namespace, name).catch((error: unknown) => {
          if (!(error instanceof ApiError && error.code === 404)) throw error
        })
      },
    })
    context.onClose(objects.onChange((_, object, key) => object !== undefined && queue.add(key)))
    context.onClose(
      nodes.onChange((_, node, name) => {
        if (node === undefined) for (const object of byNode.find(name)) queue.add(keyOf(object))
      }),
    )
  }
}
