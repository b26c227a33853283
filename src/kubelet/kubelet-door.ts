import type { Address } from '../addr/index.ts'
import type { Client, Informer } from '../client/index.ts'
import type { RunningContainer } from '../containers/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import type { Container, Pod, Service } from '../objects/index.ts'
import type { NodeResolver } from './resolv-conf.ts'

/** A program of the lab itself that stands in for an image, such as the cluster's DNS. */
export type Builtin = (pod: Pod, container: Container, namespace: Namespace) => Promise<RunningContainer>

/** A program of this machine that is the entry point of an image; `*` in the pattern stands for anything. */
export interface LocalImage {
  readonly pattern: string
  /** Absolute. */
  readonly program: string
}

/** What a kubelet works with; all but `client` is shared by the kubelets of the lab. */
export interface KubeletDoor {
  readonly host: Host
  /** The node's own: it may do what the kubelet of that node may. */
  readonly client: Client
  readonly services: Informer<Service>
  readonly resolver: NodeResolver
  /** A directory that only the lab's mount namespace sees; each pod has one of its own below it. */
  readonly podsDirectory: string
  /** CA certificate of the API server, PEM text. */
  readonly clusterCa: string
  readonly builtins: ReadonlyMap<string, Builtin>
  readonly images: readonly LocalImage[]
  readonly trouble: (message: string) => void
}

/** One node, as its kubelet sees it. */
export interface NodeDoor {
  readonly name: string
  readonly index: number
  readonly namespace: Namespace
  readonly addresses: readonly Address[]
  /** Calls the node's CNI plugin; resolves to the pod's addresses for ADD. Throws with the plugin's message. */
  readonly attach: (containerId: string, namespace: Namespace, pod: Pod) => Promise<readonly Address[]>
  readonly detach: (containerId: string) => Promise<void>
}
