import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getKind, type KubeObject, kinds, renderDuration } from './index.ts'

const now = new Date('2024-05-01T12:00:00Z')
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000).toISOString()

/** The row that `kubectl get` shows, with `wide` the whole of it. */
function row(kindName: string, object: object, wide = false): string {
  const body = { metadata: { name: 'x', creationTimestamp: ago(310) }, ...object } as unknown as KubeObject
  const shown = getKind(kindName).columns.filter((column) => wide || column.priority === 0)
  return shown.map((column) => column.cell(body, now)).join(' | ')
}

function header(kindName: string): string {
  return getKind(kindName)
    .columns.map((column) => (column.priority === 0 ? column.name : `(${column.name})`))
    .join(' ')
}

const headers: readonly [kind: string, header: string][] = [
  ['Pod', 'Name Ready Status Restarts Age (IP) (Node) (Nominated Node) (Readiness Gates)'],
  ['Service', 'Name Type Cluster-IP External-IP Port(s) Age (Selector)'],
  ['EndpointSlice', 'Name AddressType Ports Endpoints Age'],
  ['Deployment', 'Name Ready Up-to-date Available Age (Containers) (Images) (Selector)'],
  ['ReplicaSet', 'Name Desired Current Ready Age (Containers) (Images) (Selector)'],
  ['StatefulSet', 'Name Ready Age (Containers) (Images)'],
  ['DaemonSet', 'Name Desired Current Ready Up-to-date Available Node Selector Age (Containers) (Images) (Selector)'],
  ['Job', 'Name Status Completions Duration Age (Containers) (Images) (Selector)'],
  ['Node', 'Name Status Roles Age Version (Internal-IP) (External-IP) (OS-Image) (Kernel-Version) (Container-Runtime)'],
  ['Event', 'Last Seen Type Reason Object (Subobject) (Source) Message (First Seen) (Count) (Name)'],
  ['Ingress', 'Name Class Hosts Address Ports Age'],
  ['NetworkPolicy', 'Name Pod-Selector Age'],
  ['Lease', 'Name Holder Age'],
]

for (const [kind, expected] of headers) test(`columns of ${kind}`, () => assert.equal(header(kind), expected))

const spec = { containers: [{ name: 'a' }, { name: 'b' }] }
const running = { state: { running: {} }, ready: true, restartCount: 0 }
const waiting = (reason: string, restartCount = 0) => ({ state: { waiting: { reason } }, ready: false, restartCount })
const ended = (exitCode: number, more: object = {}) => ({
  state: { terminated: { exitCode, ...more } },
  restartCount: 0,
})
const ready = [{ type: 'Ready', status: 'True' }]
const deleted = { name: 'x', creationTimestamp: ago(310), deletionTimestamp: ago(1) }

