import type { KubeObject, LabelSelector } from '../objects/index.ts'

/** `L2Advertisement` of `plumb.network/v1alpha1`; fields as MetalLB's users know them. */
export interface L2Advertisement extends KubeObject {
  spec?: {
    ipAddressPools?: string[]
    ipAddressPoolSelectors?: LabelSelector[]
    serviceSelectors?: LabelSelector[]
    nodeSelectors?: LabelSelector[]
    preferredNodeSelectors?: { weight: number; preference: LabelSelector }[]
    interfaces?: string[]
  }
}
