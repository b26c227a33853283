import type { KubeObject, LabelSelector } from '../objects/index.ts'

/** `BGPPeer` of `plumb.network/v1alpha1`; fields as MetalLB's users know them. */
export interface BGPPeer extends KubeObject {
  spec: {
    myASN: number
    peerASN?: number
    dynamicASN?: 'internal' | 'external'
    peerAddress?: string
    /** Unnumbered: neighbours on this link, by their link-local addresses. */
    interface?: string
    peerPort?: number
    sourceAddress?: string
    /** Durations as Go writes them: `90s`. */
    holdTime?: string
    keepaliveTime?: string
    connectTime?: string
    routerID?: string
    nodeSelectors?: LabelSelector[]
    password?: string
    passwordSecret?: { name: string; namespace?: string }
    bfdProfile?: string
    enableGracefulRestart?: boolean
    ebgpMultiHop?: boolean
    dualStackAddressFamily?: boolean
  }
  status?: { sessions?: BGPSession[] }
}

/** A session as one node tells it. */
export interface BGPSession {
  readonly node: string
  /** RFC 4271: `Idle`, `Connect`, `Active`, `OpenSent`, `OpenConfirm`, `Established`; `Down` when BIRD does not run. */
  readonly state: string
  readonly neighbor?: string
  /** Prefixes that the peer has been told. */
  readonly advertised: number
  readonly lastError?: string
  readonly lastTransitionTime: string
}

/** `BGPAdvertisement` of `plumb.network/v1alpha1`. */
export interface BGPAdvertisement extends KubeObject {
  spec?: {
    aggregationLength?: number
    aggregationLengthV6?: number
    localPref?: number
    /** `64512:100`, `large:64512:1:2`, a name of RFC 1997, or the name of a Community. */
    communities?: string[]
    ipAddressPools?: string[]
    ipAddressPoolSelectors?: LabelSelector[]
    serviceSelectors?: LabelSelector[]
    nodeSelectors?: LabelSelector[]
    /** Names of BGPPeers; all when none are given. */
    peers?: string[]
  }
}

/** `BFDProfile` of `plumb.network/v1alpha1`; intervals in milliseconds. */
export interface BFDProfile extends KubeObject {
  spec?: {
    receiveInterval?: number
    transmitInterval?: number
    detectMultiplier?: number
    passiveMode?: boolean
  }
}

/** `Community` of `plumb.network/v1alpha1`: names for communities. */
export interface Community extends KubeObject {
  spec?: { communities?: { name: string; value: string }[] }
}
