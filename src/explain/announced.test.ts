import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Address, parseAddress } from '../addr/index.ts'
import { snapshotOf, underlayAnnotation } from '../cluster/index.ts'
import type { EndpointSlice, IPAddressPool, KubeObject, L2Advertisement, Node, Service } from '../objects/index.ts'
import { namespaceObject, nodeObject, podObject, policyObject } from '../policies/cluster.fixture.ts'
import {
  confirm,
  type Entry,
  type Evidence,
  explainConnection,
  externalAddresses,
  observationsOf,
  type Question,
} from './index.ts'

const external = '172.30.0.200'
const client = '203.0.113.10'
const pool: IPAddressPool = {
  apiVersion: 'plumb.network/v1alpha1',
  kind: 'IPAddressPool',
  metadata: { name: 'default' },
  spec: { addresses: ['172.30.0.200-172.30.0.209', 'fd00:30::200/124', '198.51.100.0/24'] },
}
const advertisement = (spec: L2Advertisement['spec'] = {}): L2Advertisement => ({
  apiVersion: 'plumb.network/v1alpha1',
  kind: 'L2Advertisement',
  metadata: { name: 'default' },
  spec: { nodeSelectors: [{ matchLabels: { edge: 'yes' } }], ...spec },
})
const service = (spec: Partial<Service['spec']> = {}, ip = external): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'ns' },
  spec: {
    type: 'LoadBalancer',
    clusterIP: '10.96.0.50',
    clusterIPs: ['10.96.0.50'],
    selector: { app: 'web' },
    ports: [{ name: 'http', port: 80, targetPort: 8080 }],
    ...spec,
  },
  status: { loadBalancer: { ingress: [{ ip }] } },
})
const slice = (prefix: string): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', namespace: 'ns', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: prefix.includes(':') ? 'IPv6' : 'IPv4',
  endpoints: [1, 2].map((on) => ({
    addresses: [prefix.includes(':') ? `fd00:244:0:${on}::3` : `10.244.${on}.3`],
    nodeName: `node-${on}`,
    conditions: { ready: true, serving: true, terminating: false },
  })),
  ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
})
/** node-1 takes external addresses, and its underlay is told. */
const withSegment = (index: number, segment: string, own = `172.30.0.1${index}`): Node => {
  const node = nodeObject(index, index === 1 ? { edge: 'yes' } : {})
  const annotations = { [underlayAnnotation]: `segments=${segment} vxlan=80:8472 mtu=1500` }
  const status: Node['status'] = { addresses: [{ type: 'InternalIP', address: own }] }
  return { ...node, metadata: { ...node.metadata, annotations }, status }
}
const nodes = [nodeObject(1, { edge: 'yes' }), nodeObject(2), nodeObject(3)]
const pods = [1, 2].map((node) => podObject(`web-${node}`, { labels: { app: 'web' }, node, index: 3 }))
const shown: readonly KubeObject[] = [...nodes, namespaceObject('ns'), ...pods, slice('10.'), pool, advertisement()]

function ask(objects: readonly KubeObject[], { from = client, to = external }: { from?: string; to?: string } = {}) {
  const end = (text: string): Question['from'] =>
    text.startsWith('node-') ? { kind: 'node', name: text } : { kind: 'address', address: parseAddress(text) }
  const question: Question = { from: end(from), to: end(to), transport: 'tcp', port: 80 }
  return explainConnection(snapshotOf(objects), question, { clusterDomain: 'cluster.local', servicePrefixes: [] })
}
const seenBy = (...asked: Parameters<typeof ask>) =>
  ask(...asked)
    .branches.map(({ endpoint, seenAs }) => `${endpoint.node} ${seenAs}`)
    .join(', ')
const replace = (kind: string, ...by: KubeObject[]) => [...shown.filter((one) => one.kind !== kind), ...by]

