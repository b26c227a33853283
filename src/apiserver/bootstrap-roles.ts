import type { PolicyRule } from './policy-rules.ts'

const read = ['get', 'list', 'watch']
const follow = ['list', 'watch']
const all = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch']
const apps = 'apps'
const batch = 'batch'
const coordination = 'coordination.k8s.io'
const discovery = 'discovery.k8s.io'

const rule = (verbs: readonly string[], group: string, ...resources: string[]): PolicyRule => ({
  verbs,
  apiGroups: [group],
  resources,
})
const events: PolicyRule = {
  verbs: ['create', 'patch', 'update'],
  apiGroups: ['', 'events.k8s.io'],
  resources: ['events'],
}
const reviews = [
  rule(['create'], 'authentication.k8s.io', 'tokenreviews'),
  rule(['create'], 'authorization.k8s.io', 'subjectaccessreviews'),
]

/** A ClusterRole of upstream's bootstrap policy, and who has it from the start. */
export interface BootstrapRole {
  readonly name: string
  readonly rules: readonly PolicyRule[]
  readonly user?: string
  /** Of the namespace kube-system. */
  readonly serviceAccount?: string
}

const components: readonly BootstrapRole[] = [
  {
    name: 'system:kube-scheduler',
    user: 'system:kube-scheduler',
    rules: [
      events,
      rule(['create'], coordination, 'leases'),
      { ...rule([...read, 'update'], coordination, 'leases'), resourceNames: ['kube-scheduler'] },
      rule(read, '', 'nodes', 'replicationcontrollers', 'services', 'namespaces'),
      rule(read, '', 'persistentvolumeclaims', 'persistentvolumes'),
      rule(['delete', ...read], '', 'pods'),
      rule(['create'], '', 'bindings', 'pods/binding'),
      rule(['patch', 'update'], '', 'pods/status'),
      rule(read, apps, 'replicasets', 'statefulsets'),
      rule(read, 'policy', 'poddisruptionbudgets'),
      ...reviews,
      rule(read, 'storage.k8s.io', 'csinodes', 'csidrivers', 'csistoragecapacities', 'storageclasses'),
    ],
  },
  {
    name: 'system:kube-controller-manager',
    user: 'system:kube-controller-manager',
    rules: [
      events,
      rule(['create'], coordination, 'leases'),
      { ...rule([...read, 'update'], coordination, 'leases'), resourceNames: ['kube-controller-manager'] },
      rule(['create'], '', 'secrets', 'serviceaccounts', 'serviceaccounts/token'),
      rule(['delete'], '', 'secrets'),
      rule(['get'], '', 'configmaps', 'namespaces', 'secrets', 'serviceaccounts'),
      rule(['update'], '', 'secrets', 'serviceaccounts'),
      ...reviews,
      rule(follow, '*', '*'),
    ],
  },
  {
    name: 'system:node-proxier',
    user: 'system:kube-proxy',
    rules: [
      rule(follow, '', 'services', 'endpoints'),
      rule(read, '', 'nodes'),
      events,
      rule(follow, discovery, 'endpointslices'),
      rule(follow, 'networking.k8s.io', 'servicecidrs'),
    ],
  },
]

