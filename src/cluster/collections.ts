import type {
  AdminNetworkPolicy,
  ClusterNetworkPolicy,
  Egress,
  EndpointSlice,
  IPAddressPool,
  L2Advertisement,
  Namespace,
  NetworkPolicy,
  Node,
  Pod,
  Service,
  ServiceBGPStatus,
  ServiceL2Status,
} from '../objects/index.ts'

/** The objects that a Snapshot holds, by collection. */
export interface Collections {
  readonly services: Service
  readonly slices: EndpointSlice
  readonly nodes: Node
  readonly pods: Pod
  readonly namespaces: Namespace
  readonly policies: NetworkPolicy
  readonly clusterPolicies: ClusterNetworkPolicy
  readonly adminPolicies: AdminNetworkPolicy
  readonly baselinePolicies: AdminNetworkPolicy
  readonly egresses: Egress
  readonly addressPools: IPAddressPool
  readonly l2Advertisements: L2Advertisement
  readonly l2Statuses: ServiceL2Status
  readonly bgpStatuses: ServiceBGPStatus
}

export type Collection = keyof Collections
