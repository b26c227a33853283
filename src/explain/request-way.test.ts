import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePrefix } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import { compileGateways, type Ingress, noGatewayApi } from '../gateways/index.ts'
import type { EndpointSlice, KubeObject, Node, Pod, Service } from '../objects/index.ts'
import { explainRequestWay, renderAnswer } from './index.ts'

const facts = { clusterDomain: 'cluster.local', servicePrefixes: [parsePrefix('10.96.0.0/16')] }
const node: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node-1' },
  spec: { podCIDRs: ['10.244.1.0/24'] },
  status: { addresses: [{ type: 'InternalIP', address: '172.30.0.11' }] },
}
const pod = (name: string, address: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels: { app: name } },
  spec: { nodeName: 'node-1', containers: [{ name: 'main', ports: [{ containerPort: 8080 }] }] },
  status: { phase: 'Running', podIPs: [{ ip: address }], conditions: [{ type: 'Ready', status: 'True' }] },
})
const service = (name: string): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  spec: {
    selector: { app: name },
    clusterIP: '10.96.0.50',
    clusterIPs: ['10.96.0.50'],
    ports: [{ port: 80, targetPort: 8080 }],
  },
})
const slice: EndpointSlice = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.244.1.3'], conditions: { ready: true }, nodeName: 'node-1' }],
  ports: [{ name: '', protocol: 'TCP', port: 8080 }],
}
const ingress: Ingress & KubeObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    ingressClassName: 'plumb',
    rules: [
      ['shop.example', 'web'],
      ['empty.example', 'empty'],
      ['gone.example', 'gone'],
    ].map(([host, name]) => ({
      host: host!,
      http: {
        paths: [
          { path: '/cart', pathType: 'Prefix' as const, backend: { service: { name: name!, port: { number: 80 } } } },
        ],
      },
    })),
  },
}
/** Its pods are none, and another Service answers instead. */
const paged = {
  ...ingress,
  metadata: { name: 'paged', namespace: 'shop', annotations: { 'nginx.ingress.kubernetes.io/default-backend': 'web' } },
  spec: {
    ...ingress.spec,
    rules: ingress.spec?.rules?.slice(1, 2).map((rule) => ({ ...rule, host: 'paged.example' })),
  },
}
const snapshot = snapshotOf([
  node,
  pod('web', '10.244.1.3'),
  pod('client', '10.244.1.2'),
  service('web'),
  { ...service('empty'), spec: { ...service('empty').spec, clusterIP: '10.96.0.51', clusterIPs: ['10.96.0.51'] } },
  slice,
])
const none = new Map()
const model = compileGateways({
  ingresses: [ingress, paged],
  ingressClasses: [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: { name: 'plumb' },
      spec: { controller: 'plumb.network/gateway' },
    },
  ],
  gatewayApi: noGatewayApi,
  secrets: none,
  configMaps: none,
  namespaces: none,
  services: snapshot.services,
  slicesOf: (key) => snapshot.slicesOf(key),
})
const client = { kind: 'pod', namespace: 'shop', name: 'client' } as const
const ask = (url: string, headers = {}) => explainRequestWay(snapshot, client, { url, headers }, model, facts)

test('a request goes by its rule to the pods behind it, with the object of every step', () => {
  const answer = ask('http://shop.example/cart/7?x=1')
  assert.equal(answer.verdict.kind, 'allow', answer.verdict.says)
  assert.deepEqual(answer.verdict.because.object, 'ingress/shop/web')
  assert.deepEqual(
    answer.branches.map(({ endpoint }) => endpoint.pod),
    ['shop/web'],
  )
  assert.ok(
    answer.steps.some(
      ({ stage, because }) => stage === 'request' && because?.field === 'spec.rules[0].http.paths[0].backend',
    ),
  )
  assert.match(
    renderAnswer(answer),
    /^✓ pod\/shop\/client → http:\/\/shop\.example\/cart\/7\?x=1: reaches service\/shop\/web/,
  )
})

const cases: readonly { url: string; headers?: Record<string, string>; says: RegExp; object: string; field: RegExp }[] =
  [
    {
      url: 'http://shop.example/other',
      says: /answers 404 itself/,
      object: 'ingress/shop/web',
      field: /^spec\.rules\[0\]/,
    },
    {
      url: 'http://nobody.example/cart',
      says: /answers 404 itself/,
      object: 'request/nobody.example',
      field: /^host$/,
    },
    {
      url: 'http://gone.example/cart',
      says: /answers 500 itself: there is no Service "gone"/,
      object: 'ingress/shop/web',
      field: /backend\.service\.name$/,
    },
    {
      url: 'http://empty.example/cart',
      says: /answers 503 itself: service\/shop\/empty has no ready endpoint/,
      object: 'service/shop/empty',
      field: /^spec\.selector$/,
    },
    {
      url: 'http://paged.example/cart',
      says: /^service\/shop\/web answers instead: service\/shop\/empty has no ready endpoint for port 80$/,
      object: 'service/shop/empty',
      field: /^spec\.selector$/,
    },
    {
      url: 'http://172.30.0.11/cart',
      headers: { host: 'gone.example' },
      says: /there is no Service "gone"/,
      object: 'ingress/shop/web',
      field: /name$/,
    },
    {
      url: 'http://shop.example:8081/cart',
      says: /the connection is closed: nothing listens there/,
      object: 'request/shop.example',
      field: /^host$/,
    },
  ]
for (const { url, headers = {}, says, object, field } of cases) {
  test(`what keeps ${url} ${JSON.stringify(headers)} from a pod is named`, () => {
    const { verdict } = ask(url, headers)
    assert.equal(verdict.kind, 'deny')
    assert.match(verdict.says, says)
    assert.equal(verdict.because.object, object)
    assert.match(verdict.because.field, field)
  })
}
