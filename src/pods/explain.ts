import { type Address, contains, familyOf, hostPrefix, type Prefix } from '../addr/index.ts'
import { type Because, underlayAnnotation } from '../cluster/index.ts'
import { gateways, nodeLinkName } from './attachment.ts'
import type { NodeRoute, PodNetwork } from './model.ts'
import { tunnelLink } from './overlay.ts'

/** Where a packet that stands on `network.node` goes next, by the model. */
export interface PathQuestion {
  readonly destination: Address
  /** The attachment behind the destination when it is a pod of this node. */
  readonly local?: {
    readonly containerId?: string
    readonly interfaceName?: string
    readonly pod: string
    readonly namespace: string
  }
}

export type PathStep =
  /** The destination is the node itself. */
  | { readonly kind: 'own'; readonly says: string; readonly because: Because }
  /** Delivered to a pod of this node over its link. */
  | {
      readonly kind: 'deliver'
      readonly route: Prefix
      readonly link: string | undefined
      readonly says: string
      readonly because: Because
    }
  /** In this node's pod prefix, but no pod has it. */
  | { readonly kind: 'nobody'; readonly says: string; readonly because: Because }
  /** Handed to the node that owns the prefix. */
  | {
      readonly kind: 'forward'
      readonly node: string
      readonly route: Prefix
      readonly gateway: Address
      /** The way to a node of another segment. */
      readonly tunnel?: Tunnel
      readonly says: string
      readonly because: Because
    }
  /** Not in the cluster: by the node's default route, under the node's address. */
  | { readonly kind: 'leave'; readonly masqueraded: boolean; readonly says: string; readonly because: Because }

/** The tunnel that a packet goes through, from this node to another. */
export interface Tunnel {
  readonly link: string
  /** The far end's address on the network below. */
  readonly end: Address
  /** What fits into it, in bytes. */
  readonly mtu: number
  readonly says: string
  readonly because: Because
}

/** The next step of a packet on this node towards `destination`. */
export function explainPath(network: PodNetwork, { destination, local }: PathQuestion): PathStep {
  const self = `node/${network.node}`
  const family = familyOf(destination)
  if (network.addresses[family] === destination) {
    return {
      kind: 'own',
      says: `${destination} is ${network.node} itself`,
      because: { object: self, field: 'status.addresses', value: destination },
    }
  }
  const own = network.prefixes.find((prefix) => contains(prefix, destination))
  if (own !== undefined) return explainLocal(self, own, destination, local)
  const route = network.routes.find(({ destination: prefix }) => contains(prefix, destination))
  if (route !== undefined) {
    const tunnel = tunnelTo(network, route.node, route.kind)
    return {
      kind: 'forward',
      node: route.node,
      route: route.destination,
      gateway: route.gateway,
      ...(tunnel === undefined ? {} : { tunnel }),
      says: `${route.destination} via ${route.gateway}, the pods of ${route.node}`,
      because: route.because,
    }
  }
  const masqueraded = !network.unmasqueraded.some((prefix) => contains(prefix, destination))
  const far = network.overlay?.ends.find(({ hosts }) => hosts.includes(destination))
  const connected =
    far === undefined ? 'by the connected route' : `on another segment: a pod goes there by ${tunnelLink}`
  return {
    kind: 'leave',
    masqueraded,
    says: masqueraded
      ? `${destination} is outside the cluster: by the default route, under ${network.addresses[family] ?? 'the node’s address'}`
      : `${destination} is a node, ${connected}, under the pod’s own address`,
    because: { object: self, field: 'status.addresses', value: network.addresses[family] ?? '' },
  }
}

function tunnelTo({ node: own, overlay }: PodNetwork, node: string, kind: NodeRoute['kind']): Tunnel | undefined {
  const end = kind === 'vxlan' ? overlay?.ends.find((one) => one.node === node) : undefined
  if (overlay === undefined || end === undefined) return undefined
  const { id, port, local, mtu } = overlay
  return {
    link: tunnelLink,
    end: end.address,
    mtu,
    says: `${node} is on another segment: VXLAN ${id} from ${local} to ${end.address}, UDP port ${port}; up to ${mtu} bytes fit into a packet`,
    because: {
      object: `node/${own}`,
      field: `metadata.annotations["${underlayAnnotation}"]`,
      value: String(end.address),
    },
  }
}

function explainLocal(self: string, own: Prefix, destination: Address, local: PathQuestion['local']): PathStep {
  if (local === undefined) {
    return {
      kind: 'nobody',
      says: `no pod has ${destination}, which belongs to this node`,
      because: { object: self, field: 'spec.podCIDRs', value: own },
    }
  }
  const link =
    local.containerId === undefined ? undefined : nodeLinkName(local.containerId, local.interfaceName ?? 'eth0')
  return {
    kind: 'deliver',
    route: hostPrefix(destination),
    link,
    says: `${hostPrefix(destination)} on ${link ?? 'the pod’s link'}; the pod answers through ${gateways[familyOf(destination)]}`,
    because: { object: `pod/${local.namespace}/${local.pod}`, field: 'status.podIPs', value: destination },
  }
}
