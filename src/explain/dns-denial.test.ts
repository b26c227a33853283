import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { parsePrefix } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import type { EndpointSlice, KubeObject, NetworkPolicy, Pod, Service } from '../objects/index.ts'
import { namespaceObject, nodeObject, podObject, policyObject } from '../policies/cluster.fixture.ts'
import { type Answer, explainConnection, type Question, recipes, renderAnswer } from './index.ts'

const ready = { ready: true, serving: true, terminating: false }
/** A Service with its slice: endpoints at 10.244.NODE.INDEX. */
function serve(
  namespace: string,
  name: string,
  clusterIP: string,
  ports: readonly { name: string; port: number; protocol?: 'TCP' | 'UDP'; targetPort: number }[],
  endpoints: readonly (readonly [node: number, index: number])[],
): readonly KubeObject[] {
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ipFamilies: ['IPv4'], ports: [...ports] },
  }
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: endpoints.map(([node, index]) => ({
      addresses: [`10.244.${node}.${index}`],
      conditions: ready,
      nodeName: `node-${node}`,
    })),
    ports: ports.map((one) => ({ name: one.name, protocol: one.protocol ?? 'TCP', port: one.targetPort })),
  }
  return [service, slice]
}
const dnsPod = (name: string, node: number, index: number): Pod =>
  podObject(name, { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' }, node, index })
const dnsPort = { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 } as const
const client = podObject('client', { labels: { app: 'client' }, node: 1, index: 2 })
const web = [
  podObject('web', { labels: { app: 'web' }, node: 2, index: 3 }),
  ...serve('ns', 'web', '10.96.0.50', [{ name: 'http', port: 80, targetPort: 8080 }], [[2, 3]]),
]
const dnsPods = [dnsPod('coredns-a', 1, 8), dnsPod('coredns-b', 2, 9)]
const dns = [
  ...dnsPods,
  ...serve(
    'kube-system',
    'kube-dns',
    '10.96.0.10',
    [dnsPort],
    [
      [1, 8],
      [2, 9],
    ],
  ),
]
const nodes = [nodeObject(1), nodeObject(2), namespaceObject('ns'), namespaceObject('kube-system')]
const world: readonly KubeObject[] = [...nodes, client, ...web, ...dns]

function recipe(name: string): NetworkPolicy {
  const policy = parse(recipes.find((one) => one.name === name)?.yaml ?? '') as NetworkPolicy
  return { ...policy, metadata: { ...policy.metadata, namespace: 'ns' } }
}
const denyAll = recipe('deny-all')
const allowDns = recipe('allow-dns')
const intoWeb = policyObject('into-web', {
  podSelector: { matchLabels: { app: 'web' } },
  policyTypes: ['Ingress'],
  ingress: [{}],
})
const toWeb = (port: number) =>
  policyObject('to-web', {
    podSelector: { matchLabels: { app: 'client' } },
    policyTypes: ['Egress'],
    egress: [{ to: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port }] }],
  })
const shutDns = (pods: Record<string, string>) =>
  policyObject('shut', { podSelector: { matchLabels: pods }, policyTypes: ['Ingress'] }, 'kube-system')

const ask = (objects: readonly KubeObject[], question: Partial<Question> = {}): Answer =>
  explainConnection(
    snapshotOf(objects),
    {
      from: { kind: 'pod', namespace: 'ns', name: 'client' },
      to: { kind: 'service', namespace: 'ns', name: 'web' },
      transport: 'tcp',
      port: 80,
      ...question,
    },
    { clusterDomain: 'cluster.local', servicePrefixes: [parsePrefix('10.96.0.0/16')] },
  )
const withSpec = (spec: Partial<Pod['spec']>): readonly KubeObject[] =>
  world.map((one) => (one === client ? { ...client, spec: { ...client.spec, ...spec } } : one))
const onePort = (targetPort: number): readonly KubeObject[] => [
  ...nodes,
  client,
  ...web,
  ...dnsPods,
  ...serve('kube-system', 'kube-dns', '10.96.0.10', [{ ...dnsPort, targetPort }], [[1, 8]]),
]

