import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Address, parseAddress, parsePrefix } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import type { EndpointSlice, KubeObject, Node, Pod, Service } from '../objects/index.ts'
import {
  confirm,
  type Evidence,
  explainConnection,
  type Observation,
  observationsOf,
  type Question,
  renderAnswer,
} from './index.ts'

const facts = { clusterDomain: 'cluster.local', servicePrefixes: [parsePrefix('10.96.0.0/16')] }
const node = (index: number): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: `node-${index}` },
  spec: { podCIDRs: [`10.244.${index}.0/24`] },
  status: { addresses: [{ type: 'InternalIP', address: `172.30.0.1${index}` }] },
})
const pod = (name: string, on: number, address: string, labels: Record<string, string>, ready = true): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels },
  spec: { nodeName: `node-${on}`, containers: [{ name: 'main', ports: [{ name: 'http', containerPort: 8080 }] }] },
  status: {
    phase: 'Running',
    podIPs: [{ ip: address }],
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', ...(ready ? {} : { message: 'probe failed' }) }],
  },
})
const service = (name: string, spec: Partial<Service['spec']>): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  spec: { type: 'ClusterIP', ports: [{ name: 'http', port: 80, targetPort: 'http' }], ...spec },
})
const slice = (of: string, endpoints: EndpointSlice['endpoints']): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `${of}-1`, namespace: 'shop', labels: { 'kubernetes.io/service-name': of } },
  addressType: 'IPv4',
  endpoints,
  ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
})
const ready = { ready: true, serving: true, terminating: false }
const web = service('web', {
  selector: { app: 'web' },
  clusterIP: '10.96.0.50',
  clusterIPs: ['10.96.0.50'],
  ipFamilies: ['IPv4'],
})
const cluster: KubeObject[] = [
  node(1),
  node(2),
  pod('client', 1, '10.244.1.2', { app: 'client' }),
  pod('web-a', 1, '10.244.1.3', { app: 'web' }),
  pod('web-b', 2, '10.244.2.3', { app: 'web' }),
  web,
  slice('web', [
    { addresses: ['10.244.1.3'], conditions: ready, nodeName: 'node-1' },
    { addresses: ['10.244.2.3'], conditions: ready, nodeName: 'node-2' },
  ]),
]
const client = { kind: 'pod', namespace: 'shop', name: 'client' } as const
const ask = (objects: readonly KubeObject[], question: Partial<Question>) =>
  explainConnection(
    snapshotOf(objects),
    { from: client, to: { kind: 'service', namespace: 'shop', name: 'web' }, transport: 'tcp', port: 80, ...question },
    facts,
  )
const without = (name: string) => cluster.filter(({ metadata }) => metadata.name !== name)

test('a Service: name, address, port, and the way to each endpoint with the object of every step', () => {
  const answer = ask(cluster, {})
  assert.equal(answer.verdict.kind, 'allow')
  assert.deepEqual(
    answer.steps.map(({ stage, because }) => [stage, because?.object, because?.field]),
    [
      ['source', 'pod/shop/client', 'spec.nodeName'],
      ['name', 'service/shop/web', 'spec.clusterIPs'],
      ['service', 'service/shop/web', 'spec.clusterIPs[0]'],
      ['service', 'service/shop/web', 'spec.ports[0].port'],
      ['service', 'service/shop/web', 'spec.ports[0].port'],
    ],
  )
  assert.deepEqual(
    answer.branches.map(({ endpoint, steps }) => [
      endpoint.pod,
      steps.map(({ stage, node: at }) => `${stage}@${at ?? ''}`).join(' '),
    ]),
    [
      ['shop/web-a', 'endpoint@ route@node-1 neighbour@node-1 socket@node-1 reply@node-1 reply@node-1'],
      [
        'shop/web-b',
        'endpoint@ route@node-1 neighbour@node-1 route@node-2 neighbour@node-2 socket@node-2 reply@node-2 reply@node-1',
      ],
    ],
  )
})

