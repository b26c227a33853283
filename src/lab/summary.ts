import type { AuditOptions } from '../apiserver/index.ts'
import type { LocalImage } from '../kubelet/index.ts'
import type { LabNetwork } from './config.ts'
import type { Unsettled } from './settle.ts'

/** What `up` is asked for. */
export interface UpOptions {
  readonly name: string
  readonly nodes: number
  /** On how many segments behind the router the nodes are; on one unless told. */
  readonly segments?: number
  /** Between two heartbeats of the nodes' speakers, in milliseconds; the agents' own unless told. */
  readonly heartbeatMs?: number
  /** Manifests, or folders of them. */
  readonly files: readonly string[]
  /** What the API server writes down of requests, and where; nothing unless told. Only for a lab that does not run yet. */
  readonly audit?: AuditOptions
  /** A backup of an API server (`plumb apiserver backup`) that the lab starts from; only for a lab that does not run yet. */
  readonly restore?: string
  /** How long to wait until all pods are Ready. */
  readonly timeoutMs: number
  readonly network?: LabNetwork
  /** Programs of this machine that run where a container names such an image and no command. */
  readonly images?: readonly LocalImage[]
  /** The command that starts one of the program's roles; this program when left out. */
  readonly entry?: readonly string[]
}

/** A lab after `up`. */
export interface LabSummary {
  readonly name: string
  readonly kubeconfig: string
  /** False when the lab ran already. */
  readonly started: boolean
  readonly ms: number
  readonly nodes: number
  readonly pods: { readonly ready: number; readonly total: number }
  readonly services: readonly {
    readonly namespace: string
    readonly name: string
    readonly type: string
    readonly addresses: readonly string[]
    readonly ports: string
  }[]
  readonly applied: { readonly created: number; readonly configured: number; readonly unchanged: number }
  /** What is not Ready although the time is over. */
  readonly unsettled: readonly Unsettled[]
  readonly warnings: readonly string[]
}
