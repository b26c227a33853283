import type { KubeObject } from '../objects/index.ts'
import { bootstrapRoles } from './bootstrap-roles.ts'
import type { PolicyRule } from './policy-rules.ts'

const apiGroup = 'rbac.authorization.k8s.io'
const apiVersion = `${apiGroup}/v1`
const bootstrap = { 'kubernetes.io/bootstrapping': 'rbac-defaults' }
const aggregate = (role: string) => ({ [`rbac.authorization.k8s.io/aggregate-to-${role}`]: 'true' })

const read = ['get', 'list', 'watch']
const write = ['create', 'delete', 'deletecollection', 'patch', 'update']

/** What belongs to an application, by group: the resources that view, edit and admin are about. */
const application: Readonly<Record<string, readonly string[]>> = {
  '': [
    ...['configmaps', 'endpoints', 'persistentvolumeclaims', 'pods', 'pods/status', 'replicationcontrollers'],
    ...[
      'replicationcontrollers/scale',
      'serviceaccounts',
      'services',
      'services/status',
      'persistentvolumeclaims/status',
    ],
  ],
  apps: [
    'daemonsets',
    'deployments',
    'deployments/scale',
    'replicasets',
    'replicasets/scale',
    'statefulsets',
    'statefulsets/scale',
  ],
  autoscaling: ['horizontalpodautoscalers'],
  batch: ['cronjobs', 'jobs'],
  'discovery.k8s.io': ['endpointslices'],
  'networking.k8s.io': ['ingresses', 'networkpolicies'],
  policy: ['poddisruptionbudgets'],
}
const seen = ['bindings', 'events', 'limitranges', 'namespaces', 'namespaces/status', 'pods/log', 'resourcequotas']
const inside = ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'services/proxy']

const rules = (verbs: readonly string[]): PolicyRule[] =>
  Object.entries(application).map(([group, resources]) => ({ verbs, apiGroups: [group], resources }))

const view = [...rules(read), { verbs: read, apiGroups: [''], resources: seen }]
const edit: PolicyRule[] = [
  ...rules(write),
  { verbs: read, apiGroups: [''], resources: [...inside, 'secrets'] },
  { verbs: ['impersonate'], apiGroups: [''], resources: ['serviceaccounts'] },
  { verbs: write, apiGroups: [''], resources: [...inside, 'secrets'] },
  { verbs: ['create'], apiGroups: [''], resources: ['pods/eviction', 'serviceaccounts/token'] },
  { verbs: [...read, ...write], apiGroups: ['coordination.k8s.io'], resources: ['leases'] },
]
const admin: PolicyRule[] = [
  { verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['localsubjectaccessreviews'] },
  { verbs: [...read, ...write], apiGroups: ['rbac.authorization.k8s.io'], resources: ['rolebindings', 'roles'] },
]
const discovery = [
  '/api',
  '/api/*',
  '/apis',
  '/apis/*',
  '/healthz',
  '/livez',
  '/openapi',
  '/openapi/*',
  '/readyz',
  '/version',
  '/version/',
]

/** The roles and bindings of every cluster, as far as its parts ask for them here. */
export function defaultRoles(): KubeObject[] {
  return [
    role('cluster-admin', [
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
    ]),
    gathered('admin', {}),
    gathered('edit', aggregate('admin')),
    gathered('view', aggregate('edit')),
    role('system:aggregate-to-admin', admin, aggregate('admin')),
    role('system:aggregate-to-edit', edit, aggregate('edit')),
    role('system:aggregate-to-view', view, aggregate('view')),
    role('system:discovery', [{ verbs: ['get'], nonResourceURLs: discovery }]),
    role('system:public-info-viewer', [
      { verbs: ['get'], nonResourceURLs: ['/healthz', '/livez', '/readyz', '/version', '/version/'] },
    ]),
    role('system:basic-user', [
      {
        verbs: ['create'],
        apiGroups: ['authorization.k8s.io'],
        resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
      },
      { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
    ]),
    role('system:auth-delegator', [
      { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'] },
      { verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'] },
    ]),
    role('system:service-account-issuer-discovery', [
      { verbs: ['get'], nonResourceURLs: ['/.well-known/openid-configuration', '/openid/v1/jwks'] },
    ]),
    binding('cluster-admin', group('system:masters')),
    binding('system:discovery', group('system:authenticated')),
    binding('system:basic-user', group('system:authenticated')),
    binding('system:public-info-viewer', group('system:authenticated')),
    binding('system:service-account-issuer-discovery', group('system:serviceaccounts')),
    ...bootstrapRoles.flatMap(({ name, rules, user, serviceAccount }) => [
      role(name, rules),
      ...(user === undefined ? [] : [binding(name, { apiGroup, kind: 'User', name: user })]),
      ...(serviceAccount === undefined ? [] : [binding(name, account(serviceAccount))]),
    ]),
  ]
}

function role(name: string, rules: readonly PolicyRule[], labels = {}): KubeObject {
  return {
    apiVersion,
    kind: 'ClusterRole',
    metadata: { name, labels: { ...bootstrap, ...labels } },
    rules,
  } as KubeObject
}

function gathered(name: string, labels: object): KubeObject {
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: aggregate(name) }] }
  const metadata = { name, labels: { ...bootstrap, ...labels } }
  return { apiVersion, kind: 'ClusterRole', metadata, aggregationRule, rules: [] } as unknown as KubeObject
}

const group = (name: string) => ({ apiGroup, kind: 'Group', name })
const account = (name: string) => ({ kind: 'ServiceAccount', name, namespace: 'kube-system' })

function binding(role: string, subject: object): KubeObject {
  return {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name: role, labels: bootstrap },
    roleRef: { apiGroup, kind: 'ClusterRole', name: role },
    subjects: [subject],
  } as unknown as KubeObject
}
