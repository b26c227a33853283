import { ApiError } from '../client/index.ts'
import { type Node, Nodes, type Pod, Pods } from '../objects/index.ts'
import { forEachLimited } from './batch.ts'
import type { Context } from './context.ts'
import { openIndex } from './object-index.ts'
import { hasEnded, withCondition } from './pod-state.ts'

/** A node that is missing for less may only not have registered yet (upstream's quarantine). */
const quarantineMs = 40_000
const defaultThreshold = 12_500

/** Removes pods that nobody will ever end: on nodes that are gone, and the oldest of too many that have finished. */
export function podGcController(context: Context): void {
  const pods = context.informer<Pod>(Pods)
  const nodes = context.informer<Node>(Nodes)
  const podsByNode = openIndex(pods, ({ spec }) => (spec.nodeName ? [spec.nodeName] : []))
  const threshold = context.options.terminatedPodThreshold ?? defaultThreshold
  const missingSince = new Map<string, number>()
  const ended = new Set<string>()
  const queue = context.queue({
    name: 'pod-garbage-collector',
    workers: 2,
    async work(key) {
      if (key === terminated) return removeOldest()
      const node = key.slice(nodePrefix.length)
      const stranded = podsByNode.find(node)
      if (nodes.get(node) !== undefined || stranded.length === 0) return void missingSince.delete(node)
      const since = missingSince.get(node) ?? context.now()
      missingSince.set(node, since)
      const waitMs = since + quarantineMs - context.now()
      if (waitMs > 0) return queue.addAfter(key, waitMs)
      if ((await context.client.find(Nodes, undefined, node)) !== undefined) return
      await forEachLimited(stranded, 8, (pod) => endAndRemove(context, pod))
      missingSince.delete(node)
    },
  })
  const removeOldest = async () => {
    const excess = ended.size - threshold
    if (threshold <= 0 || excess <= 0) return
    const oldest = [...ended]
      .flatMap((key) => pods.get(key) ?? [])
      .sort((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1))
    await forEachLimited(oldest.slice(0, excess), 8, (pod) => remove(context, pod))
  }
  context.onClose(
    pods.onChange((_, pod, key) => {
      if (pod !== undefined && hasEnded(pod)) ended.add(key)
      else ended.delete(key)
      if (threshold > 0 && ended.size > threshold) queue.add(terminated)
      if (pod?.spec.nodeName && nodes.get(pod.spec.nodeName) === undefined) queue.add(nodePrefix + pod.spec.nodeName)
    }),
  )
  context.onClose(
    nodes.onChange((_, node, name) => {
      if (node === undefined) queue.add(nodePrefix + name)
    }),
  )
}

const nodePrefix = 'node/'
const terminated = 'terminated'

async function endAndRemove(context: Context, pod: Pod): Promise<void> {
  const { namespace, name } = pod.metadata
  if (!hasEnded(pod)) {
    const change = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByPodGC',
      message: 'PodGC: node no longer exists',
    } as const
    const conditions = withCondition(pod.status?.conditions, change, context.now())
    const patch = { status: { phase: 'Failed', conditions } }
    await context.client.patch(Pods, namespace, name, 'merge', patch, { subresource: 'status' }).catch(ignoreMissing)
  }
  await remove(context, pod)
}

async function remove(context: Context, pod: Pod): Promise<void> {
  const { namespace, name, uid } = pod.metadata
  const options = { gracePeriodSeconds: 0, ...(uid && { preconditions: { uid } }) }
  await context.client.delete(Pods, namespace, name, options).catch(ignoreMissing)
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error
}
