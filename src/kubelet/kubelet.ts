import { type Address, parseAddress } from '../addr/index.ts'
import { ApiError } from '../client/index.ts'
import type { Namespace } from '../host/index.ts'
import { Leases, type Node, Nodes, type Pod, Pods } from '../objects/index.ts'
import { callCni } from './cni-call.ts'
import { timestamp } from './container-runner.ts'
import type { KubeletDoor, NodeDoor } from './kubelet-door.ts'
import { nodeLease, nodeObject } from './node-object.ts'
import { PodWorker } from './pod-worker.ts'

const leaseMs = 10_000

/** What a kubelet runs on. */
export interface KubeletMachine {
  readonly name: string
  readonly namespace: Namespace
  readonly addresses: readonly Address[]
}

/** The kubelet of one node: registers it, keeps its Lease, and has a worker for each pod that is bound to it. */
export class Kubelet {
  readonly node: NodeDoor
  readonly #door: KubeletDoor
  readonly #workers = new Map<string, PodWorker>()
  #timer: NodeJS.Timeout | undefined

  constructor(door: KubeletDoor, machine: KubeletMachine, index: number, agentSocket: string) {
    this.#door = door
    this.node = {
      name: machine.name,
      index,
      namespace: machine.namespace,
      addresses: machine.addresses,
      attach: (containerId, namespace, pod) => attach(agentSocket, containerId, namespace, pod),
      detach: async (containerId) => {
        await callCni(agentSocket, { command: 'DEL', containerId, ifname: 'eth0' })
      },
    }
  }

  /** Creates the Node, or brings its status up to date, and renews its Lease from now on. */
  async register(): Promise<void> {
    const { name, index, addresses } = this.node
    const { client } = this.#door
    const wanted = nodeObject(name, index, addresses, timestamp())
    try {
      await client.create<Node>(Nodes, wanted)
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
      const { metadata, status } = wanted
      await client.patch(Nodes, undefined, name, 'strategic', { metadata: { labels: metadata.labels } })
      // A strategic merge takes addresses by their type: of two InternalIPs it would make one, twice. Upstream's kubelet replaces them too.
      const replaced = [...(status?.addresses ?? []), { $patch: 'replace' }]
      const change = { status: { ...status, addresses: replaced } }
      await client.patch(Nodes, undefined, name, 'strategic', change, { subresource: 'status' })
    }
    void this.#renew(true)
    this.#timer = setInterval(() => void this.#renew(false), leaseMs)
    this.#timer.unref()
  }

  /** Follows the pods that are bound to the node; resolves when those that are there have their workers. */
  follow(): Promise<void> {
    const pods = this.#door.client.informer<Pod>(Pods, { fieldSelector: `spec.nodeName=${this.node.name}` })
    pods.onChange((old, pod) => {
      // A pod that was deleted and made again between two looks is two pods.
      if (old !== undefined && pod !== undefined && old.metadata.uid !== pod.metadata.uid) this.#onPod(old, undefined)
      this.#onPod(old, pod)
    })
    return pods.start()
  }

  #onPod(old: Pod | undefined, pod: Pod | undefined): void {
    const uid = (pod ?? old)?.metadata.uid ?? ''
    const worker = this.#workers.get(uid)
    if (pod === undefined) worker?.vanish()
    else if (worker !== undefined) worker.update(pod)
    else this.#workers.set(uid, new PodWorker(this.#door, this.node, pod, () => this.#workers.delete(uid)))
  }

  pods(): Pod[] {
    return [...this.#workers.values()].map((worker) => worker.pod)
  }

  findPod(namespace: string, name: string): PodWorker | undefined {
    for (const worker of this.#workers.values()) {
      const { metadata } = worker.pod
      if (metadata.name === name && metadata.namespace === namespace) return worker
    }
    return undefined
  }

  /** A Lease that cannot be written now is written ten seconds later. */
  async #renew(first: boolean): Promise<void> {
    const { name } = this.node
    const { client } = this.#door
    const lease = nodeLease(name, new Date().toISOString().replace('Z', '000Z'))
    try {
      if (first) await client.create(Leases, lease)
      else await client.patch(Leases, 'kube-node-lease', name, 'merge', { spec: lease.spec })
    } catch (error) {
      const missing = error instanceof ApiError && error.code === 404
      if (missing && !first) await client.create(Leases, lease).catch(() => undefined)
    }
  }
}

async function attach(
  socket: string,
  containerId: string,
  namespace: Namespace,
  pod: Pod,
): Promise<readonly Address[]> {
  const { namespace: space = '', name, uid = '' } = pod.metadata
  const answer = await callCni(socket, {
    command: 'ADD',
    containerId,
    netns: namespace.path,
    ifname: 'eth0',
    pod: { namespace: space, name, uid },
  })
  return (answer.ips ?? []).map(({ address }) => parseAddress(address.split('/')[0]!))
}