test('what refuses a connection is named with object and field', () => {
  const unready = pod('web-b', 2, '10.244.2.3', { app: 'web' }, false)
  const noReady = [...without('web-1').filter(({ metadata }) => !metadata.name.startsWith('web-')), unready]
  const mislabelled = [
    ...without('web-1').filter(({ metadata }) => !metadata.name.startsWith('web-')),
    pod('web-b', 2, '10.244.2.3', { app: 'wbe' }),
  ]
  const cases: {
    says: RegExp
    object: string
    field: RegExp
    objects?: readonly KubeObject[]
    question?: Partial<Question>
  }[] = [
    { says: /no port tcp\/81/, object: 'service/shop/web', field: /^spec\.ports$/, question: { port: 81 } },
    { says: /no tcp port "grpc"/, object: 'service/shop/web', field: /^spec\.ports$/, question: { port: 'grpc' } },
    {
      says: /did you mean web\?/,
      object: 'service/shop/wep',
      field: /^metadata\.name$/,
      question: { to: { kind: 'service', namespace: 'shop', name: 'wep' } },
    },
    {
      says: /there is no pod shop\/clinet; did you mean client/,
      object: 'pod/shop/clinet',
      field: /^metadata\.name$/,
      question: { from: { ...client, name: 'clinet' } },
    },
    {
      says: /there is no Service default\/web; there is shop\/web/,
      object: 'service/default/web',
      field: /^metadata\.name$/,
      question: { to: { kind: 'service', namespace: 'default', name: 'web' } },
    },
    { says: /web-b.*(not Ready|Ready)/, object: 'pod/shop/web-b', field: /conditions/, objects: noReady },
    {
      says: /selector app=web matches none/,
      object: 'service/shop/web',
      field: /^spec\.selector$/,
      objects: mislabelled,
    },
    {
      says: /no Service has it/,
      object: 'servicecidr',
      field: /^spec\.cidrs$/,
      question: { to: { kind: 'address', address: parseAddress('10.96.7.7') } },
    },
    {
      says: /no pod has 10\.244\.1\.99/,
      object: 'node/node-1',
      field: /^spec\.podCIDRs$/,
      question: { to: { kind: 'address', address: parseAddress('10.244.1.99') } },
    },
  ]
  for (const { says, object, field, objects = cluster, question = {} } of cases) {
    const { verdict } = ask(objects, question)
    assert.equal(verdict.kind, 'deny', verdict.says)
    assert.match(verdict.says, says)
    assert.equal(verdict.because.object, object, verdict.says)
    assert.match(verdict.because.field, field)
  }
})

test('addresses: a ClusterIP is the Service, a pod is itself, the world outside passes', () => {
  const to = (address: string) => ask(cluster, { to: { kind: 'address', address: parseAddress(address) } })
  assert.equal(to('10.96.0.50').branches.length, 2)
  assert.equal(to('10.244.2.3').verdict.says, 'reaches pod/shop/web-b')
  assert.equal(to('203.0.113.10').verdict.kind, 'pass')
  assert.equal(to('172.30.0.12').verdict.says, 'reaches node/node-2')
})

test('policy Local: pods and the node are asked for in the maps that serve them, others in those of everybody else', () => {
  const objects = balanced({ externalTrafficPolicy: 'Local' })
  const to = { kind: 'address', address: parseAddress('198.51.100.1') } as const
  const insideOf = (from: Question['from']) =>
    observationsOf(ask(objects, { from, to })).flatMap((one) => (one.kind === 'frontend' ? [one] : []))
  const [pod] = insideOf(client)
  assert.deepEqual([pod?.inside, pod?.expect.length], [true, 2])
  const [outside] = insideOf({ kind: 'address', address: parseAddress('203.0.113.10') })
  assert.deepEqual([outside?.inside, outside?.expect.length], [false, 1])
})

test('from a node nothing is said of names, and the pod sees the node', () => {
  const answer = ask(cluster, { from: { kind: 'node', name: 'node-2' } })
  assert.equal(answer.verdict.kind, 'allow')
  assert.ok(answer.steps.every(({ stage }) => stage !== 'name'))
  assert.match(answer.branches[0]?.steps.at(-2)?.says ?? '', /sees node-2 as its client/)
})

