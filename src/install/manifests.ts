import type { KubeObject } from '../objects/index.ts'
import { agentRules, clusterRole, controllerRules, roleBinding } from './access.ts'

/** What the objects of an installation are made of. */
export interface InstallOptions {
  /** The image, as nodes pull it. */
  readonly image: string
  /** Where agents and controllers reach the API server: without kube-proxy nobody serves its ClusterIP before the agent does. */
  readonly apiServer: { readonly host: string; readonly port: number }
  /** As the agent's options: comma-separated prefixes. */
  readonly serviceCidr: string
  readonly clusterCidr: string
  readonly policies: 'strict' | 'new-connections' | 'off'
}

const namespace = 'plumb-system'
/** The DaemonSet whose pods are the agents. */
export const agentDaemonSet = {
  namespace,
  name: 'plumb-agent',
  labels: { app: 'plumb-agent' },
  container: 'agent',
  program: '/plumb/plumb',
} as const
const runDirectory = '/run/plumb'
/** The controllers that Kubernetes has not. */
export const ownControllers = [
  'own-objects',
  'loadbalancer-addresses',
  'egress-addresses',
  'egress-index',
  'address-moves',
  'announcement-garbage-collector',
  'gateway',
  'ingress-status',
]

/** Everything that a cluster of kubelets, API server and upstream's controllers needs for Plumb to be its network, in the order in which it is applied. */
export function installObjects(options: InstallOptions, definitions: readonly KubeObject[]): KubeObject[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
    } as KubeObject,
    ...definitions,
    ...account('plumb-agent', agentRules),
    ...account('plumb-controllers', controllerRules),
    agents(options),
    controllers(options),
  ]
}

function account(name: string, rules: Parameters<typeof clusterRole>[1]): KubeObject[] {
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } } as KubeObject,
    clusterRole(name, rules),
    roleBinding(name, name, { kind: 'ServiceAccount', name, namespace }),
  ]
}

function agents(options: InstallOptions): KubeObject {
  const { name, labels, container, program } = agentDaemonSet
  const volumes = [
    hostFolder('run', runDirectory, 'DirectoryOrCreate'),
    hostFolder('netns', '/run/netns', 'DirectoryOrCreate'),
    hostFolder('modules', '/lib/modules'),
    hostFolder('cni-bin', '/opt/cni/bin', 'DirectoryOrCreate'),
    hostFolder('cni-conf', '/etc/cni/net.d', 'DirectoryOrCreate'),
  ]
  const plugin = {
    name: 'cni-plugin',
    image: options.image,
    command: [program, 'cni', 'install'],
    args: ['--bin-dir=/opt/cni/bin', '--conf-dir=/etc/cni/net.d', `--socket=${runDirectory}/agent.sock`],
    volumeMounts: [mount('cni-bin', '/opt/cni/bin'), mount('cni-conf', '/etc/cni/net.d')],
  }
  const agent = {
    name: container,
    image: options.image,
    command: [program, 'agent', '--in-cluster'],
    args: [
      '--node-name=$(NODE_NAME)',
      `--socket=${runDirectory}/agent.sock`,
      `--service-cidr=${options.serviceCidr}`,
      `--policies=${options.policies}`,
    ],
    env: [
      { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      // As the lab's agents (`memory`): what they make that is new is little beside what they keep.
      { name: 'NODE_OPTIONS', value: '--max-semi-space-size=2' },
      ...apiServer(options),
    ],
    securityContext: { privileged: true },
    // A node with much to program is not well before it is done, and not to be ended for it.
    startupProbe: { ...probe('/livez', 10256), periodSeconds: 2, failureThreshold: 60 },
    livenessProbe: probe('/livez', 10256),
    readinessProbe: probe('/healthz', 10256),
    resources: { requests: { cpu: '100m', memory: '200Mi' } },
    volumeMounts: [
      mount('run', runDirectory),
      // Namespaces of pods that are made later must be seen as well.
      { ...mount('netns', '/run/netns'), mountPropagation: 'HostToContainer' },
      { ...mount('modules', '/lib/modules'), readOnly: true },
    ],
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace, labels },
    spec: {
      selector: { matchLabels: labels },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
      template: {
        metadata: { labels },
        spec: {
          ...everywhere(name),
          priorityClassName: 'system-node-critical',
          terminationGracePeriodSeconds: 30,
          initContainers: [plugin],
          containers: [agent],
          volumes,
        },
      },
    },
  } as unknown as KubeObject
}

function controllers(options: InstallOptions): KubeObject {
  const labels = { app: 'plumb-controllers' }
  const container = {
    name: 'controllers',
    image: options.image,
    command: ['/plumb/plumb', 'controllers', '--in-cluster'],
    args: ['--leader-elect', `--controllers=${ownControllers.join(',')}`, `--cluster-cidr=${options.clusterCidr}`],
    env: apiServer(options),
    resources: { requests: { cpu: '50m', memory: '150Mi' } },
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'plumb-controllers', namespace, labels },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          ...everywhere('plumb-controllers'),
          priorityClassName: 'system-cluster-critical',
          containers: [container],
        },
      },
    },
  } as unknown as KubeObject
}

/** Pods that the network of the cluster waits for, and that therefore cannot wait for it. */
function everywhere(serviceAccountName: string) {
  return {
    serviceAccountName,
    hostNetwork: true,
    dnsPolicy: 'Default',
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [{ operator: 'Exists' }],
  }
}

function apiServer({ apiServer: { host, port } }: InstallOptions) {
  return [
    { name: 'KUBERNETES_SERVICE_HOST', value: host },
    { name: 'KUBERNETES_SERVICE_PORT', value: String(port) },
  ]
}

function probe(path: string, port: number) {
  return { httpGet: { host: '127.0.0.1', path, port }, initialDelaySeconds: 5, periodSeconds: 10, failureThreshold: 3 }
}

function hostFolder(name: string, path: string, type?: string) {
  return { name, hostPath: { path, ...(type === undefined ? {} : { type }) } }
}

function mount(name: string, mountPath: string) {
  return { name, mountPath }
}