const pods: readonly [name: string, pod: object, row: string][] = [
  ['new', { spec, status: { phase: 'Pending' } }, 'x | 0/2 | Pending | 0 | 5m10s'],
  [
    'running',
    { spec, status: { phase: 'Running', containerStatuses: [running, running] } },
    'x | 2/2 | Running | 0 | 5m10s',
  ],
  [
    'crashing',
    {
      spec,
      status: {
        phase: 'Running',
        containerStatuses: [
          running,
          { ...waiting('CrashLoopBackOff', 3), lastState: { terminated: { exitCode: 1, finishedAt: ago(70) } } },
        ],
      },
    },
    'x | 1/2 | CrashLoopBackOff | 3 (70s ago) | 5m10s',
  ],
  [
    'failed without a reason',
    { spec, status: { phase: 'Failed', containerStatuses: [ended(3), ended(0, { signal: 9 })] } },
    'x | 0/2 | ExitCode:3 | 0 | 5m10s',
  ],
  [
    'done',
    { spec, status: { phase: 'Succeeded', containerStatuses: [ended(0, { reason: 'Completed' })] } },
    'x | 0/2 | Completed | 0 | 5m10s',
  ],
  [
    'one done, one running',
    {
      spec,
      status: { phase: 'Running', conditions: ready, containerStatuses: [ended(0, { reason: 'Completed' }), running] },
    },
    'x | 1/2 | Running | 0 | 5m10s',
  ],
  [
    'one done, not ready',
    { spec, status: { phase: 'Running', containerStatuses: [ended(0, { reason: 'Completed' }), running] } },
    'x | 1/2 | NotReady | 0 | 5m10s',
  ],
  [
    'initialising',
    {
      spec: { ...spec, initContainers: [{ name: 'i' }, { name: 'j' }] },
      status: {
        phase: 'Pending',
        initContainerStatuses: [
          { name: 'i', ...ended(0) },
          { name: 'j', ...running },
        ],
      },
    },
    'x | 0/2 | Init:1/2 | 0 | 5m10s',
  ],
  [
    'init failed',
    {
      spec: { ...spec, initContainers: [{ name: 'i' }] },
      status: { phase: 'Pending', initContainerStatuses: [{ name: 'i', ...ended(1, { reason: 'Error' }) }] },
    },
    'x | 0/2 | Init:Error | 0 | 5m10s',
  ],
  [
    'init waits',
    {
      spec: { ...spec, initContainers: [{ name: 'i' }] },
      status: { phase: 'Pending', initContainerStatuses: [{ name: 'i', ...waiting('ImagePullBackOff') }] },
    },
    'x | 0/2 | Init:ImagePullBackOff | 0 | 5m10s',
  ],
  [
    'sidecar',
    {
      spec: { ...spec, initContainers: [{ name: 'i', restartPolicy: 'Always' }] },
      status: {
        phase: 'Running',
        initContainerStatuses: [{ name: 'i', ...running, started: true }],
        containerStatuses: [running, running],
      },
    },
    'x | 3/3 | Running | 0 | 5m10s',
  ],
  [
    'deleted',
    { metadata: deleted, spec, status: { phase: 'Running', containerStatuses: [running, running] } },
    'x | 2/2 | Terminating | 0 | 5m10s',
  ],
  [
    'deleted after its end',
    { metadata: deleted, spec, status: { phase: 'Succeeded', containerStatuses: [ended(0, { reason: 'Completed' })] } },
    'x | 0/2 | Completed | 0 | 5m10s',
  ],
  ['evicted', { spec, status: { phase: 'Failed', reason: 'Evicted' } }, 'x | 0/2 | Evicted | 0 | 5m10s'],
]

for (const [name, pod, expected] of pods) test(`a pod's row: ${name}`, () => assert.equal(row('Pod', pod), expected))

test("a pod's wide row", () => {
  const object = {
    spec: { ...spec, nodeName: 'n1', readinessGates: [{ conditionType: 'a/b' }, { conditionType: 'c/d' }] },
    status: { phase: 'Running', podIPs: [{ ip: '10.244.1.2' }], conditions: [{ type: 'a/b', status: 'True' }] },
  }
  assert.equal(row('Pod', object, true), 'x | 0/2 | Running | 0 | 5m10s | 10.244.1.2 | n1 | <none> | 1/2')
})

const template = {
  spec: {
    containers: [
      { name: 'a', image: 'a:1' },
      { name: 'b', image: 'b:2' },
    ],
  },
}
const selector = {
  matchLabels: { app: 'x' },
  matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['b', 'a'] }],
}

