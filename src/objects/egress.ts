import type { Condition, KubeObject, LabelSelector } from './types.ts'

/** The addresses under which selected pods leave the cluster (plumb.network/v1alpha1, cluster-scoped). */
export interface Egress extends KubeObject {
  spec: {
    appliedTo?: { podSelector?: LabelSelector; namespaceSelector?: LabelSelector }
    nodeSelector?: LabelSelector
    egressIP?: string
    egressIPs?: string[]
    externalIPPool?: string
    externalIPPools?: string[]
    destinationCIDRs?: string[]
    excludedCIDRs?: string[]
    /** Bits per second, and bits, as quantities. */
    bandwidth?: { rate: string; burst?: string }
    onUnavailable?: 'Drop' | 'Node'
    ports?: { perNode?: number; perPod?: number }
  }
  status?: {
    egressIP?: string
    egressIPs?: string[]
    egressNode?: string
    addresses?: { address: string; node?: string; since?: string }[]
    conditions?: Condition[]
  }
}