test('the kernel’s word counts: a missing listener turns the verdict, and comes first in the text', () => {
  const answer = ask(cluster, {})
  const evidence = (one: Observation): Evidence => {
    switch (one.kind) {
      case 'route':
        return { kind: 'route', ...one.expect }
      case 'neighbour':
        return { kind: 'neighbour', state: 'permanent', mac: '0a:58:00:00:00:01' }
      case 'frontend':
        return { kind: 'frontend', endpoints: one.expect, action: 'balance' }
      case 'listener':
        return {
          kind: 'listener',
          ports: [{ transport: 'tcp', port: one.pod.name === 'web-a' ? 8080 : 9090, address: '0.0.0.0' as Address }],
        }
      case 'policy':
        return { kind: 'policy', verdict: one.expect }
      case 'conntrack':
        return {
          kind: 'conntrack',
          entries: [
            {
              client: { address: one.clients[0]!, port: 40_000 },
              endpoint: { address: parseAddress('10.244.1.3'), port: 8080 },
              seen: one.clients[0]!,
              state: 'ESTABLISHED',
              timeoutSeconds: 77,
            },
            {
              client: { address: one.clients[0]!, port: 40_001 },
              endpoint: { address: parseAddress('10.244.2.3'), port: 8080 },
              seen: one.clients[0]!,
              timeoutSeconds: 86_399,
              offloaded: true,
            },
          ],
        }
      case 'server':
        return { kind: 'server', status: 'no check' }
      default:
        return one satisfies never
    }
  }
  const observations = observationsOf(answer)
  assert.deepEqual([...new Set(observations.map(({ kind }) => kind))].sort(), [
    'conntrack',
    'frontend',
    'listener',
    'neighbour',
    'route',
  ])
  const confirmed = confirm(answer, new Map(observations.map((one) => [one, evidence(one)])))
  assert.equal(confirmed.verdict.kind, 'deny')
  assert.match(confirmed.verdict.says, /nothing listens on 8080\/tcp in pod\/shop\/web-b; it listens on 9090\/tcp/)
  const text = renderAnswer(confirmed)
  assert.match(
    text.split('\n')[0] ?? '',
    /^✗ pod\/shop\/client → svc\/shop\/web:80\/tcp: the model says it works, the kernel disagrees/,
  )
  const entries = confirmed.branches.map(({ steps }) => steps.at(-1)?.observed)
  assert.deepEqual(entries, [
    {
      kind: 'agrees',
      says: 'kernel: 10.244.1.2:40000 is answered by 10.244.1.3:8080, under its own address, ESTABLISHED, 77 s left',
    },
    {
      kind: 'agrees',
      says: 'kernel: 10.244.1.2:40001 is answered by 10.244.2.3:8080, under its own address, offloaded: its packets go by the fast path, past every hook',
    },
  ])
  const back = confirmed.branches.map(({ steps }) => steps.findLast(({ observation }) => observation?.kind === 'route'))
  assert.deepEqual(
    back.map((step) => `${step?.node} ${step?.says.slice(0, 25)} ${step?.observed?.kind}`),
    ['node-1 answers go to 10.244.1.2  agrees', 'node-2 answers go to 10.244.1.2  agrees'],
  )
  const old = (one: Observation): Evidence => {
    const found = evidence(one)
    if (found.kind === 'frontend') return { kind: 'frontend', endpoints: [], action: 'reject' }
    return found.kind === 'conntrack' ? { ...found, entries: found.entries.slice(0, 1) } : found
  }
  const stale = confirm(answer, new Map(observations.map((one) => [one, old(one)])))
  assert.deepEqual(stale.branches[1]?.steps.at(-1)?.observed, {
    kind: 'unseen',
    says: 'kernel: no entry yet; 1 of this client lead to other endpoints; the first packet makes one',
  })
  assert.match(
    stale.steps.find(({ observed }) => observed?.kind === 'disagrees')?.observed?.says ?? '',
    /lack 10\.244\.1\.3:8080, 10\.244\.2\.3:8080/,
  )
})

/** `web` as a load balancer: node port 30080, address 198.51.100.1. */
const balanced = (spec: Partial<Service['spec']> = {}): KubeObject[] => [
  ...cluster.filter((one) => one !== web),
  {
    ...web,
    spec: {
      ...web.spec,
      type: 'LoadBalancer',
      ports: [{ name: 'http', port: 80, targetPort: 'http', nodePort: 30080 }],
      ...spec,
    },
    status: { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } },
  } as Service,
]
const outside = { kind: 'address', address: parseAddress('203.0.113.10') } as const
const at = (address: string, port: number): Partial<Question> => ({
  to: { kind: 'address', address: parseAddress(address) },
  port,
})

const withHostPort = (one: Pod): Pod => ({
  ...one,
  spec: { ...one.spec, containers: [{ name: 'main', ports: [{ containerPort: 8080, hostPort: 30081 }] }] },
})