const six = 'fd00:30::200'
const cases: readonly [string, string, readonly KubeObject[], Parameters<typeof ask>[1]?][] = [
  ['announced, one node holds it: the address itself', `node-1 ${external}, node-2 ${external}`, [...shown, service()]],
  [
    'the same over IPv6',
    `node-1 ${six}, node-2 ${six}`,
    [
      ...replace('EndpointSlice', slice('fd00:')),
      service({ clusterIP: 'fd00:96::50', clusterIPs: ['fd00:96::50'] }, six),
    ],
    { from: 'fd00:99::10', to: six },
  ],
  [
    'without an advertisement: the node',
    'node-1 172.30.0.11, node-2 172.30.0.11',
    [...replace('L2Advertisement'), service()],
  ],
  [
    'another load balancer’s objects of these names say nothing',
    'node-1 172.30.0.11, node-2 172.30.0.11',
    [...replace('L2Advertisement', { ...advertisement(), apiVersion: 'metallb.io/v1beta1' }), service()],
  ],
  [
    'an advertisement of another pool: the node',
    'node-1 172.30.0.11, node-2 172.30.0.11',
    [...replace('L2Advertisement', advertisement({ ipAddressPools: ['other'] })), service()],
  ],
  ['out of no pool: the node', 'node-1 172.30.0.11, node-2 172.30.0.11', [...replace('IPAddressPool'), service()]],
  [
    'policy Local: the client itself, at the holder alone',
    `node-1 ${client}`,
    [...shown, service({ externalTrafficPolicy: 'Local' })],
  ],
  ['a node asks: its own address', 'node-1 172.30.0.13, node-2 172.30.0.13', [...shown, service()], { from: 'node-3' }],
  [
    'an address beyond the holder’s segment: the node, for routers need not find the holder',
    'node-1 172.30.0.11, node-2 172.30.0.11',
    [...replace('Node', withSegment(1, '172.30.0.0/24'), withSegment(2, '172.30.0.0/24')), service({}, '198.51.100.1')],
    { to: '198.51.100.1' },
  ],
  [
    'an endpoint behind the tunnel: the node, for the answer would not find the address',
    `node-1 ${external}, node-2 172.30.0.11`,
    [...replace('Node', withSegment(1, '172.30.0.0/24'), withSegment(2, '172.31.0.0/24', '172.31.0.12')), service()],
  ],
]
for (const [name, expected, objects, question] of cases)
  test(`what endpoints see behind an external address: ${name}`, () =>
    assert.equal(seenBy(objects, question), expected))

test('a policy judges the external address on another node, and the client itself on the holder', () => {
  const allowing = (cidr: string) =>
    ask([
      ...shown,
      service(),
      policyObject('web', { podSelector: {}, policyTypes: ['Ingress'], ingress: [{ from: [{ ipBlock: { cidr } }] }] }),
    ])
  const verdicts = (cidr: string) => allowing(cidr).branches.map(({ verdict }) => verdict.kind)
  assert.deepEqual(verdicts('172.30.0.11/32'), ['deny', 'deny'], 'the holder’s own address allows nothing')
  assert.deepEqual(verdicts(`${external}/32`), ['deny', 'allow'])
  assert.deepEqual(verdicts(`${client}/32`), ['allow', 'deny'])
  const [, far] = allowing('172.30.0.11/32').branches
  assert.match(far?.verdict.says ?? '', /networkpolicy\/ns\/web isolates pod\/ns\/web-2/)
})

test('the way in begins at the node that is first in rank, and the answer finds whoever holds the address', () => {
  const moved = nodes.map((node) => ({ ...node, metadata: { ...node.metadata, labels: { edge: node.metadata.name } } }))
  const selected = advertisement({ nodeSelectors: [{ matchLabels: { edge: 'node-2' } }] })
  const others = shown.filter(({ kind }) => kind !== 'Node' && kind !== 'L2Advertisement')
  const { steps, branches } = ask([...others, ...moved, selected, service()])
  assert.match(steps[0]?.says ?? '', /come in at node-2/)
  const says = branches.map(({ steps: way }) => way.find(({ stage }) => stage === 'reply')?.says)
  const seen = `the pod sees ${external} as its client; conntrack`
  assert.deepEqual(says, [
    `${seen} on node-2, or whichever node holds the address then, turns the answer back to ${client}`,
    `${seen} there turns the answer back to ${client}`,
  ])
  const survival = steps.find((step) => /connections survive/.test(step.says))
  assert.match(survival?.says ?? '', /^one node at a time holds 172\.30\.0\.200 \(L2Advertisement\)/)
})

const everywhere = advertisement({ nodeSelectors: [] })
const told = (node: string, since: string): KubeObject =>
  ({
    apiVersion: 'plumb.network/v1alpha1',
    kind: 'ServiceL2Status',
    metadata: { name: `web-${node}`, namespace: 'ns' },
    status: { node, serviceName: 'web', serviceNamespace: 'ns', address: external, interfaces: [], since, reason: '' },
  }) as KubeObject
