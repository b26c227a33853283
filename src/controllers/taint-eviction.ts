import { ApiError } from '../client/index.ts'
import { keyOf } from '../cluster/index.ts'
import { type Node, Nodes, type Pod, Pods } from '../objects/index.ts'
import type { Context } from './context.ts'
import { evictionTime } from './node-health.ts'
import { openIndex } from './object-index.ts'
import { hasEnded } from './pod-state.ts'
import type { Taint } from './taint.ts'

/** Deletes pods that do not, or no longer, tolerate a NoExecute taint of their node. */
export function taintEvictionController(context: Context): void {
  const nodes = context.informer<Node>(Nodes)
  const pods = context.informer<Pod>(Pods)
  const podsByNode = openIndex(pods, ({ spec }) => (spec.nodeName ? [spec.nodeName] : []))
  const queue = context.queue({
    name: 'taint-eviction',
    async work(key) {
      const pod = pods.get(key)
      const node = nodes.get(pod?.spec.nodeName ?? '')
      if (pod === undefined || node === undefined || pod.metadata.deletionTimestamp !== undefined || hasEnded(pod))
        return
      const due = evictionTime(pod.spec.tolerations, (node.spec?.taints ?? []) as Taint[], context.now())
      if (due === undefined) return
      if (due > context.now()) return queue.addAfter(key, due - context.now())
      await evict(context, pod)
    },
  })
  context.onClose(
    nodes.onChange((old, node, name) => {
      if (node === undefined || JSON.stringify(old?.spec?.taints) === JSON.stringify(node.spec?.taints)) return
      for (const pod of podsByNode.find(name)) queue.add(keyOf(pod))
    }),
  )
  context.onClose(
    pods.onChange((old, pod, key) => {
      const nodeName = pod?.spec.nodeName
      if (pod === undefined || !nodeName || old?.spec.nodeName === nodeName) return
      if (nodes.get(nodeName)?.spec?.taints?.some(({ effect }) => effect === 'NoExecute')) queue.add(key)
    }),
  )
}

async function evict(context: Context, pod: Pod): Promise<void> {
  const { namespace, name, uid } = pod.metadata
  const message = `Marking for deletion Pod ${namespace}/${name}`
  context.events.record(pod, 'Normal', 'TaintManagerEviction', message, 'taint-eviction-controller')
  await context.client.delete(Pods, namespace, name, uid ? { preconditions: { uid } } : {}).catch((error) => {
    if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error
  })
}
