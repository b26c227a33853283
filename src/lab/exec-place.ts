import type { Kubelet } from '../kubelet/index.ts'
import { ControlRefusal } from './control-server.ts'
import type { Rack } from './rack.ts'

/** Where a command shall run: in a pod (in its first container unless one is named), on a node, or on another machine of the rack. */
export type ExecTarget =
  | { readonly kind: 'pod'; readonly namespace: string; readonly pod: string; readonly container?: string }
  | { readonly kind: 'node'; readonly node: string }
  | { readonly kind: 'outside' | 'router' | 'control' | 'switches' }

/** Where to enter, in the lab's own terms: the path of a network namespace, or a process with all of a container's namespaces. */
export type ExecPlace =
  | { readonly kind: 'machine'; readonly network: string }
  | { readonly kind: 'container'; readonly pid: number; readonly environment: Readonly<Record<string, string>> }

/** Finds the place that a target names; refuses with what is wrong. */
export async function findExecPlace(
  target: ExecTarget,
  rack: Rack,
  kubelets: ReadonlyMap<string, Kubelet>,
): Promise<ExecPlace> {
  switch (target.kind) {
    case 'router':
    case 'switches':
      return { kind: 'machine', network: rack[target.kind].path }
    case 'outside':
    case 'control':
      return { kind: 'machine', network: rack[target.kind].namespace.path }
    case 'node': {
      const node = rack.nodes.find(({ name }) => name === target.node)
      if (node === undefined) {
        const names = rack.nodes.map(({ name }) => name).join(', ')
        throw new ControlRefusal(`node "${target.node}" is not in the lab; there are ${names}`)
      }
      return { kind: 'machine', network: node.namespace.path }
    }
    case 'pod':
      return findPodPlace(target, kubelets)
    default:
      throw new ControlRefusal(`unknown target ${JSON.stringify(target satisfies never)}`)
  }
}

async function findPodPlace(
  { namespace, pod, container }: ExecTarget & { kind: 'pod' },
  kubelets: ReadonlyMap<string, Kubelet>,
): Promise<ExecPlace> {
  for (const kubelet of kubelets.values()) {
    const worker = kubelet.findPod(namespace, pod)
    if (worker === undefined) continue
    try {
      return { kind: 'container', ...(await worker.execTarget(container)) }
    } catch (error) {
      throw new ControlRefusal(error instanceof Error ? error.message : String(error))
    }
  }
  throw new ControlRefusal(`pod "${namespace}/${pod}" runs on no node of the lab`)
}