/** The rules of upstream's controllers, by the name of their ServiceAccount. */
const controllers: Readonly<Record<string, readonly PolicyRule[]>> = {
  'cronjob-controller': [
    rule(['get', 'list', 'update', 'watch'], batch, 'cronjobs'),
    rule(all, batch, 'jobs'),
    rule(['update'], batch, 'cronjobs/status', 'cronjobs/finalizers'),
    rule(['delete', 'list'], '', 'pods'),
  ],
  'daemon-set-controller': [
    rule(read, apps, 'daemonsets'),
    rule(['update'], apps, 'daemonsets/status', 'daemonsets/finalizers'),
    rule(follow, '', 'nodes'),
    rule(['create', 'delete', 'list', 'patch', 'watch'], '', 'pods'),
    rule(['create'], '', 'pods/binding'),
    rule(all, apps, 'controllerrevisions'),
  ],
  'deployment-controller': [
    rule(['get', 'list', 'update', 'watch'], apps, 'deployments'),
    rule(['update'], apps, 'deployments/status', 'deployments/finalizers'),
    rule(all, apps, 'replicasets'),
    rule(['get', 'list', 'update', 'watch'], '', 'pods'),
  ],
  'disruption-controller': [
    rule(read, apps, 'deployments', 'replicasets', 'statefulsets'),
    rule(read, '', 'replicationcontrollers'),
    rule(read, 'policy', 'poddisruptionbudgets'),
    rule(read, '', 'pods'),
    rule(['update'], 'policy', 'poddisruptionbudgets/status'),
    rule(['patch', 'update'], '', 'pods/status'),
    rule(['get'], '*', '*/scale'),
  ],
  'endpoint-controller': [
    rule(read, '', 'pods', 'services'),
    rule(['create', 'delete', 'get', 'list', 'update'], '', 'endpoints'),
    rule(['create'], '', 'endpoints/restricted'),
  ],
  'endpointslice-controller': [
    rule(read, '', 'nodes', 'pods', 'services'),
    rule(['update'], '', 'services/finalizers'),
    rule(['create', 'delete', 'get', 'list', 'update'], discovery, 'endpointslices'),
    rule(['create'], discovery, 'endpointslices/restricted'),
  ],
  'endpointslicemirroring-controller': [
    rule(read, '', 'endpoints', 'services'),
    rule(['update'], '', 'endpoints/finalizers', 'services/finalizers'),
    rule(['create', 'delete', 'get', 'list', 'update'], discovery, 'endpointslices'),
    rule(['create'], discovery, 'endpointslices/restricted'),
  ],
  'generic-garbage-collector': [rule(['delete', 'get', 'list', 'patch', 'update', 'watch'], '*', '*')],
  'job-controller': [
    rule(['get', 'list', 'patch', 'update', 'watch'], batch, 'jobs'),
    rule(['update'], batch, 'jobs/status', 'jobs/finalizers'),
    rule(['create', 'delete', 'list', 'patch', 'watch'], '', 'pods'),
  ],
  'namespace-controller': [
    rule(['delete', ...read], '', 'namespaces'),
    rule(['update'], '', 'namespaces/finalize', 'namespaces/status'),
    rule(['delete', 'deletecollection', 'get', 'list'], '*', '*'),
  ],
  'node-controller': [
    rule(['delete', 'get', 'list', 'patch', 'update'], '', 'nodes'),
    rule(['patch', 'update'], '', 'nodes/status', 'pods/status'),
    rule(['delete', 'get', 'list'], '', 'pods'),
  ],
  'persistent-volume-binder': [
    rule(['create', 'delete', 'update', ...read], '', 'persistentvolumes'),
    rule(['patch', 'update'], '', 'persistentvolumes/status', 'persistentvolumeclaims/status'),
    rule(['update', ...read], '', 'persistentvolumeclaims'),
    rule(read, 'storage.k8s.io', 'storageclasses'),
  ],
  'pod-garbage-collector': [
    rule(['delete', ...follow], '', 'pods'),
    rule(['get', 'list'], '', 'nodes'),
    rule(['patch'], '', 'pods/status'),
  ],
  'replicaset-controller': [
    rule(['get', 'list', 'update', 'watch'], apps, 'replicasets'),
    rule(['update'], apps, 'replicasets/status', 'replicasets/finalizers'),
    rule(['create', 'delete', 'list', 'patch', 'watch'], '', 'pods'),
  ],
  'root-ca-cert-publisher': [rule(['create', 'update'], '', 'configmaps')],
  'service-account-controller': [rule(['create'], '', 'serviceaccounts')],
  'service-controller': [
    rule(['get', 'list', 'patch', 'update', 'watch'], '', 'services'),
    rule(['patch', 'update'], '', 'services/status'),
    rule(follow, '', 'nodes'),
  ],
  'statefulset-controller': [
    rule(follow, '', 'pods'),
    rule(read, apps, 'statefulsets'),
    rule(['update'], apps, 'statefulsets/status', 'statefulsets/finalizers'),
    rule(['create', 'delete', 'get', 'patch', 'update'], '', 'pods'),
    rule(all, apps, 'controllerrevisions'),
    rule(['create', 'get'], '', 'persistentvolumeclaims'),
  ],
  'ttl-after-finished-controller': [rule(['delete', ...read], batch, 'jobs')],
}

/** Upstream's ClusterRoles for the parts of a cluster, as far as such parts are here. */
export const bootstrapRoles: readonly BootstrapRole[] = [
  ...components,
  ...Object.entries(controllers).map(([name, rules]) => ({
    name: `system:controller:${name}`,
    rules: [...rules, events],
    serviceAccount: name,
  })),
]
