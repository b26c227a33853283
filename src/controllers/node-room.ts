import { keyOf, type ObjectKey } from '../cluster/index.ts'
import type { Node, Pod } from '../objects/index.ts'
import { findController } from './owner.ts'
import { podRequests } from './pod-requests.ts'
import { hasEnded } from './pod-state.ts'

/** A node as the scheduler sees it: what is on it, bound or about to be. */
export interface NodeRoom {
  readonly name: string
  node: Node | undefined
  readonly pods: Map<ObjectKey, Pod>
  readonly podsOfOwner: Map<string, number>
  /** `TCP 0.0.0.0 8080` → how many pods hold it. */
  readonly hostPorts: Map<string, number>
  /** What its pods ask for. */
  readonly requested: Map<string, number>
}

/** All nodes and what they hold; binding counts at once, before the API server has answered. */
export interface Rooms {
  /** Rooms whose Node exists. */
  all(): NodeRoom[]
  setNode(name: string, node: Node | undefined): void
  /** Puts the pod where its spec says (or `nodeName`), or takes it away. */
  setPod(key: ObjectKey, pod: Pod | undefined, nodeName?: string): void
  nodeOf(key: ObjectKey): string | undefined
}

/** No nodes, no pods. */
export function openRooms(): Rooms {
  const rooms = new Map<string, NodeRoom>()
  const places = new Map<ObjectKey, { room: NodeRoom; pod: Pod }>()
  const roomOf = (name: string): NodeRoom => {
    const known = rooms.get(name)
    if (known !== undefined) return known
    const room = {
      name,
      node: undefined,
      pods: new Map(),
      podsOfOwner: new Map(),
      hostPorts: new Map(),
      requested: new Map(),
    }
    rooms.set(name, room)
    return room
  }
  const leave = (key: ObjectKey) => {
    const place = places.get(key)
    if (place === undefined) return
    places.delete(key)
    const { room, pod } = place
    room.pods.delete(key)
    count(room.podsOfOwner, ownerOf(pod), -1)
    for (const port of hostPortsOf(pod)) count(room.hostPorts, port, -1)
    for (const [name, amount] of podRequests(pod)) count(room.requested, name, -amount)
    if (room.node === undefined && room.pods.size === 0) rooms.delete(room.name)
  }
  return {
    all: () => [...rooms.values()].filter(({ node }) => node !== undefined),
    setNode(name, node) {
      const room = roomOf(name)
      room.node = node
      if (node === undefined && room.pods.size === 0) rooms.delete(name)
    },
    setPod(key, pod, nodeName = pod?.spec.nodeName) {
      leave(key)
      if (pod === undefined || !nodeName || hasEnded(pod)) return
      const room = roomOf(nodeName)
      places.set(key, { room, pod })
      room.pods.set(key, pod)
      count(room.podsOfOwner, ownerOf(pod), 1)
      for (const port of hostPortsOf(pod)) count(room.hostPorts, port, 1)
      for (const [name, amount] of podRequests(pod)) count(room.requested, name, amount)
    },
    nodeOf: (key) => places.get(key)?.room.name,
  }
}

/** Pods of one owner spread; a pod without one is alone. */
export function ownerOf(pod: Pod): string {
  return findController(pod)?.uid ?? keyOf(pod)
}

/** The host ports that a pod takes, as `PROTOCOL ADDRESS PORT`. */
export function hostPortsOf({ spec }: Pod): string[] {
  return spec.containers.flatMap(({ ports = [] }) =>
    ports.flatMap((port) => {
      const hostPort = port.hostPort || (spec.hostNetwork ? port.containerPort : 0)
      const address = port.hostIP || '0.0.0.0'
      return hostPort === 0 ? [] : [`${port.protocol ?? 'TCP'} ${address} ${hostPort}`]
    }),
  )
}

function count(counts: Map<string, number>, key: string, change: number): void {
  const next = (counts.get(key) ?? 0) + change
  if (next <= 0) counts.delete(key)
  else counts.set(key, next)
}
