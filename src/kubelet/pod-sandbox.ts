import type { ContainerProcess } from '../containers/index.ts'
import type { Pod } from '../objects/index.ts'
import { CniRefusal } from './cni-call.ts'
import type { KubeletDoor, NodeDoor } from './kubelet-door.ts'
import { type PodNetwork, startSandbox } from './pod-containers.ts'

// Refusals that pass by themselves are told only when they last.
const quietMs = 200
const maximumRetryMs = 5000

/** The network of one pod, from CNI ADD to CNI DEL, and the process that holds a view of the machine where no container has one. */
export class PodSandbox {
  readonly #door: KubeletDoor
  readonly #node: NodeDoor
  readonly #title: string
  readonly #containerId: string
  readonly #warn: (reason: string, message: string) => void
  #network: PodNetwork | undefined
  #holder: ContainerProcess | undefined

  constructor(door: KubeletDoor, node: NodeDoor, { metadata }: Pod, warn: (reason: string, message: string) => void) {
    this.#door = door
    this.#node = node
    this.#title = `${metadata.namespace}/${metadata.name}`
    // The identity that the CNI plugin sees; a uid is unique in the lab.
    this.#containerId = (metadata.uid ?? '').replaceAll('-', '')
    this.#warn = warn
  }

  get network(): PodNetwork | undefined {
    return this.#network
  }

  /** Makes the pod's namespace and has the CNI plugin wire it; tries again until it works or there is no `wanted` pod any more. */
  async attach(wanted: () => Pod | undefined): Promise<PodNetwork | undefined> {
    const hostAddresses = this.#node.addresses
    if (wanted()?.spec.hostNetwork) {
      this.#network = { namespace: this.#node.namespace, addresses: hostAddresses, hostAddresses }
      return this.#network
    }
    const namespace = this.#door.host.createNamespace()
    let pod = wanted()
    for (let delayMs = 20; pod !== undefined; delayMs = Math.min(delayMs * 2, maximumRetryMs)) {
      try {
        const addresses = await this.#node.attach(this.#containerId, namespace, pod)
        this.#network = { namespace, addresses, hostAddresses }
        return this.#network
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        const again = error instanceof CniRefusal && error.again
        if (!again || delayMs > quietMs) {
          const text = `Failed to create pod sandbox: plugin type="plumb" failed (add): ${message}`
          this.#warn('FailedCreatePodSandBox', text)
        }
        await new Promise((resolve) => setTimeout(resolve, delayMs))
      }
      pod = wanted()
    }
    namespace.close()
    return undefined
  }

  /** The process that holds the pod's view of the machine, started when it is first asked for. */
  hold(pod: Pod, network: PodNetwork): ContainerProcess {
    this.#holder ??= startSandbox(this.#door, pod, network)
    return this.#holder
  }

  /** Gives the network back; the containers must have ended. */
  async release(): Promise<void> {
    const network = this.#network
    this.#holder?.stop(0)
    await this.#holder?.exited
    this.#holder = undefined
    this.#network = undefined
    if (network === undefined || network.namespace === this.#node.namespace) return
    await this.#node.detach(this.#containerId).catch((error: Error) => {
      this.#door.trouble(`pod ${this.#title}: CNI DEL: ${error.message}`)
    })
    network.namespace.close()
  }
}
