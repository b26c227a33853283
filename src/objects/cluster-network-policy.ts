import type { Condition, KubeObject, LabelSelector } from './types.ts'

/** Pods by their labels in namespaces by theirs. */
export interface NamespacedPodSelector {
  namespaceSelector?: LabelSelector
  podSelector?: LabelSelector
}

/** A peer of a cluster-wide policy: exactly one field counts. */
export interface ClusterPolicyPeer {
  namespaces?: LabelSelector
  pods?: NamespacedPodSelector
  nodes?: LabelSelector
  networks?: string[]
  domainNames?: string[]
}

interface DestinationPort {
  destinationPort?: { number?: number; range?: { start: number; end: number } }
}

/** What a rule says of protocols: exactly one field counts. */
export interface ClusterPolicyProtocol {
  tcp?: DestinationPort
  udp?: DestinationPort
  sctp?: DestinationPort
  destinationNamedPort?: string
}

export interface ClusterPolicyRule {
  name?: string
  action: string
  from?: ClusterPolicyPeer[]
  to?: ClusterPolicyPeer[]
  protocols?: ClusterPolicyProtocol[]
}

/** ClusterNetworkPolicy (policy.networking.k8s.io/v1alpha2, cluster-scoped). */
export interface ClusterNetworkPolicy extends KubeObject {
  spec: {
    tier: string
    priority: number
    subject: Pick<ClusterPolicyPeer, 'namespaces' | 'pods'>
    ingress?: ClusterPolicyRule[]
    egress?: ClusterPolicyRule[]
  }
  status?: { conditions?: Condition[] }
}

/** A port of v1alpha1: exactly one field counts. */
export interface AdminPolicyPort {
  portNumber?: { protocol: string; port: number }
  portRange?: { protocol?: string; start: number; end: number }
  namedPort?: string
}

export interface AdminPolicyRule extends Omit<ClusterPolicyRule, 'protocols'> {
  ports?: AdminPolicyPort[]
}

/** AdminNetworkPolicy and BaselineAdminNetworkPolicy (policy.networking.k8s.io/v1alpha1, cluster-scoped); the second has no priority. */
export interface AdminNetworkPolicy extends KubeObject {
  spec: {
    priority?: number
    subject: Pick<ClusterPolicyPeer, 'namespaces' | 'pods'>
    ingress?: AdminPolicyRule[]
    egress?: AdminPolicyRule[]
  }
  status?: { conditions?: Condition[] }
}
