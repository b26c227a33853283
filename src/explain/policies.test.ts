import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Address, parseAddress } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import type { KubeObject, NetworkPolicy } from '../objects/index.ts'
import {
  clusterPolicyObject,
  namespaceObject,
  nodeObject,
  podObject,
  policyObject,
} from '../policies/cluster.fixture.ts'
import { confirm, explainConnection, observationsOf, type Question, renderAnswer } from './index.ts'

const world: readonly KubeObject[] = [
  nodeObject(1),
  nodeObject(2),
  namespaceObject('ns'),
  podObject('client', { labels: { app: 'client' }, node: 1, index: 2 }),
  podObject('web', { labels: { app: 'web' }, node: 2, index: 3, ports: [{ name: 'http', port: 8080 }] }),
]
const pod = (name: string): Question['from'] => ({ kind: 'pod', namespace: 'ns', name })
const ask = (policies: readonly NetworkPolicy[], question: Partial<Question> = {}) =>
  explainConnection(
    snapshotOf([...world, ...policies]),
    { from: pod('client'), to: pod('web'), transport: 'tcp', port: 8080, ...question },
    { clusterDomain: 'cluster.local', servicePrefixes: [] },
  )
const denyIngress = policyObject('deny', { podSelector: {}, policyTypes: ['Ingress'] })
const denyEgress = policyObject('deny-out', {
  podSelector: { matchLabels: { app: 'client' } },
  policyTypes: ['Egress'],
})

test('a denied connection names the policy and the side, and stops where the node stops it', () => {
  const inbound = ask([denyIngress])
  assert.equal(inbound.verdict.kind, 'deny')
  assert.match(inbound.verdict.says, /networkpolicy\/ns\/deny isolates pod\/ns\/web for ingress and no rule allows it/)
  assert.equal(inbound.verdict.because.object, 'networkpolicy/ns/deny')
  assert.equal(inbound.steps.at(-1)?.node, 'node-2')
  assert.ok(inbound.steps.some(({ stage }) => stage === 'route'))
  const outbound = ask([denyEgress])
  assert.match(outbound.verdict.says, /pod\/ns\/client for egress/)
  assert.equal(outbound.steps.at(-1)?.node, 'node-1')
  assert.ok(!outbound.steps.some(({ stage }) => stage === 'route'), 'it never leaves its node')
})

test('of many policies a sentence names a few, and says how many more', () => {
  const many = Array.from({ length: 20 }, (_, at) =>
    policyObject(`deny-${at}`, { podSelector: {}, policyTypes: ['Ingress'] }),
  )
  assert.match(
    ask(many).verdict.says,
    /^(networkpolicy\/ns\/deny-\d+, ){4}networkpolicy\/ns\/deny-\d+ and 15 more isolate /,
  )
})

test('the rule that decided, and those that did not with their reasons', () => {
  const rules = policyObject('web', {
    podSelector: { matchLabels: { app: 'web' } },
    ingress: [
      { from: [{ podSelector: { matchLabels: { app: 'gateway' } } }] },
      { from: [{ ipBlock: { cidr: '192.0.2.0/24' } }] },
      { from: [{ podSelector: { matchLabels: { app: 'client' } } }], ports: [{ port: 'http' }] },
    ],
  })
  const allowed = ask([denyIngress, rules])
  assert.equal(allowed.verdict.kind, 'allow')
  const text = renderAnswer(allowed)
  assert.match(
    text,
    /networkpolicy\/ns\/web spec\.ingress\[0\] does not match pod\/ns\/client: .*its labels are app=client/,
  )
  assert.match(text, /spec\.ingress\[1\] does not match .*10\.244\.1\.2 is not in it/)
  assert.match(text, /spec\.ingress\[2\] matches: pods app=client in ns, "http"\/tcp/)
  const wrongPort = ask([rules], { port: 9999 })
  assert.equal(wrongPort.verdict.kind, 'deny')
  assert.match(renderAnswer(wrongPort), /matches the peer, but not the port: 9999\/tcp is not "http"\/tcp/)
  assert.equal(wrongPort.verdict.because.field, 'spec.ingress[2].ports')
})

test('a rule for the Service’s port is told apart: policies see the pod’s', () => {
  const service: KubeObject[] = [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'ns' },
      spec: { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'], ports: [{ port: 80, targetPort: 8080 }] },
    } as KubeObject,
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'web-1', namespace: 'ns', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.244.2.3'], conditions: { ready: true } }],
      ports: [{ port: 8080, protocol: 'TCP' }],
    } as KubeObject,
  ]
  const says = (policy: NetworkPolicy): string =>
    explainConnection(
      snapshotOf([...world, ...service, policy]),
      {
        from: pod('client'),
        to: { kind: 'address', address: parseAddress('10.96.0.9') as Address },
        transport: 'tcp',
        port: 80,
      },
      { clusterDomain: 'cluster.local', servicePrefixes: [] },
    ).verdict.says
  const ports = (port: number) => [{ ports: [{ port }] }]
  const remedy = /; policies see the pod’s port: write 8080 in that rule, not the Service’s 80$/
  assert.match(says(policyObject('in', { podSelector: {}, ingress: ports(80) })), remedy)
  assert.match(says(policyObject('out', { podSelector: {}, policyTypes: ['Egress'], egress: ports(80) })), remedy)
  assert.doesNotMatch(says(policyObject('in', { podSelector: {}, ingress: ports(81) })), remedy)
})

