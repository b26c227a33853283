import { ApiError } from '../client/index.ts'
import { type KubeObject, type Node, Nodes, type Pod, Pods } from '../objects/index.ts'
import type { Context } from './context.ts'
import type { SchedulingSpec } from './node-affinity.ts'
import { openRooms } from './node-room.ts'
import { choosePlace } from './placement.ts'
import { findCondition, hasEnded, withCondition } from './pod-state.ts'

const component = 'default-scheduler'

/** Binds each waiting pod to a node. */
export function schedulerController(context: Context): void {
  const pods = context.informer<Pod>(Pods)
  const nodes = context.informer<Node>(Nodes)
  const rooms = openRooms()
  /** Pods that fit nowhere; a change of nodes or the end of a pod may make room. */
  const stranded = new Set<string>()
  const queue = context.queue({
    name: 'scheduler',
    // Choosing is synchronous and counts at once, so that many bindings may be under way.
    workers: 32,
    async work(key) {
      const pod = pods.get(key)
      stranded.delete(key)
      if (pod === undefined || !isWaiting(pod) || rooms.nodeOf(key) !== undefined) return
      const place = choosePlace(pod, rooms.all())
      if (place.kind === 'nowhere') {
        stranded.add(key)
        return reportStranded(context, pod, place.message)
      }
      rooms.setPod(key, pod, place.nodeName)
      await bind(context, pod, place.nodeName).catch((error) => {
        rooms.setPod(key, pods.get(key))
        throw error
      })
    },
  })
  let retrying = false
  const retryStranded = () => {
    if (retrying || stranded.size === 0) return
    retrying = true
    setImmediate(() => {
      retrying = false
      for (const key of [...stranded]) queue.add(key)
    })
  }
  context.onClose(
    nodes.onChange((old, current, name) => {
      rooms.setNode(name, current)
      if (current !== undefined && (old === undefined || mayMatter(old, current))) retryStranded()
    }),
  )
  context.onClose(
    pods.onChange((old, current, key) => {
      // An unbound pod in the cache must not undo a binding that is under way.
      const isAssumed = current !== undefined && isWaiting(current) && rooms.nodeOf(key) !== undefined
      if (!isAssumed || old === undefined) rooms.setPod(key, current)
      if (current !== undefined && isWaiting(current)) queue.add(key)
      if (current === undefined) stranded.delete(key)
      if (old?.spec.nodeName && (current === undefined || hasEnded(current))) retryStranded()
    }),
  )
}

function isWaiting(pod: Pod): boolean {
  const { nodeName, schedulerName, schedulingGates = [] } = pod.spec as SchedulingSpec
  return (
    !nodeName &&
    (schedulerName ?? component) === component &&
    schedulingGates.length === 0 &&
    pod.metadata.deletionTimestamp === undefined &&
    !hasEnded(pod)
  )
}

function mayMatter(old: Node, current: Node): boolean {
  const relevant = ({ metadata, spec, status }: Node) =>
    JSON.stringify([metadata.labels, spec?.taints, spec?.unschedulable, status?.allocatable])
  return relevant(old) !== relevant(current)
}

async function bind(context: Context, pod: Pod, nodeName: string): Promise<void> {
  const { namespace, name, uid } = pod.metadata
  const binding = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name, ...(namespace && { namespace }), ...(uid && { uid }) },
    target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
  }
  try {
    await context.client.create<KubeObject>(Pods, binding, { subresource: 'binding' })
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) return
    throw error
  }
  const message = `Successfully assigned ${namespace}/${name} to ${nodeName}`
  context.events.record(pod, 'Normal', 'Scheduled', message, component)
}

async function reportStranded(context: Context, pod: Pod, message: string): Promise<void> {
  const known = findCondition(pod.status?.conditions, 'PodScheduled')
  if (known?.status === 'False' && known.message === message) return
  const { namespace, name, resourceVersion } = pod.metadata
  const change = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message } as const
  const conditions = withCondition(pod.status?.conditions, change, context.now())
  context.events.record(pod, 'Warning', 'FailedScheduling', message, component)
  const patch = { metadata: { resourceVersion }, status: { conditions } }
  try {
    await context.client.patch(Pods, namespace, name, 'merge', patch, { subresource: 'status' })
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 404)) throw error
  }
}
