import assert from 'node:assert/strict'
import { test } from 'node:test'
import { snapshotOf } from '../cluster/index.ts'
import type { EndpointSlice, KubeObject, Node, Pod, Service } from '../objects/index.ts'
import { podView, renderPodView, renderWayIn, wayIn, withHolders } from './index.ts'

const node = (index: number): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: `node-${index}` },
  spec: { podCIDRs: [`10.244.${index}.0/24`] },
  status: { addresses: [{ type: 'InternalIP', address: `172.30.0.1${index}` }] },
})
const pod = (name: string, on: number, address: string, app: string, ready = true): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels: { app } },
  spec: { nodeName: `node-${on}`, containers: [{ name: 'main', ports: [{ name: 'http', containerPort: 8080 }] }] },
  status: {
    phase: 'Running',
    podIPs: [{ ip: address }],
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', ...(ready ? {} : { message: 'probe failed' }) }],
  },
})
const web = (spec: Partial<Service['spec']> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    type: 'NodePort',
    selector: { app: 'web' },
    clusterIP: '10.96.0.50',
    clusterIPs: ['10.96.0.50'],
    ports: [{ name: 'http', port: 80, targetPort: 'http', nodePort: 30080 }],
    ...spec,
  },
})
const slice = (...endpoints: readonly [address: string, on: number, ready?: boolean][]): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints: endpoints.map(([address, on, ready = true]) => ({
    addresses: [address],
    conditions: { ready, serving: ready, terminating: false },
    nodeName: `node-${on}`,
  })),
  ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
})
const base: KubeObject[] = [
  node(1),
  node(2),
  pod('web-a', 1, '10.244.1.3', 'web'),
  pod('web-b', 2, '10.244.2.3', 'web'),
]
const show = (service: Service, ...objects: KubeObject[]) => wayIn(snapshotOf([service, ...objects]), service)

test('a Service that serves: its addresses from outside to inside, its pods, and all nodes alike', () => {
  const way = show(web({ externalIPs: ['203.0.113.7'] }), ...base, slice(['10.244.1.3', 1], ['10.244.2.3', 2]))
  assert.deepEqual(
    way.entrances.map(({ kind, address, port }) => `${kind} ${address}:${port}`),
    [
      'external-ip 203.0.113.7:80',
      'node-port 172.30.0.11:30080',
      'node-port 172.30.0.12:30080',
      'cluster-ip 10.96.0.50:80',
    ],
  )
  assert.equal(way.health.kind, 'serves')
  assert.deepEqual(
    way.pods.map(({ pod: name, use }) => [name, use]),
    [
      ['shop/web-a', 'ready'],
      ['shop/web-b', 'ready'],
    ],
  )
  assert.match(renderWayIn(way), /node-1, node-2\n {4}ClusterIP, external IP, NodePort, port 80\/tcp: 2 of 2 endpoints/)
})

test('policy Local: what each node does not use, and why; a node without endpoints is silent from outside', () => {
  const way = show(web({ externalTrafficPolicy: 'Local' }), ...base, slice(['10.244.1.3', 1]))
  assert.equal(way.health.kind, 'partly')
  assert.match(way.health.says, /^NodePort from outside on node-2: the policy is Local/)
  assert.equal(way.health.because.field, 'spec.externalTrafficPolicy')
  const [first, second] = way.nodes
  assert.deepEqual(
    first?.ways.map(({ via, chosen }) => [via, chosen.length]),
    [
      [['ClusterIP', 'NodePort from inside'], 1],
      [['NodePort from outside'], 1],
    ],
  )
  const silent = second?.ways.find(({ via }) => via.includes('NodePort from outside'))
  assert.equal(silent?.outcome, 'drop')
  assert.match(silent?.unused[0]?.says ?? '', /on another node, and the policy is Local/)
})

test('a selector that misses names the pods that come nearest; an unready pod says why', () => {
  const missed = show(web({ selector: { app: 'wbe' } }), ...base)
  assert.equal(missed.health.kind, 'refuses')
  assert.match(missed.health.says, /selector app=wbe matches none of the 2 pods/)
  assert.deepEqual(
    missed.pods.map(({ pod: name, use }) => [name, use]),
    [
      ['shop/web-a', 'near'],
      ['shop/web-b', 'near'],
    ],
  )
  const sick = pod('web-a', 1, '10.244.1.3', 'web', false)
  const way = show(web(), node(1), sick, slice(['10.244.1.3', 1, false]))
  assert.equal(way.health.because.object, 'pod/shop/web-a')
  assert.match(renderWayIn(way), /✗ web-a {2}node-1 {2}10\.244\.1\.3 {2}it is not Ready \(probe failed\)/)
})

test('a load balancer without an address, a headless Service and a cluster without nodes are told apart', () => {
  const endpoints = slice(['10.244.1.3', 1])
  const pending = show(web({ type: 'LoadBalancer' }), ...base, endpoints).health
  assert.equal(pending.kind, 'partly')
  assert.equal(pending.because.field, 'status.loadBalancer.ingress')
  assert.equal(show(web({ clusterIP: 'None', clusterIPs: ['None'] }), ...base, endpoints).health.kind, 'ignored')
  assert.equal(show(web()).health.kind, 'refuses')
})

test('a pod tells its Services and policies', () => {
  const policy = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'deny', namespace: 'shop' },
    spec: { podSelector: {} },
  } as KubeObject
  const snapshot = snapshotOf([...base, web(), slice(['10.244.1.3', 1]), policy])
  const view = podView(snapshot, snapshot.pods.get('shop/web-a')!)
  assert.deepEqual(view.policies, ['networkpolicy/shop/deny'])
  assert.deepEqual(
    view.services.map(({ service, takes }) => [service, takes]),
    [['service/shop/web', true]],
  )
  assert.match(renderPodView(view), /^✓ pod\/shop\/web-a on node-1: ready/)
})

test('who holds a load balancer’s address is told beside it', () => {
  const service = { ...web({ type: 'LoadBalancer' }), status: { loadBalancer: { ingress: [{ ip: '203.0.113.80' }] } } }
  const way = withHolders(
    show(service, ...base, slice(['10.244.1.3', 1])),
    new Map([['203.0.113.80', 'held by node-2, announced 3 s ago']]),
  )
  assert.equal(way.health.kind, 'serves')
  assert.match(renderWayIn(way), /203\.0\.113\.80:80\/tcp +load balancer +port http, held by node-2, announced 3 s ago/)
})