const rows: readonly [kind: string, object: object, row: string][] = [
  [
    'Service',
    { spec: { type: 'ClusterIP', clusterIP: '10.96.0.7', ports: [{ port: 80, protocol: 'TCP' }] } },
    'x | ClusterIP | 10.96.0.7 | <none> | 80/TCP | 5m10s | <none>',
  ],
  [
    'Service',
    {
      spec: {
        type: 'NodePort',
        clusterIP: '10.96.0.7',
        selector: { b: '2', a: '1' },
        ports: [
          { port: 80, nodePort: 30080, protocol: 'TCP' },
          { port: 53, protocol: 'UDP' },
        ],
      },
    },
    'x | NodePort | 10.96.0.7 | <none> | 80:30080/TCP,53/UDP | 5m10s | a=1,b=2',
  ],
  [
    'Service',
    { spec: { type: 'LoadBalancer', clusterIP: '10.96.0.7' } },
    'x | LoadBalancer | 10.96.0.7 | <pending> | <none> | 5m10s | <none>',
  ],
  [
    'Service',
    {
      spec: { type: 'LoadBalancer', clusterIP: '10.96.0.7', externalIPs: ['192.0.2.9'] },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.2' }, { hostname: 'a.b' }] } },
    },
    'x | LoadBalancer | 10.96.0.7 | 192.0.2.9,192.0.2.2,a.b | <none> | 5m10s | <none>',
  ],
  [
    'Service',
    { spec: { type: 'ExternalName', externalName: 'a.b' } },
    'x | ExternalName | <none> | a.b | <none> | 5m10s | <none>',
  ],
  [
    'EndpointSlice',
    {
      addressType: 'IPv4',
      endpoints: [1, 2, 3, 4, 5].map((n) => ({ addresses: [`10.0.0.${n}`] })),
      ports: [{ port: 80 }, {}],
    },
    'x | IPv4 | 80,* | 10.0.0.1,10.0.0.2,10.0.0.3 + 2 more... | 5m10s',
  ],
  ['EndpointSlice', { addressType: 'IPv4' }, 'x | IPv4 | <unset> | <unset> | 5m10s'],
  [
    'Endpoints',
    { subsets: [{ addresses: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }], ports: [{ port: 80 }] }] },
    'x | 10.0.0.1:80,[fd00::1]:80 | 5m10s',
  ],
  [
    'Deployment',
    {
      spec: { replicas: 3, selector, template },
      status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 },
    },
    'x | 1/3 | 2 | 1 | 5m10s | a,b | a:1,b:2 | app=x,tier notin (a,b)',
  ],
  [
    'DaemonSet',
    { spec: { selector, template }, status: { desiredNumberScheduled: 3, currentNumberScheduled: 3, numberReady: 2 } },
    'x | 3 | 3 | 2 | 0 | 0 | <none> | 5m10s | a,b | a:1,b:2 | app=x,tier notin (a,b)',
  ],
  [
    'Job',
    {
      spec: { completions: 1, template },
      status: {
        succeeded: 1,
        startTime: ago(100),
        completionTime: ago(40),
        conditions: [{ type: 'Complete', status: 'True' }],
      },
    },
    'x | Complete | 1/1 | 60s | 5m10s | a,b | a:1,b:2 | <none>',
  ],
  [
    'Node',
    {
      metadata: {
        name: 'n1',
        creationTimestamp: ago(86400 * 3),
        labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/edge': '' },
      },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '172.30.0.11' }],
        nodeInfo: { kubeletVersion: 'v1.34.0' },
      },
    },
    'n1 | Ready,SchedulingDisabled | edge,worker | 3d | v1.34.0 | 172.30.0.11 | <none> | <unknown> | <unknown> | <unknown>',
  ],
  ['Node', {}, 'x | Unknown | <none> | 5m10s |  | <none> | <none> | <unknown> | <unknown> | <unknown>'],
  [
    'Event',
    {
      type: 'Normal',
      reason: 'Started',
      involvedObject: { kind: 'Pod', name: 'p' },
      message: 'ok\n',
      firstTimestamp: ago(60),
      lastTimestamp: ago(5),
      count: 4,
      source: { component: 'plumb', host: 'n1' },
    },
    '5s | Normal | Started | pod/p |  | plumb, n1 | ok | 60s | 4 | x',
  ],
  ['ConfigMap', { data: { a: '' }, binaryData: { b: '' } }, 'x | 2 | 5m10s'],
  ['NetworkPolicy', { spec: { podSelector: selector } }, 'x | app=x,tier notin (a,b) | 5m10s'],
  ['Ingress', { spec: { rules: [{ host: 'a.b' }, {}], tls: [{}] } }, 'x | <none> | a.b,* |  | 80, 443 | 5m10s'],
  [
    'IPAddress',
    { spec: { parentRef: { resource: 'services', namespace: 'default', name: 'web' } } },
    'x | services/default/web | 5m10s',
  ],
]

for (const [kind, object, expected] of rows)
  test(`a ${kind}'s row: ${expected}`, () => assert.equal(row(kind, object, true), expected))

test('no column fails on the barest object', () => {
  for (const kind of kinds)
    for (const column of kind.columns)
      assert.doesNotThrow(
        () => column.cell({ apiVersion: '', kind: kind.kind, metadata: { name: 'x' }, spec: {} } as never, now),
        `${kind.kind} ${column.name}`,
      )
})

const durations: readonly [seconds: number, text: string][] = [
  [-5, '<invalid>'],
  [-1, '0s'],
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [310, '5m10s'],
  [600, '10m'],
  [10799, '179m'],
  [10800, '3h'],
  [3600 * 7 + 60 * 59, '7h59m'],
  [3600 * 8 + 60, '8h'],
  [3600 * 47, '47h'],
  [3600 * 50, '2d2h'],
  [86400 * 8 + 3600, '8d'],
  [86400 * 729, '729d'],
  [86400 * 800, '2y70d'],
  [86400 * 3000, '8y'],
]

for (const [seconds, text] of durations)
  test(`${seconds} seconds are ${text}`, () => assert.equal(renderDuration(seconds * 1000), text))
