import type { KubeObject } from '../objects/index.ts'

const group = 'rbac.authorization.k8s.io'
const apiVersion = `${group}/v1`

/** A rule of a Role or ClusterRole. */
export interface Rule {
  readonly verbs: readonly string[]
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
}

/** What one may do who reads alone. */
export const read = ['get', 'list', 'watch']

export function rule(verbs: readonly string[], groups: readonly string[], ...resources: string[]): Rule {
  return { verbs, apiGroups: groups, resources }
}

const events = rule(['create', 'patch', 'update'], ['', 'events.k8s.io'], 'events')
const leases = rule(['create', 'patch', 'update', ...read], ['coordination.k8s.io'], 'leases')

/** What the agents of all nodes do. */
export const agentRules: readonly Rule[] = [
  rule(read, [''], 'configmaps', 'endpoints', 'namespaces', 'nodes', 'pods', 'secrets', 'services'),
  rule(read, ['discovery.k8s.io'], 'endpointslices'),
  rule(read, ['networking.k8s.io'], 'ingressclasses', 'ingresses', 'networkpolicies', 'servicecidrs'),
  rule(read, ['gateway.networking.k8s.io', 'plumb.network', 'policy.networking.k8s.io'], '*'),
  // The segments that the node is on, in an annotation of its Node.
  rule(['patch'], [''], 'nodes'),
  rule(['patch', 'update'], ['plumb.network'], '*/status'),
  rule(
    ['create', 'delete', 'patch', 'update'],
    ['plumb.network'],
    ...['servicebgpstatuses', 'servicel2statuses', 'servicetraffics'],
  ),
  leases,
  events,
]

/** What Plumb's own controllers do, upstream's left aside. */
export const controllerRules: readonly Rule[] = [
  rule(read, [''], 'configmaps', 'namespaces', 'nodes', 'pods', 'secrets', 'services'),
  rule(read, ['discovery.k8s.io'], 'endpointslices'),
  rule(read, ['networking.k8s.io'], 'ingressclasses', 'ingresses', 'servicecidrs'),
  rule(read, ['gateway.networking.k8s.io', 'plumb.network'], '*'),
  rule(['create', 'delete', 'patch', 'update'], [''], 'services'),
  // The index by which a node has its share of egress ports, in an annotation.
  rule(['patch'], [''], 'nodes'),
  // The key of the speakers, and the classes of Gateways and Ingresses.
  rule(['create'], [''], 'secrets'),
  rule(['create'], ['gateway.networking.k8s.io'], 'gatewayclasses'),
  rule(['create'], ['networking.k8s.io'], 'ingressclasses'),
  rule(['patch', 'update'], ['', 'gateway.networking.k8s.io', 'networking.k8s.io', 'plumb.network'], '*/status'),
  rule(['patch', 'update'], ['plumb.network'], '*'),
  // What nodes that are gone have told, and what has ended long ago.
  rule(['delete'], ['plumb.network'], 'addressmoves', 'servicebgpstatuses', 'servicel2statuses'),
  leases,
  events,
]

/** The rights of `wanted` that `granted` leaves out, as `list egresses.plumb.network`; resources and verbs as RBAC matches them. */
export function missingRights(granted: readonly Rule[], wanted: readonly Rule[]): readonly string[] {
  const has = (verb: string, group: string, resource: string): boolean =>
    granted.some(
      (one) =>
        matches(one.verbs, verb) &&
        matches(one.apiGroups, group) &&
        (matches(one.resources, resource) || one.resources.includes(`*/${resource.split('/')[1]}`)),
    )
  return wanted.flatMap(({ verbs, apiGroups, resources }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => {
        const missing = verbs.filter((verb) => !has(verb, group, resource))
        return missing.length === 0 ? [] : [`${missing.join(', ')} ${resource}${group === '' ? '' : `.${group}`}`]
      }),
    ),
  )
}

function matches(granted: readonly string[], wanted: string): boolean {
  return granted.includes('*') || granted.includes(wanted)
}

export function clusterRole(name: string, rules: readonly Rule[]): KubeObject {
  return { apiVersion, kind: 'ClusterRole', metadata: { name }, rules } as KubeObject
}

/** Who a ClusterRole is bound to. */
export type Subject =
  | { readonly kind: 'User' | 'Group'; readonly name: string }
  | { readonly kind: 'ServiceAccount'; readonly name: string; readonly namespace: string }

export function roleBinding(name: string, role: string, subject: Subject): KubeObject {
  return {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: role },
    subjects: [subject.kind === 'ServiceAccount' ? subject : { apiGroup: group, ...subject }],
  } as KubeObject
}