const unheard = (index: number): Node => {
  const node = nodeObject(index)
  return { ...node, status: { ...node.status, conditions: [{ type: 'Ready', status: 'Unknown' }] } }
}
const early = '2026-01-01T10:00:00Z'
const late = '2026-01-01T11:00:00Z'
const entries: readonly [string, readonly KubeObject[], string, RegExp, string][] = [
  [
    'the node that says that it holds the address, whoever is first in rank',
    [told('node-2', early)],
    'node-2, which holds 172.30.0.200 since 2026-01-01T10:00:00Z (servicel2status/ns/web-node-2)',
    /^node-2 still holds 172\.30\.0\.200: its word/,
    '',
  ],
  [
    'the same for the next',
    [told('node-3', early)],
    'node-3, which holds 172.30.0.200 since 2026-01-01T10:00:00Z (servicel2status/ns/web-node-3)',
    /^node-3 still/,
    '',
  ],
  [
    'two say so: the newer word, and the contradiction',
    [told('node-2', early), told('node-3', late)],
    'node-3, which holds 172.30.0.200 since 2026-01-01T11:00:00Z (servicel2status/ns/web-node-3)',
    /^node-3 still/,
    'TwoHolders',
  ],
  [
    'a node whose Lease has lapsed does not count',
    [told('node-2', early), told('node-3', late), unheard(3)],
    'node-2, which holds 172.30.0.200 since 2026-01-01T10:00:00Z (servicel2status/ns/web-node-2)',
    /^node-2 still/,
    '',
  ],
]
for (const [name, more, comesIn, assumption, finding] of entries)
  test(`the way in to an address that one node at a time holds: ${name}`, () => {
    const { steps, assumptions, findings } = ask([...replace('L2Advertisement', everywhere), service(), ...more])
    assert.equal(steps[0]?.says.replace(/^.*come in at /, ''), comesIn)
    assert.match(assumptions.at(-1) ?? '', assumption)
    assert.equal(findings[0]?.code ?? '', finding)
  })

test('while nobody’s word counts it is the first in rank of those that are heard, and that is told', () => {
  const rank = externalAddresses(snapshotOf([...replace('L2Advertisement', everywhere), service()]))[0]?.candidates
  const [first = '', second = ''] = rank?.map(({ node }) => node) ?? []
  const silent = unheard(Number(first.at(-1)))
  const asked = (...more: KubeObject[]) => ask([...replace('L2Advertisement', everywhere), service(), ...more])
  assert.match(asked().steps[0]?.says ?? '', new RegExp(`come in at ${first}, the first in rank`))
  assert.match(asked().assumptions.at(-1) ?? '', /no node has said that it does$/)
  const { steps, assumptions } = asked(silent, told(first, early))
  assert.match(steps[0]?.says ?? '', new RegExp(`come in at ${second}, the first in rank`))
  assert.match(assumptions.at(-1) ?? '', new RegExp(`says ${first}, but ${first} has not renewed its Lease`))
})

test('a holder that the objects do not allow comes before everything else', () => {
  const { steps, findings } = ask([...shown, service(), told('node-3', early)])
  assert.match(steps[0]?.says ?? '', /come in at node-3, which holds/)
  assert.equal(findings[0]?.code, 'HolderNotEligible')
  assert.match(findings[0]?.says ?? '', /by the objects only node-1 may hold$/)
})

test('of an external address: who may hold it in order, and why each other node may not', () => {
  const excluded: Node = nodeObject(3, { edge: 'yes', 'node.kubernetes.io/exclude-from-external-load-balancers': '' })
  const objects = [...shown.filter(({ metadata }) => metadata.name !== 'node-3'), excluded, told('node-1', early)]
  const seen = (spec: Partial<Service['spec']>) => externalAddresses(snapshotOf([...objects, service(spec)]))[0]
  const one = seen({})
  assert.deepEqual(one?.for, ['service/ns/web'])
  assert.deepEqual(
    one?.holders.map(({ node, stale }) => [node, stale]),
    [['node-1', undefined]],
  )
  assert.deepEqual(one?.candidates, [
    { node: 'node-1', refused: undefined },
    { node: 'node-2', refused: 'nodeSelectors of l2advertisement/default do not select it' },
    { node: 'node-3', refused: 'it has the label node.kubernetes.io/exclude-from-external-load-balancers' },
  ])
  const quiet = externalAddresses(snapshotOf([...objects.filter(({ kind }) => kind !== 'EndpointSlice'), service()]))
  assert.deepEqual(
    quiet[0]?.candidates.map(({ refused }) => refused),
    ['the Service has no ready endpoint', 'the Service has no ready endpoint', excludedSays],
  )
})
const excludedSays = 'it has the label node.kubernetes.io/exclude-from-external-load-balancers'

test('a connection under the node’s address was made before the address was announced', () => {
  const answer = ask([...shown, service()])
  const confirmed = (seen: string): string => {
    const evidence = new Map<ReturnType<typeof observationsOf>[number], Evidence>()
    for (const observation of observationsOf(answer)) {
      if (observation.kind !== 'conntrack' || observation.endpoint.address !== '10.244.2.3') continue
      assert.equal(observation.seenAs, 'external')
      const entry: Entry = {
        client: { address: client as Address, port: 40_000 },
        endpoint: observation.endpoint,
        seen: parseAddress(seen),
      }
      evidence.set(observation, { kind: 'conntrack', entries: [entry] })
    }
    const [, far] = confirm(answer, evidence).branches
    return far?.steps.find(({ observation }) => observation?.kind === 'conntrack')?.observed?.says ?? ''
  }
  assert.match(confirmed(external), /as 172\.30\.0\.200$/)
  assert.match(confirmed('172.30.0.11'), /as 172\.30\.0\.11; a new one would be seen otherwise$/)
  assert.match(confirmed(client), /under its own address; a new one would be seen otherwise$/)
})
