import type { Condition, KubeObject, LabelSelector } from './types.ts'

/** `IPAddressPool` of `plumb.network/v1alpha1`; fields as MetalLB's users know them, and `usage`. */
export interface IPAddressPool extends KubeObject {
  spec: {
    addresses: string[]
    autoAssign?: boolean
    avoidBuggyIPs?: boolean
    usage?: ('LoadBalancer' | 'Egress')[]
    serviceAllocation?: {
      priority?: number
      namespaces?: string[]
      namespaceSelectors?: LabelSelector[]
      serviceSelectors?: LabelSelector[]
    }
  }
  status?: IPAddressPoolStatus
}

/** What a pool tells about itself. Counts beyond 2^53 are told as 2^53 − 1. */
export interface IPAddressPoolStatus {
  assignedIPv4?: number
  assignedIPv6?: number
  availableIPv4?: number
  availableIPv6?: number
  conditions?: Condition[]
}
