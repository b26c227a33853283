import { ApiError } from '../client/index.ts'
import { type Lease, Leases, type Node, Nodes, type Pod, Pods } from '../objects/index.ts'
import { forEachLimited } from './batch.ts'
import type { Context } from './context.ts'
import { podConditionsOnLostNode, pulseOf, staleConditions, wantedTaints } from './node-health.ts'
import { type ObjectIndex, openIndex } from './object-index.ts'
import { findCondition } from './pod-state.ts'
import { canonical } from './template-hash.ts'

const component = 'node-controller'
const defaultGraceMs = 40_000

/** Notices nodes whose heartbeat stops: they become unknown and tainted, and their pods unready, so that endpoints leave. */
export function nodeLifecycleController(context: Context): void {
  const nodes = context.informer<Node>(Nodes)
  const leases = context.client.informer<Lease>(Leases, { namespace: 'kube-node-lease' })
  const podsByNode = openIndex(context.informer<Pod>(Pods), ({ spec }) => (spec.nodeName ? [spec.nodeName] : []))
  const pulses = new Map<string, { pulse: string; at: number }>()
  const graceMs = context.options.nodeMonitorGracePeriodMs ?? defaultGraceMs
  const queue = context.queue({
    name: 'node-lifecycle',
    async work(name) {
      const node = nodes.get(name)
      if (node === undefined) return void pulses.delete(name)
      const leftMs = feelPulse(name, node) + graceMs - context.now()
      if (leftMs > 0) queue.addAfter(name, leftMs)
      else if (readyStatus(node) !== 'Unknown') return markUnknown(context, node)
      await syncTaints(
        context,
        node,
        [...nodes.values()].every((one) => !isReady(one)),
      )
      if (readyStatus(node) !== undefined && !isReady(node)) await markPodsNotReady(context, podsByNode, name)
    },
  })
  const feelPulse = (name: string, node: Node): number => {
    const pulse = pulseOf(node, leases.get(`kube-node-lease/${name}`))
    const known = pulses.get(name)
    if (known?.pulse === pulse) return known.at
    const at = context.now()
    pulses.set(name, { pulse, at })
    return at
  }
  context.onClose(
    nodes.onChange((old, node, name) => {
      queue.add(name)
      // The first node that is ready again, or the last one that is lost, changes what holds for all.
      if (old === undefined || node === undefined || isReady(old) !== isReady(node))
        for (const other of nodes.values()) queue.add(other.metadata.name)
    }),
  )
  // A heartbeat only has to be noted; work is due when it stays away, and there is a timer for that.
  const stop = leases.onChange((_, lease) => {
    const node = lease && nodes.get(lease.metadata.name)
    if (node !== undefined) feelPulse(node.metadata.name, node)
  })
  context.onSynced(() => void leases.start().catch(() => {}))
  context.onClose(() => {
    stop()
    leases.close()
  })
}

function readyStatus(node: Node): string | undefined {
  return findCondition(node.status?.conditions, 'Ready')?.status
}

function isReady(node: Node): boolean {
  return readyStatus(node) === 'True'
}

async function markUnknown(context: Context, node: Node): Promise<void> {
  const conditions = staleConditions(node, context.now())
  const status = { ...node.status, conditions }
  await context.client.update(Nodes, { ...node, status }, { subresource: 'status' }).catch(ignoreMissing)
  context.events.record(
    node,
    'Normal',
    'NodeNotReady',
    `Node ${node.metadata.name} status is now: NodeNotReady`,
    component,
  )
}

async function syncTaints(context: Context, node: Node, allDown: boolean): Promise<void> {
  const taints = wantedTaints(node, allDown, context.now())
  if (canonical(taints) === canonical(node.spec?.taints)) return
  const { name, uid, resourceVersion } = node.metadata
  const patch = { metadata: { uid, resourceVersion }, spec: { taints } }
  await context.client.patch(Nodes, undefined, name, 'merge', patch).catch(ignoreMissing)
}

async function markPodsNotReady(context: Context, podsByNode: ObjectIndex<Pod>, node: string): Promise<void> {
  await forEachLimited(podsByNode.find(node), 8, async (pod) => {
    const conditions = podConditionsOnLostNode(pod, context.now())
    if (conditions === undefined) return
    const { namespace, name, uid, resourceVersion } = pod.metadata
    const patch = { metadata: { uid, resourceVersion }, status: { conditions } }
    await context.client.patch(Pods, namespace, name, 'merge', patch, { subresource: 'status' }).catch(ignoreMissing)
    context.events.record(pod, 'Warning', 'NodeNotReady', 'Node is not ready', component)
  })
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof ApiError && error.code === 404)) throw error
}
