import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { snapshotOf } from '../cluster/index.ts'
import { type Ingress, noGatewayApi, type Secret, type Sources } from '../gateways/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { gatewayView, ingressView, renderEntryView } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumb-entry-'))
after(() => rmSync(folder, { recursive: true }))
const [key, chain] = [join(folder, 'key'), join(folder, 'chain')]
execFileSync('openssl', [
  ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'],
  ...['-subj', '/CN=shop', '-addext', 'subjectAltName=DNS:shop.example', '-keyout', key, '-out', chain],
])
const read = (path: string): string => readFileSync(path).toString('base64')
const secret: Secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'tls', namespace: 'shop' },
  type: 'kubernetes.io/tls',
  data: { 'tls.crt': read(chain), 'tls.key': read(key) },
}
const service = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  ...{ spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] } },
})
const snapshot = snapshotOf([
  service('web'),
  service('empty'),
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-a', namespace: 'shop', labels: { app: 'web' } },
    ...{ spec: { nodeName: 'node-1', containers: [] }, status: { podIPs: [{ ip: '10.244.1.3' }] } },
  },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    ...{
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.244.1.3'], conditions: { ready: true } }],
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    },
  },
])
const path = (text: string, name: string) => ({
  path: text,
  pathType: 'Prefix' as const,
  backend: { service: { name, port: { number: 80 } } },
})
const ingress = (spec: Ingress['spec'], address?: string): Ingress => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { ingressClassName: 'plumb', ...spec },
  ...(address === undefined ? {} : { status: { loadBalancer: { ingress: [{ ip: address }] } } }),
})
const sources = (some: Partial<Sources>): Sources => ({
  ingresses: [],
  ingressClasses: [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: { name: 'plumb' },
      spec: { controller: 'plumb.network/gateway' },
    },
  ],
  gatewayApi: noGatewayApi,
  secrets: new Map([['shop/tls', secret]]),
  configMaps: new Map(),
  namespaces: new Map(),
  services: snapshot.services,
  slicesOf: (name) => snapshot.slicesOf(name),
  ...some,
})
const show = (one: Ingress) => {
  const view = ingressView(snapshot, sources({ ingresses: [one] }), 'shop', 'web')
  assert.ok(typeof view !== 'string')
  return view
}
const dayMs = 86_400_000

test('an Ingress: address, certificate, each rule with the pods behind it', () => {
  const rules = [{ host: 'shop.example', http: { paths: [path('/', 'web')] } }]
  const view = show(ingress({ tls: [{ hosts: ['shop.example'], secretName: 'tls' }], rules }, '172.30.0.11'))
  assert.deepEqual(view.health, { kind: 'serves', says: '1 rule to 1 endpoint' })
  const text = renderEntryView(view, Date.now())
  assert.match(text, /^✓ ingress\/shop\/web \(class plumb\)/)
  assert.match(text, /Addresses\n {2}172\.30\.0\.11/)
  assert.match(text, /✓ secret\/shop\/tls for shop\.example, good until \d{4}-/)
  assert.match(text, /shop\.example {2}prefix \/\n {6}✓ service\/shop\/web:80\n {10}10\.244\.1\.3:8080 shop\/web-a/)
  assert.match(renderEntryView(view, Date.now() + 40 * dayMs), /✗ secret\/shop\/tls for shop\.example, expired \d{4}-/)
  assert.doesNotMatch(JSON.stringify(view), /PRIVATE|BEGIN/)
})

test('an Ingress: what does not serve says why, and a part that serves stays', () => {
  const paths = [path('/', 'web'), path('/empty', 'empty'), path('/gone', 'gone')]
  const view = show(ingress({ rules: [{ host: 'shop.example', http: { paths } }] }, '172.30.0.11'))
  assert.equal(view.health.kind, 'partly')
  const text = renderEntryView(view, 0)
  assert.match(
    text,
    /✗ service\/shop\/empty:80: no ready endpoint, so clients get 503: .*\(service\/shop\/empty spec\.selector\)/,
  )
  assert.match(text, /! ingress\/shop\/web spec\.rules\[0\]\.http\.paths\[2\]\.backend.*gone/)
  const missing = show(ingress({ tls: [{ hosts: ['shop.example'], secretName: 'no' }], rules: [{ http: { paths } }] }))
  assert.match(missing.listeners[0]?.problem ?? '', /default certificate/)
})