const cases: readonly {
  readonly name: string
  readonly objects: readonly KubeObject[]
  readonly question?: Partial<Question>
  /** What the verdict says when the name decides; else only the kind of verdict is looked at. */
  readonly dns?: RegExp
  readonly kind: 'allow' | 'deny'
  readonly because?: string
}[] = [
  { name: 'no policy', objects: world, kind: 'allow' },
  {
    name: 'deny-all stops the question before the connection',
    objects: [...world, denyAll],
    kind: 'deny',
    dns: /^pod\/ns\/client cannot resolve names: its question to service\/kube-system\/kube-dns \(10\.96\.0\.10 port 53\/udp\) is denied: networkpolicy\/ns\/deny-all isolates pod\/ns\/client for egress .*"plumb policy recipe allow-dns" prints in namespace ns$/,
    because: 'networkpolicy/ns/deny-all spec.policyTypes',
  },
  {
    name: 'a rule for the Service’s own port is not one for DNS',
    objects: [...world, toWeb(8080)],
    kind: 'deny',
    dns: /networkpolicy\/ns\/to-web isolates pod\/ns\/client for egress/,
    because: 'networkpolicy/ns/to-web spec.egress',
  },
  { name: 'allow-dns: the port decides', objects: [...world, denyAll, allowDns], kind: 'deny' },
  { name: 'allow-dns and the port', objects: [...world, denyAll, allowDns, toWeb(8080), intoWeb], kind: 'allow' },
  { name: 'allow-dns and another port', objects: [...world, denyAll, allowDns, toWeb(9090), intoWeb], kind: 'deny' },
  {
    name: 'the DNS pods’ own policy',
    objects: [...world, shutDns({ 'k8s-app': 'kube-dns' })],
    kind: 'deny',
    dns: /networkpolicy\/kube-system\/shut isolates pod\/kube-system\/coredns-a for ingress.*allow pod\/ns\/client in an ingress rule for pod\/kube-system\/coredns-a, port 53\/udp$/,
    because: 'networkpolicy/kube-system/shut spec.policyTypes',
  },
  {
    name: 'one of two DNS pods',
    objects: [
      ...world.filter((one) => one !== dnsPods[1]),
      podObject('coredns-b', { namespace: 'kube-system', labels: { shut: 'yes' }, node: 2, index: 9 }),
      shutDns({ shut: 'yes' }),
    ],
    kind: 'deny',
    dns: /is denied at 1 of 2 endpoints: /,
    because: 'networkpolicy/kube-system/shut spec.policyTypes',
  },
  {
    name: 'DNS pods on another port are not the recipe’s',
    objects: [...onePort(1053), denyAll, allowDns],
    kind: 'deny',
    dns: /allow pod\/kube-system\/coredns-a, port 1053\/udp and 1053\/tcp, in an egress rule for pod\/ns\/client$/,
    because: 'networkpolicy/ns/allow-dns spec.egress[0].ports',
  },
  { name: 'no DNS in the cluster', objects: [...nodes, client, ...web, toWeb(8080)], kind: 'allow' },
  { name: 'a pod with another resolver', objects: [...withSpec({ dnsPolicy: 'Default' }), toWeb(8080)], kind: 'allow' },
  {
    name: 'an address needs no name',
    objects: [...world, toWeb(8080)],
    question: { to: { kind: 'pod', namespace: 'ns', name: 'web' }, port: 8080 },
    kind: 'allow',
  },
  {
    name: 'a node asks nobody',
    objects: [...world, denyAll, intoWeb],
    question: { from: { kind: 'node', name: 'node-1' } },
    kind: 'allow',
  },
]
for (const { name, objects, question, dns: says, kind, because } of cases) {
  test(`the question for the name: ${name}`, () => {
    const answer = ask(objects, question)
    const text = renderAnswer(answer)
    assert.equal(answer.verdict.kind, kind, text)
    if (says === undefined) {
      assert.doesNotMatch(
        text,
        /service\/kube-system\/kube-dns|cannot resolve/,
        'nothing is said where the question passes',
      )
      return
    }
    assert.match(answer.verdict.says, says)
    const last = answer.steps.at(-1)
    assert.equal(last?.stage, 'name', text)
    assert.equal(last?.says, answer.verdict.says)
    assert.equal(`${last?.because?.object} ${last?.because?.field}`, because)
    assert.deepEqual(answer.branches, [])
  })
}

test('findings of the policies of both ends, each policy once', () => {
  const broken = (name: string, labels: Record<string, string>, namespace = 'ns'): NetworkPolicy =>
    policyObject(
      name,
      { podSelector: { matchLabels: labels }, policyTypes: ['Ingress', 'Sideways' as 'Ingress'], ingress: [{}] },
      namespace,
    )
  const policies = [
    broken('client', { app: 'client' }),
    broken('web', { app: 'web' }),
    broken('nobody', { app: 'nobody' }),
    broken('dns', { 'k8s-app': 'kube-dns' }, 'kube-system'),
  ]
  const found = (objects: readonly KubeObject[], question?: Partial<Question>) =>
    ask(objects, question).findings.map(({ object, field }) => `${object} ${field}`)
  const field = 'spec.policyTypes[1]'
  const ends = [`networkpolicy/ns/client ${field}`, `networkpolicy/ns/web ${field}`]
  assert.deepEqual(found([...world, ...policies]), ends)
  assert.deepEqual(found([...world, ...policies], { to: { kind: 'pod', namespace: 'ns', name: 'web' } }), ends)
  const itself = { kind: 'pod', namespace: 'ns', name: 'client' } as const
  assert.deepEqual(found([...world, ...policies], { to: itself }), ends.slice(0, 1))
  assert.deepEqual(
    found([...world, ...policies, denyAll]).toSorted(),
    [...ends, `networkpolicy/kube-system/dns ${field}`].toSorted(),
    'those of the DNS pods where they keep the name from being resolved',
  )
})
