import type { Pod } from '../objects/index.ts'
import { matchesNode, preferenceFor } from './node-affinity.ts'
import { hostPortsOf, type NodeRoom, ownerOf } from './node-room.ts'
import { type Amounts, amountsOf, podRequests } from './pod-requests.ts'
import { type TopologyRule, topologyRules } from './pod-topology.ts'
import { type Taint, tolerates } from './taint.ts'

/** Where a pod goes, or why nowhere. */
export type Placement =
  | { readonly kind: 'place'; readonly nodeName: string }
  | { readonly kind: 'nowhere'; readonly message: string }

/** Pods per node that kubelets allow when the Node does not say. */
const defaultMaxPods = 110

/**
 * Chooses the node: the wishes of the pod first (soft taints, preferred affinity), then the fewest pods of the same owner,
 * then the fewest pods, then the name. What pods ask for must fit, and does not order the nodes.
 */
export function choosePlace(pod: Pod, rooms: readonly NodeRoom[]): Placement {
  if (rooms.length === 0) return { kind: 'nowhere', message: 'no nodes available to schedule pods' }
  const rules = topologyRules(pod, rooms)
  const ports = hostPortsOf(pod)
  const requests = podRequests(pod)
  const owner = ownerOf(pod)
  const refusals = new Map<string, number>()
  let best: { room: NodeRoom; score: readonly number[] } | undefined
  for (const room of rooms) {
    const reasons = refusalsOf(pod, room, ports, requests, rules)
    for (const reason of reasons) refusals.set(reason, (refusals.get(reason) ?? 0) + 1)
    if (reasons.length > 0) continue
    const score = scoreOf(pod, room, owner)
    if (best === undefined || isBetter(score, room.name, best.score, best.room.name)) best = { room, score }
  }
  if (best !== undefined) return { kind: 'place', nodeName: best.room.name }
  const reasons = [...refusals].map(([reason, count]) => `${count} ${reason}`).sort()
  return { kind: 'nowhere', message: `0/${rooms.length} nodes are available: ${reasons.join(', ')}.` }
}

/** Why the pod cannot go to this node, in the words of the first of upstream's scheduler plugins that refuses; nothing when it can. */
function refusalsOf(
  pod: Pod,
  room: NodeRoom,
  ports: readonly string[],
  requests: Amounts,
  rules: readonly TopologyRule[],
): readonly string[] {
  const { node } = room
  if (node === undefined) return ['node(s) were missing']
  const { tolerations } = pod.spec
  const unschedulable: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }
  if (node.spec?.unschedulable && !tolerates(tolerations, unschedulable)) return ['node(s) were unschedulable']
  const taint = (node.spec?.taints ?? []).find(
    (one) => (one.effect === 'NoSchedule' || one.effect === 'NoExecute') && !tolerates(tolerations, one),
  )
  if (taint !== undefined) return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`]
  if (!matchesNode(pod.spec, node)) return ["node(s) didn't match Pod's node affinity/selector"]
  if (ports.some((port) => isTaken(room, port))) return ["node(s) didn't have free ports for the requested pod ports"]
  const lacking = lackingIn(room, requests)
  if (lacking.length > 0) return lacking
  for (const rule of rules) {
    const refusal = rule(room)
    if (refusal !== undefined) return [refusal]
  }
  return []
}

/** What the node has too little of. */
function lackingIn({ node, pods, requested }: NodeRoom, requests: Amounts): string[] {
  const allocatable = node?.status?.allocatable ?? {}
  const lacking = pods.size >= Number(allocatable.pods ?? defaultMaxPods) ? ['Too many pods'] : []
  if (requests.size === 0) return lacking
  const room = amountsOf(allocatable)
  for (const [name, amount] of requests)
    if (amount > 0 && (requested.get(name) ?? 0) + amount > (room.get(name) ?? 0)) lacking.push(`Insufficient ${name}`)
  return lacking
}

/** The wildcard address holds a port on all addresses. */
function isTaken({ hostPorts }: NodeRoom, wanted: string): boolean {
  if (hostPorts.size === 0) return false
  if (hostPorts.has(wanted)) return true
  const [protocol, address, port] = wanted.split(' ')
  if (address !== '0.0.0.0') return hostPorts.has(`${protocol} 0.0.0.0 ${port}`)
  for (const held of hostPorts.keys()) {
    const [heldProtocol, , heldPort] = held.split(' ')
    if (heldProtocol === protocol && heldPort === port) return true
  }
  return false
}

function scoreOf(pod: Pod, room: NodeRoom, owner: string): readonly number[] {
  const node = room.node!
  const soft = (node.spec?.taints ?? []).filter(
    (taint) => taint.effect === 'PreferNoSchedule' && !tolerates(pod.spec.tolerations, taint),
  )
  return [soft.length, -preferenceFor(pod.spec, node), room.podsOfOwner.get(owner) ?? 0, room.pods.size]
}

function isBetter(a: readonly number[], aName: string, b: readonly number[], bName: string): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return (a[i] ?? 0) < (b[i] ?? 0)
  return aName < bName
}
