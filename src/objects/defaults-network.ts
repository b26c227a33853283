import type { EndpointSlice, Endpoints, KubeObject } from './types.ts'

/** Upstream's defaults of an EndpointSlice: unnamed TCP ports. */
export function defaultEndpointSlice(slice: EndpointSlice): void {
  slice.endpoints ??= []
  for (const port of slice.ports ?? []) {
    port.name ??= ''
    port.protocol ??= 'TCP'
  }
}

/** Upstream's defaults of Endpoints. */
export function defaultEndpoints(endpoints: Endpoints): void {
  for (const subset of endpoints.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= 'TCP'
}

/** A NetworkPolicy as its defaults and validation read it. */
export interface NetworkPolicy extends KubeObject {
  spec?: {
    podSelector?: object
    policyTypes?: string[]
    ingress?: { from?: Peer[]; ports?: PolicyPort[] }[]
    egress?: { to?: Peer[]; ports?: PolicyPort[] }[]
  }
}

/** One peer of a rule. */
export interface Peer {
  podSelector?: object
  namespaceSelector?: object
  ipBlock?: { cidr: string; except?: string[] }
}

/** One port of a rule. */
export interface PolicyPort {
  protocol?: string
  port?: number | string
  endPort?: number
}

/** Upstream's `SetDefaults_NetworkPolicy`: always Ingress, and Egress when there are egress rules. */
export function defaultNetworkPolicy({ spec }: NetworkPolicy): void {
  if (spec === undefined) return
  spec.podSelector ??= {}
  for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
    for (const port of rule.ports ?? []) port.protocol ??= 'TCP'
  if (spec.policyTypes === undefined || spec.policyTypes.length === 0)
    spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress']
}