const outsideCases: readonly {
  name: string
  objects?: readonly KubeObject[]
  question: Partial<Question>
  kind: 'allow' | 'deny' | 'pass'
  says: RegExp
  because?: string
}[] = [
  {
    name: 'a node port from beyond',
    question: { from: outside, ...at('172.30.0.12', 30080) },
    kind: 'allow',
    says: /come in at node-2.*172\.30\.0\.12 is an address for node ports of service\/shop\/web.*tcp\/30080 is its node port/s,
    because: 'service/shop/web spec.ports[0].nodePort',
  },
  {
    name: 'a pod asks another node’s port: that node translates',
    question: at('172.30.0.12', 30080),
    kind: 'allow',
    says: /172\.30\.0\.12 is an address for node ports.*the pod sees node-2 as its client/s,
  },
  {
    name: 'a ping of a pod: its kernel answers, whatever listens',
    question: { to: { kind: 'address', address: parseAddress('10.244.2.3') }, transport: 'icmp' },
    kind: 'allow',
    says: /the kernel of pod\/shop\/web-b answers an echo request itself/,
  },
  {
    name: 'a ping of a ClusterIP',
    question: { to: { kind: 'service', namespace: 'shop', name: 'web' }, transport: 'icmp' },
    kind: 'deny',
    says: /a ClusterIP answers no ping, only tcp\/80: refused with ICMP port unreachable/,
  },
  {
    name: 'a port that is no node port',
    question: { from: outside, ...at('172.30.0.12', 30081) },
    kind: 'allow',
    says: /no Service answers tcp\/30081 at 172\.30\.0\.12/,
  },
  {
    name: 'a host port of a pod',
    objects: balanced().map((one) => (one.metadata.name === 'web-b' ? withHostPort(one as Pod) : one)),
    question: { from: outside, ...at('172.30.0.12', 30081) },
    kind: 'allow',
    says: /host port 30081\/tcp at every address of the node is pod\/shop\/web-b: to 10\.244\.2\.3 port 8080/,
    because: 'pod/shop/web-b spec.containers[0].ports[0].hostPort',
  },
  {
    name: 'a load balancer’s address',
    question: { from: outside, ...at('198.51.100.1', 80) },
    kind: 'allow',
    says: /198\.51\.100\.1 is a load balancer’s address of service\/shop\/web.*the pod sees node-1/s,
  },
  {
    name: 'policy Local keeps the source and the node',
    objects: balanced({ externalTrafficPolicy: 'Local' }),
    question: { from: outside, ...at('198.51.100.1', 80) },
    kind: 'allow',
    says: /on another node, and the policy is Local.*answers go to 203\.0\.113\.10/s,
  },
  {
    name: 'policy Local does not count for the node’s own pods',
    objects: balanced({ externalTrafficPolicy: 'Local' }),
    question: at('198.51.100.1', 80),
    kind: 'allow',
    says: /a pod of the node gets every endpoint, although externalTrafficPolicy is Local.*evenly over 2/s,
  },
  {
    name: 'policy Local counts for a pod that comes from another node, whose answer would go past this one',
    objects: balanced({ externalTrafficPolicy: 'Local' }),
    question: at('172.30.0.12', 30080),
    kind: 'allow',
    says: /reaches service\/shop\/web at its one endpoint/,
  },
  {
    name: 'source ranges',
    objects: balanced({ loadBalancerSourceRanges: ['192.0.2.0/24'] }),
    question: { from: outside, ...at('198.51.100.1', 80) },
    kind: 'deny',
    says: /203\.0\.113\.10 is in none of loadBalancerSourceRanges/,
    because: 'service/shop/web spec.loadBalancerSourceRanges',
  },
  {
    name: 'source ranges do not bind node ports',
    objects: balanced({ loadBalancerSourceRanges: ['192.0.2.0/24'] }),
    question: { from: outside, ...at('172.30.0.11', 30080) },
    kind: 'allow',
    says: /evenly over 2 endpoints/,
  },
]
for (const { name, objects = balanced(), question, kind, says, because } of outsideCases) {
  test(`external: ${name}`, () => {
    const answer = ask(objects, question)
    const text = [...answer.steps, ...answer.branches.flatMap(({ steps }) => steps)].map((step) => step.says).join('\n')
    assert.equal(answer.verdict.kind, kind, `${answer.verdict.says}\n${text}`)
    assert.match(`${text}\n${answer.verdict.says}`, says)
    if (because !== undefined) assert.equal(`${answer.verdict.because.object} ${answer.verdict.because.field}`, because)
  })
}