test('a denial says that an answer of DNS may let it pass, where a rule before it allows names', () => {
  const names = (...egress: object[]): KubeObject =>
    ({
      apiVersion: 'policy.networking.k8s.io/v1alpha2',
      kind: 'ClusterNetworkPolicy',
      metadata: { name: 'names' },
      spec: { tier: 'Admin', priority: 1, subject: { namespaces: {} }, egress },
    }) as KubeObject
  const says = (...objects: readonly KubeObject[]): string =>
    explainConnection(
      snapshotOf([...world, ...objects]),
      { from: pod('client'), to: pod('web'), transport: 'tcp', port: 8080 },
      { clusterDomain: 'cluster.local', servicePrefixes: [] },
    ).verdict.says
  const accept = { action: 'Accept', to: [{ domainNames: ['files.test'] }] }
  const deny = { action: 'Deny', to: [{ networks: ['0.0.0.0/0'] }] }
  const told = /, unless DNS told the pod this address for a name of clusternetworkpolicy\/names spec\.egress\[0\]\.to/
  assert.match(says(names(accept, deny)), told)
  assert.match(says(names(accept), denyEgress), told)
  assert.doesNotMatch(says(names(deny, accept)), told)
})

test('a node always reaches its own pods, and is an address to those of others', () => {
  const from = (name: string): Partial<Question> => ({ from: { kind: 'node', name } })
  assert.equal(ask([denyIngress], from('node-2')).verdict.kind, 'allow')
  assert.equal(ask([denyIngress], from('node-1')).verdict.kind, 'deny')
  const block = policyObject('nodes', {
    podSelector: {},
    ingress: [{ from: [{ ipBlock: { cidr: '172.30.0.11/32' } }] }],
  })
  assert.equal(ask([denyIngress, block], from('node-1')).verdict.kind, 'allow')
  const toNode = (address: string) =>
    ask([denyEgress], { to: { kind: 'address', address: parseAddress(address) as Address } }).verdict.kind
  assert.equal(toNode('172.30.0.11'), 'allow', 'its own node')
  assert.equal(toNode('172.30.0.12'), 'deny', 'another node')
})

test('a cluster-wide policy may keep a pod from its own node; NetworkPolicies have the word before the baseline', () => {
  const wide = (tier: 'Admin' | 'Baseline') =>
    clusterPolicyObject('w', {
      tier,
      priority: 1,
      subject: { namespaces: {} },
      egress: [{ action: 'Deny', to: [{ nodes: {} }] }],
    })
  const toOwn = (...objects: readonly KubeObject[]) =>
    explainConnection(
      snapshotOf([...world, ...objects]),
      { from: pod('client'), to: { kind: 'address', address: parseAddress('172.30.0.11') }, transport: 'tcp', port: 1 },
      { clusterDomain: 'cluster.local', servicePrefixes: [] },
    ).verdict
  assert.match(
    toOwn(wide('Admin'), denyEgress).says,
    /^clusternetworkpolicy\/w spec\.egress\[0\].*denies it for egress/,
  )
  assert.equal(toOwn(wide('Baseline')).kind, 'deny')
  assert.equal(toOwn(wide('Baseline'), denyEgress).kind, 'allow')
})

const audited = (policy: NetworkPolicy, value = 'true'): NetworkPolicy => ({
  ...policy,
  metadata: { ...policy.metadata, annotations: { 'plumb.network/audit': value } },
})

test('an audited policy says what it would deny and lets it pass; beside an enforced one it allows nothing', () => {
  const passing = ask([audited(denyIngress)])
  assert.equal(passing.verdict.kind, 'allow')
  const steps = passing.steps.filter(({ stage }) => stage === 'policy').map(({ says }) => says)
  assert.match(steps.at(-1) ?? '', /networkpolicy\/ns\/deny would deny it for ingress, and only audits: it passes/)
  const open = policyObject('open', { podSelector: {}, policyTypes: ['Ingress'], ingress: [{}] })
  assert.equal(ask([denyIngress, audited(open)]).verdict.kind, 'deny')
  assert.equal(ask([audited(denyIngress, 'yes')]).verdict.kind, 'deny')
  assert.deepEqual(
    ask([audited(denyIngress, 'yes')]).findings.map(({ code }) => code),
    ['UnknownAuditValue'],
  )
})

test('the kernel is asked for the chain that the policies make; another one contradicts', () => {
  const answer = ask([denyIngress], { from: pod('web'), to: pod('client') })
  const wanted = observationsOf(answer).filter(({ kind }) => kind === 'policy')
  const [one] = wanted
  assert.ok(wanted.length === 1 && one?.kind === 'policy')
  assert.deepEqual([one.node, one.direction, one.address], ['node-1', 'ingress', '10.244.1.2'])
  assert.match(one.expect, /^goto ingress-/)
  const kernel = (verdict?: string) => {
    const held = confirm(answer, new Map([[one, { kind: 'policy', ...(verdict === undefined ? {} : { verdict }) }]]))
    return held.steps.find(({ observation }) => observation === one)?.observed?.kind
  }
  assert.deepEqual([kernel(one.expect), kernel('accept'), kernel()], ['agrees', 'disagrees', 'disagrees'])
})
