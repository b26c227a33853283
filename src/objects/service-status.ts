import type { Condition, KubeObject } from './types.ts'

/** `ServiceL2Status` of `plumb.network/v1alpha1`: a node answers ARP or NDP for an address of a Service; fields as MetalLB's users know them. */
export interface ServiceL2Status extends KubeObject {
  status?: {
    node: string
    serviceName: string
    serviceNamespace: string
    address: string
    interfaces: readonly { readonly name: string }[]
    /** RFC 3339 */
    since: string
    reason: string
  }
}

/** `ServiceBGPStatus` of `plumb.network/v1alpha1`: the BGPPeers to which a node announces a Service over established sessions. */
export interface ServiceBGPStatus extends KubeObject {
  status?: {
    node: string
    serviceName: string
    serviceNamespace: string
    peers: readonly string[]
    prefixes: readonly string[]
  }
}

/** `AddressMove` of `plumb.network/v1alpha1`: asks the holder of an external address to hand it over, once. Ends `Complete` or `Failed`. */
export interface AddressMove extends KubeObject {
  spec: { address: string; node: string }
  status?: { conditions?: Condition[] }
}
