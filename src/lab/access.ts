import { agentRules, clusterRole, controllerRules, type Rule, read, roleBinding, rule } from '../install/index.ts'
import type { KubeObject } from '../objects/index.ts'

/** The group of all agents of the lab; each is a user of its own, `plumb:agent:NODE`. */
export const agentsGroup = 'plumb:agents'
export const controllersUser = 'plumb:controllers'
/** The supervisor: routes to pods, and the cluster's DNS. */
export const supervisorUser = 'plumb:lab'

const supervisorRules: readonly Rule[] = [
  rule(read, [''], 'namespaces', 'nodes', 'pods', 'services'),
  rule(read, ['discovery.k8s.io'], 'endpointslices'),
]

/** Upstream's controllers that run in the process of Plumb's. */
const upstreamRoles = [
  'system:kube-scheduler',
  'system:kube-controller-manager',
  ...[
    ...['cronjob', 'daemon-set', 'deployment', 'disruption', 'endpoint', 'endpointslice', 'endpointslicemirroring'],
    ...['job', 'namespace', 'node', 'replicaset', 'service-account', 'service', 'statefulset'],
  ].map((name) => `system:controller:${name}-controller`),
  ...[
    'generic-garbage-collector',
    'persistent-volume-binder',
    'pod-garbage-collector',
    'root-ca-cert-publisher',
    'ttl-after-finished-controller',
  ].map((name) => `system:controller:${name}`),
]

/** The roles of the lab's own processes, and who has them. Nobody but the operator is in `system:masters`. */
export function accessObjects(): KubeObject[] {
  return [
    clusterRole('plumb-agent', agentRules),
    clusterRole('plumb-controllers', controllerRules),
    clusterRole('plumb-lab', supervisorRules),
    roleBinding('plumb-agent', 'plumb-agent', { kind: 'Group', name: agentsGroup }),
    roleBinding('plumb-lab', 'plumb-lab', { kind: 'User', name: supervisorUser }),
    ...['plumb-controllers', ...upstreamRoles].map((role) =>
      roleBinding(role === 'plumb-controllers' ? role : `plumb-controllers:${role}`, role, {
        kind: 'User',
        name: controllersUser,
      }),
    ),
  ]
}
