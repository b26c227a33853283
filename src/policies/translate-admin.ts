import type { AdminNetworkPolicy, AdminPolicyPort, ClusterPolicyProtocol, ClusterPolicyRule } from '../objects/index.ts'
import type { ClusterPolicySource } from './compile-cluster.ts'

/**
 * An AdminNetworkPolicy or BaselineAdminNetworkPolicy (v1alpha1) as the ClusterNetworkPolicy that means the same: Allow is Accept, and the
 * one baseline policy that there may be comes first of its tier. Fields have the same paths but for `ports`, which become `protocols`.
 */
export function translateAdmin(
  { metadata, spec }: AdminNetworkPolicy,
  tier: 'Admin' | 'Baseline',
): ClusterPolicySource {
  const rules = (list: AdminNetworkPolicy['spec']['ingress']): ClusterPolicyRule[] =>
    (list ?? []).map(({ ports, ...rule }) => ({
      ...rule,
      action: rule.action === 'Allow' ? 'Accept' : rule.action === 'Accept' ? 'Allow' : rule.action,
      ...(ports === undefined ? {} : { protocols: ports.map(translatePort) }),
    }))
  const { subject, ingress, egress, priority = 0 } = spec
  return { metadata, spec: { tier, priority, subject, ingress: rules(ingress), egress: rules(egress) } }
}

/** An item without a known field, or with an unknown protocol, stays one that cannot be read. */
function translatePort({ portNumber, portRange, namedPort }: AdminPolicyPort): ClusterPolicyProtocol {
  if (namedPort !== undefined) return { destinationNamedPort: namedPort }
  const word = (portNumber?.protocol ?? portRange?.protocol ?? 'TCP').toLowerCase()
  if (word !== 'tcp' && word !== 'udp' && word !== 'sctp') return {}
  if (portNumber !== undefined) return { [word]: { destinationPort: { number: portNumber.port } } }
  if (portRange === undefined) return {}
  return { [word]: { destinationPort: { range: { start: portRange.start, end: portRange.end } } } }
}
