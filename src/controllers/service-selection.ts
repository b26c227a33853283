import type { ObjectKey } from '../client/index.ts'
import { keyOf } from '../cluster/index.ts'
import { PodIndex, SelectorIndex } from '../endpoints/index.ts'
import { type Node, Nodes, type Pod, Pods, type Service, Services } from '../objects/index.ts'
import type { Context } from './context.ts'

/** A Pod's change, with the Services that selected its old and that select its new version. */
export interface SelectedPodChange {
  readonly key: ObjectKey
  readonly old: Pod | undefined
  readonly current: Pod | undefined
  readonly before: readonly ObjectKey[]
  readonly after: readonly ObjectKey[]
}

/** Which Services select which Pods, followed change by change and shared by the endpoint controllers. */
export interface ServiceSelection {
  readonly pods: PodIndex
  findNode(name: string): Node | undefined
  /** Calls back for each Service that is known and for each change. */
  onService(callback: (key: ObjectKey, old: Service | undefined, current: Service | undefined) => void): void
  onPod(callback: (change: SelectedPodChange) => void): void
}

const selections = new WeakMap<Context, ServiceSelection>()

/** The selection of a context; made for the first controller that asks. */
export function serviceSelection(context: Context): ServiceSelection {
  const known = selections.get(context)
  if (known !== undefined) return known
  const selection = openSelection(context)
  selections.set(context, selection)
  return selection
}

function openSelection(context: Context): ServiceSelection {
  const services = new SelectorIndex()
  const pods = new PodIndex()
  const podsByNode = new Map<string, Set<ObjectKey>>()
  const nodes = context.informer<Node>(Nodes)
  const onService: Parameters<ServiceSelection['onService']>[0][] = []
  const onPod: Parameters<ServiceSelection['onPod']>[0][] = []

  const serviceInformer = context.informer<Service>(Services)
  serviceInformer.onChange((old, current, key) => {
    services.set(key, current)
    for (const callback of onService) callback(key, old, current)
  })
  context.informer<Pod>(Pods).onChange((old, current, key) => {
    pods.set(key, current)
    move(podsByNode, key, old?.spec.nodeName, current?.spec.nodeName)
    const before = old === undefined ? [] : services.servicesOf(old)
    const after = current === undefined ? [] : services.servicesOf(current)
    if (before.length + after.length === 0) return
    for (const callback of onPod) callback({ key, old, current, before, after })
  })
  nodes.onChange((old, current, name) => {
    if (old !== undefined && current !== undefined && zoneOf(old) === zoneOf(current)) return
    for (const key of podsByNode.get(name) ?? []) {
      const pod = pods.get(key)
      const after = pod === undefined ? [] : services.servicesOf(pod)
      for (const callback of onPod) callback({ key, old: undefined, current: pod, before: after, after })
    }
  })
  return {
    pods,
    findNode: (name) => nodes.get(name),
    onService(callback) {
      for (const service of serviceInformer.values()) callback(keyOf(service), undefined, service)
      onService.push(callback)
    },
    onPod: (callback) => void onPod.push(callback),
  }
}

function zoneOf(node: Node): string | undefined {
  return node.metadata.labels?.['topology.kubernetes.io/zone']
}

function move(sets: Map<string, Set<string>>, key: string, from: string | undefined, to: string | undefined): void {
  if (from === to) return
  if (from) {
    const keys = sets.get(from)
    keys?.delete(key)
    if (keys?.size === 0) sets.delete(from)
  }
  if (!to) return
  const keys = sets.get(to)
  if (keys === undefined) sets.set(to, new Set([key]))
  else keys.add(key)
}
