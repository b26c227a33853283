import { indexAnnotation, indexLimit, indexOf } from '../egress/index.ts'
import { type Node, Nodes } from '../objects/index.ts'
import type { Context } from './context.ts'

const component = 'plumb-egress'

/** Gives every Node the index by which it has its share of the source ports of every egress address; the lowest that is free, once. */
export function egressIndexController(context: Context): void {
  const nodes = context.informer<Node>(Nodes)
  /** Given by this process, and perhaps not in the cache yet. */
  const given = new Map<string, number>()
  const queue = context.queue({
    name: 'egress-index',
    workers: 1,
    async work(name) {
      const node = nodes.get(name)
      if (node === undefined || node.metadata.deletionTimestamp !== undefined || indexOf(node) !== undefined) return
      const taken = new Set([...given.values(), ...[...nodes.values()].map(indexOf)])
      let index = 0
      while (taken.has(index)) index++
      if (index >= indexLimit) {
        const message = `all ${indexLimit} indexes are with other nodes; selected pods on this node cannot leave`
        context.events.record(node, 'Warning', 'NoEgressIndex', message, component)
        return
      }
      given.set(name, index)
      const { uid, resourceVersion } = node.metadata
      await context.client.patch(Nodes, undefined, name, 'merge', {
        metadata: { uid, resourceVersion, annotations: { [indexAnnotation]: String(index) } },
      })
    },
  })
  context.onClose(
    nodes.onChange((_, node, name) => {
      if (node === undefined || indexOf(node) !== undefined) given.delete(name)
      if (node === undefined) for (const other of nodes.values()) queue.add(other.metadata.name)
      else queue.add(name)
    }),
  )
}
