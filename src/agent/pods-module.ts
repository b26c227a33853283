import type { Address } from '../addr/index.ts'
import type { Changes, Finding, ObjectKey, Snapshot } from '../cluster/index.ts'
import type { Host, Namespace, Network } from '../host/index.ts'
import type { NodeRoute, PodNetwork } from '../pods/index.ts'
import { answerLoopback } from './cni-loopback.ts'
import { answerCni, type CniRequest } from './cni-server.ts'
import type { NodeModule, SocketRoute } from './contract.ts'
import { applyNodeRoutes, applyNodeSysctls } from './pods-routing.ts'
import { PodWiring } from './pods-wiring.ts'
import { applyTunnel } from './tunnel.ts'

/** How long an ADD waits for the node's podCIDR before the runtime is told to come back, in milliseconds. */
const patienceMs = 5000

/** Pod networking as a part of the agent: sysctls, routes and the tunnel to other nodes' pods, and the answers to CNI calls. */
export class PodsModule implements NodeModule {
  readonly name = 'pods'
  readonly #host: Host
  readonly #network: Network
  readonly #wiring: PodWiring
  #begun = false
  #refused: readonly NodeRoute[] = []
  #waiting: (() => void)[] = []

  /** `node` is the namespace that forwards for the pods; `mtu` of pod links in bytes, until the Node tells that of its own links. */
  constructor(host: Host, node: Namespace, mtu = 1500) {
    this.#host = host
    this.#network = node.network
    this.#wiring = new PodWiring(host, node, mtu)
  }

  get findings(): readonly Finding[] {
    return this.#refused.map(({ node, gateway, destination, because }) => ({
      code: 'NodeBeyondReach',
      object: because.object,
      field: 'status.addresses',
      says: `${gateway} is on no segment of this node, so that ${destination}, the pods of ${node}, cannot be reached`,
      try: 'see that the agent of this node may write annotations to its own Node: with plumb.network/underlay there it makes a tunnel',
    }))
  }

  update(_snapshot: Snapshot, pods: PodNetwork, changes: Changes): void {
    if (this.#begun && changes.nodes.size === 0) return
    if (!this.#begun) applyNodeSysctls(this.#network)
    applyTunnel(this.#network, pods)
    this.#refused = applyNodeRoutes(this.#network, pods).refused
    this.#wiring.setNode(pods)
    this.#begun = true
    if (this.#wiring.ready) for (const resume of this.#waiting.splice(0)) resume()
  }

  /** Answers `POST /cni`. `safe` resolves when the kernel holds the pod's policies: no pod starts before them. */
  answer(safe: (pod: ObjectKey, addresses: readonly Address[]) => Promise<void>): SocketRoute {
    return (body) => {
      const request = body as CniRequest
      if (request.plugin === 'loopback') return answerLoopback(this.#host, request)
      return answerCni(this.#wiring, request, { ready: () => this.#untilReady(), beforeReturn: safe })
    }
  }

  async #untilReady(): Promise<boolean> {
    if (this.#wiring.ready) return true
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patienceMs)
      this.#waiting.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
    return this.#wiring.ready
  }
}