test('an Ingress of another class is nobody’s fault; an unknown name gets the nearest', () => {
  const ingressClasses = [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: { name: 'plumb' },
      spec: { controller: 'x' },
    },
  ]
  const one = ingress({ rules: [{ http: { paths: [path('/', 'web')] } }] })
  const other = ingressView(snapshot, sources({ ingresses: [one], ingressClasses }), 'shop', 'web')
  assert.equal(typeof other === 'string' ? other : other.health.kind, 'ignored')
  const unknown = ingressView(snapshot, sources({ ingresses: [one] }), 'shop', 'wbe')
  assert.equal(unknown, 'there is no Ingress shop/wbe; did you mean web?')
})

const gateway = (hostname?: string) => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'front', namespace: 'shop' },
  spec: {
    gatewayClassName: 'plumb',
    listeners: [
      {
        name: 'https',
        port: 443,
        protocol: 'HTTPS',
        tls: { certificateRefs: [{ name: 'tls' }] },
        ...(hostname === undefined ? {} : { hostname }),
      },
    ],
  },
  status: {
    addresses: [{ value: '203.0.113.50' }],
    conditions: [{ type: 'Programmed', status: 'True' as const, reason: 'Programmed', message: 'nodes serve it' }],
  },
})
const route = (backend: string) => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'HTTPRoute',
  metadata: { name: 'cart', namespace: 'shop' },
  spec: {
    parentRefs: [{ name: 'front' }],
    hostnames: ['shop.example'],
    rules: [{ backendRefs: [{ name: backend, port: 80 }] }],
  },
})
const showGateway = (hostname: string | undefined, backend?: string, name = 'front') => {
  const gatewayApi = {
    ...noGatewayApi,
    classes: [
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'GatewayClass',
        metadata: { name: 'plumb' },
        spec: { controllerName: 'plumb.network/gateway-controller' },
      },
    ],
    gateways: [gateway(hostname)],
    httpRoutes: backend === undefined ? [] : [route(backend)],
  }
  return gatewayView(snapshot, sources({ gatewayApi }), 'shop', name)
}

test('a Gateway: address, listener with certificate, route, rule, pods, conditions', () => {
  const view = showGateway(undefined, 'web')
  assert.ok(typeof view !== 'string')
  assert.equal(view.health.kind, 'serves')
  const text = renderEntryView(view, Date.now())
  assert.match(text, /Listeners\n {2}https: 443\/HTTPS for \*\n {4}✓ secret\/shop\/tls for shop\.example, good until/)
  assert.match(
    text,
    /httproute\/shop\/cart\n {4}shop\.example {2}prefix \/\n {6}✓ service\/shop\/web:80\n {10}10\.244\.1\.3:8080 shop\/web-a/,
  )
  assert.match(text, /Programmed=True {2}Programmed: nodes serve it/)
})

test('a Gateway: no route, a backend that is not there, a listener of other hosts, an unknown name', () => {
  const health = (...[hostname, backend]: [string | undefined, string?]): string => {
    const view = showGateway(hostname, backend)
    return typeof view === 'string' ? view : `${view.health.kind} ${view.health.says}`
  }
  assert.match(health(undefined), /^refuses no route names it/)
  assert.match(
    health(undefined, 'gone'),
    /^refuses httproute\/shop\/cart: BackendNotFound: there is no service\/shop\/gone/,
  )
  assert.match(health('other.example', 'web'), /^refuses httproute\/shop\/cart: NoMatchingListenerHostname/)
  assert.equal(showGateway(undefined, 'web', 'frnot'), 'there is no Gateway shop/frnot; did you mean front?')
})
