import type { KubeObject, LabelSelector } from './types.ts'

/** Which addresses an advertisement is for; L2Advertisement and BGPAdvertisement say it in the same words. */
export interface AddressSelection extends KubeObject {
  spec?: {
    ipAddressPools?: string[]
    ipAddressPoolSelectors?: LabelSelector[]
    serviceSelectors?: LabelSelector[]
  }
}

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
