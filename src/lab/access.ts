import type { KubeObject } from '../objects/index.ts'

const group = 'rbac.authorization.k8s.io'
const apiVersion = `${group}/v1`

interface Rule {
  readonly verbs: readonly string[]
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
}

const read = ['get', 'list', 'watch']
const rule = (verbs: readonly string[], groups: readonly string[], ...resources: string[]): Rule => ({
  verbs,
  apiGroups: groups,
  resources,
})
const events = rule(['create', 'patch', 'update'], ['', 'events.k8s.io'], 'events')

/** The group of all agents of the lab; each is a user of its own, `plumb:agent:NODE`. */
export const agentsGroup = 'plumb:agents'
export const controllersUser = 'plumb:controllers'
/** The supervisor: routes to pods, and the cluster's DNS. */
export const supervisorUser = 'plumb:lab'

const agentRules: readonly Rule[] = [
  rule(read, [''], 'configmaps', 'endpoints', 'namespaces', 'nodes', 'pods', 'secrets', 'services'),
  rule(read, ['discovery.k8s.io'], 'endpointslices'),
  rule(read, ['networking.k8s.io'], 'ingressclasses', 'ingresses', 'networkpolicies', 'servicecidrs'),
  rule(read, ['gateway.networking.k8s.io', 'plumb.network', 'policy.networking.k8s.io'], '*'),
  // The segments that the node is on, in an annotation of its Node.
  rule(['patch'], [''], 'nodes'),
  rule(['patch', 'update'], ['plumb.network'], '*/status'),
  rule(['create', 'delete', 'patch', 'update'], ['plumb.network'], 'servicetraffics'),
  rule(['create', 'patch', 'update', ...read], ['coordination.k8s.io'], 'leases'),
  events,
]

/** What Plumb's own controllers do beyond upstream's. */
const controllerRules: readonly Rule[] = [
  rule(['create', 'patch', 'update'], [''], 'services'),
  rule(['create', 'patch', 'update', ...read], ['coordination.k8s.io'], 'leases'),
  rule(['patch', 'update'], ['', 'gateway.networking.k8s.io', 'networking.k8s.io', 'plumb.network'], '*/status'),
  rule(['patch', 'update', ...read], ['plumb.network'], '*'),
  events,
]

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
    binding('plumb-agent', 'plumb-agent', 'Group', agentsGroup),
    binding('plumb-lab', 'plumb-lab', 'User', supervisorUser),
    ...['plumb-controllers', ...upstreamRoles].map((role) =>
      binding(role === 'plumb-controllers' ? role : `plumb-controllers:${role}`, role, 'User', controllersUser),
    ),
  ]
}

function clusterRole(name: string, rules: readonly Rule[]): KubeObject {
  return { apiVersion, kind: 'ClusterRole', metadata: { name }, rules } as KubeObject
}

function binding(name: string, role: string, kind: 'User' | 'Group', subject: string): KubeObject {
  return {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: group, kind, name: subject }],
  } as KubeObject
}
