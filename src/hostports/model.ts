import type { Address, Family } from '../addr/index.ts'
import type { Because, Finding, ObjectKey } from '../cluster/index.ts'

/** One `hostPort` of a pod of this node, in one family. */
export interface HostPort {
  readonly pod: ObjectKey
  readonly family: Family
  /** The address of the node at which it answers; every one of them unless told. */
  readonly address: Address | undefined
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  readonly port: number
  readonly target: Address
  readonly targetPort: number
  readonly because: Because
}

/** The host ports of one pod. */
export interface PodHostPorts {
  readonly pod: ObjectKey
  /** Which of two pods came first. */
  readonly created: string
  readonly ports: readonly HostPort[]
  readonly findings: readonly Finding[]
}
