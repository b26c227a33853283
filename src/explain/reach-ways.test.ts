// Services, external addresses, routes, certificates and exits: what leads where, and what a change makes of it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../objects/index.ts'
import { certificateOf } from './certificate.fixture.ts'
import { check, diffReach, reach, readAssertions, settingOf } from './index.ts'

const workload = (name: string, more = ''): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: shop}
spec:
  template:
    metadata: {labels: {app: ${name}}}
    spec: {${more}containers: [{name: main, ports: [{name: http, containerPort: 8080}]}]}
`
const base = (tls: { crt: string; key: string }): string =>
  [
    workload('web'),
    workload('db'),
    workload('client'),
    workload('agent', 'hostNetwork: true, '),
    `
apiVersion: v1
kind: Node
metadata: {name: node-1}
spec: {podCIDRs: [10.244.1.0/24]}
status: {addresses: [{type: InternalIP, address: 172.30.0.11}]}`,
    `
apiVersion: v1
kind: Node
metadata: {name: node-2}
spec: {podCIDRs: [10.244.2.0/24]}
status: {addresses: [{type: InternalIP, address: 172.30.0.12}]}`,
    `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  selector: {app: web}
  loadBalancerSourceRanges: [203.0.113.0/24]
  ports: [{name: http, port: 80, targetPort: http, nodePort: 30080}]
status: {loadBalancer: {ingress: [{ip: 192.0.2.10}]}}`,
    `
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {internalTrafficPolicy: Local, selector: {app: db}, ports: [{port: 5432, targetPort: 8080}]}`,
    `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 8080}]}]}`,
    `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: plumb
  listeners: [{name: https, port: 443, protocol: HTTPS, hostname: shop.example, tls: {certificateRefs: [{name: tls}]}}]`,
    `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{name: web, port: 80}]}]`,
    `
apiVersion: v1
kind: Secret
metadata: {name: tls, namespace: shop}
type: kubernetes.io/tls
data: {tls.crt: ${tls.crt}, tls.key: ${tls.key}}`,
    `
apiVersion: plumb.network/v1alpha1
kind: Egress
metadata: {name: out}
spec: {appliedTo: {podSelector: {matchLabels: {app: client}}}, egressIPs: [172.30.0.220], destinationCIDRs: [198.51.100.0/24]}`,
  ].join('\n---\n')
const setting = (text: string) => settingOf(parseAllDocuments(text).map((one) => one.toJS() as KubeObject))
const first = base(certificateOf('shop.example'))
const told = (text: string) =>
  reach(setting(text)).ways.map(
    ({ kind, id, verdict, leadsTo, clients }) =>
      `${kind} ${id} ${verdict === 'deny' ? '✗' : '→'} ${leadsTo.join()}${clients === undefined ? '' : ` for ${clients === 'everybody' ? clients : clients.join()}`}`,
  )

test('every way that is promised: who is behind it and for whom', () => {
  const ways = told(first)
  assert.deepEqual(ways.slice(0, 6), [
    'service service/shop/web:80/tcp → deployment/shop/web:8080 for everybody',
    'service service/shop/db:5432/tcp → deployment/shop/db:8080 for deployment/shop/db,deployment/shop/web',
    'external service/shop/web 80/tcp at 192.0.2.10 → deployment/shop/web:8080 for outside 203.0.113.0/24',
    'node-port service/shop/web node port 30080/tcp IPv4 → deployment/shop/web:8080 for outside IPv4',
    'route gateway/shop/edge https://shop.example:443/* → deployment/shop/web:8080',
    ways[5],
  ])
  assert.match(
    ways[5]!,
    /^certificate .*shop\.example:443 → secret\/shop\/tls \(shop\.example; until \d{4}-.*SHA-256 [0-9a-f]{16}/,
  )
  assert.deepEqual(ways.slice(6), ['exit deployment/shop/client to 198.51.100.0/24 → 172.30.0.220'])
  const db = reach(setting(first)).ways.find(({ id }) => id.startsWith('service/shop/db'))
  assert.match(db?.says ?? '', /nobody on 1 nodes \(node-2\)/)
})

test('an endpoint that is no pod, as the API server’s, is behind its Service for those whose policies let them go there', () => {
  const api = `${first}
---
apiVersion: v1
kind: Service
metadata: {name: kubernetes, namespace: default}
spec: {clusterIP: 10.96.0.1, ports: [{name: https, port: 443, targetPort: 6443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kubernetes, namespace: default, labels: {kubernetes.io/service-name: kubernetes}}
addressType: IPv4
endpoints: [{addresses: [172.30.0.2], conditions: {ready: true}}]
ports: [{name: https, port: 6443, protocol: TCP}]`
  const closed = `${api}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 172.30.0.0/24}}], ports: [{port: 443}]}]}`
  const way = (text: string) => told(text).filter((one) => one.includes('default/kubernetes'))
  const leads = 'service service/default/kubernetes:443/tcp → 172.30.0.2:6443 for'
  assert.deepEqual(way(api), [`${leads} everybody`])
  const others = 'deployment/shop/agent,deployment/shop/client,deployment/shop/db'
  assert.deepEqual(way(closed), [`${leads} ${others}`])
  assert.deepEqual(way(closed.replace('port: 443}]}]}', 'port: 6443}]}]}')), [`${leads} everybody`])
  const change = diffReach(setting(api), setting(closed)).changes.find(({ what }) => what === 'service')
  assert.equal(change?.says, 'closed for deployment/shop/web')
  assert.equal(change?.because.object, 'networkpolicy/shop/web')
})

test('a pod of its node’s network is the node to policies, and what it offers no policy guards', () => {
  const edges = reach(setting(first)).edges.map(({ from, to }) => `${from} ${to}`)
  assert.ok(edges.includes('deployment/shop/client deployment/shop/agent'))
  assert.ok(edges.includes('deployment/shop/agent deployment/shop/web'))
  assert.ok(!edges.includes('deployment/shop/agent deployment/shop/db'))
})

test('each change is told once with its object and field, the worst first', () => {
  const changed = (text: string) =>
    diffReach(setting(first), setting(text)).changes.map(
      ({ severity, kind, what, subject, says, because }) =>
        `${severity} ${kind} ${what} ${subject}: ${says} (${because.object} ${because.field})`,
    )
  const one = (text: string, ...expected: readonly (string | RegExp)[]): void => {
    const found = changed(text)
    assert.equal(found.length, expected.length, found.join('\n'))
    for (const [at, wanted] of expected.entries())
      if (typeof wanted === 'string') assert.equal(found[at], wanted)
      else assert.match(found[at]!, wanted)
  }
  one(first)
  one(
    first.replace('172.30.0.220', '172.30.0.221'),
    'high changed exit deployment/shop/client to 198.51.100.0/24: leads to 172.30.0.221 instead of 172.30.0.220 (egress/out spec.egressIPs)',
  )
  one(
    base(certificateOf('shop.example')),
    /^medium changed certificate gateway\/shop\/edge .* \(secret\/shop\/tls data\[tls\.crt\]\)$/,
  )
  one(
    first.replace('backendRefs: [{name: web', 'backendRefs: [{name: nobody'),
    /^high closed route gateway\/shop\/edge .*: 500: .* \(httproute\/shop\/web spec\.rules\[0\]/,
  )
  one(
    first.replace('203.0.113.0/24', '203.0.113.0/25'),
    /^high closed external .*: closed for outside 203\.0\.113\.0\/24 \(service\/shop\/web/,
    /^high opened external .*: opened for outside 203\.0\.113\.0\/25 \(service\/shop\/web/,
  )
  one(
    first.replace('{podSelector: {matchLabels: {app: web}}}]', '{podSelector: {matchLabels: {app: client}}}]'),
    /^medium closed connection deployment\/shop\/web → deployment\/shop\/db: tcp 8080 closed \(networkpolicy\/shop\/db spec\.ingress/,
    /^medium closed service service\/shop\/db:5432\/tcp: closed for deployment\/shop\/web \(networkpolicy\/shop\/db/,
    /^medium opened connection deployment\/shop\/client → deployment\/shop\/db/,
    /^medium opened service .* for deployment\/shop\/client/,
  )
})

test('assertions about Services, routes, exits and what lies between', () => {
  const list = readAssertions({
    assertions: [
      { from: 'deploy/shop/web', to: 'svc/shop/db', port: 5432, expect: 'allow', via: 'deployment/shop/db' },
      { from: 'deploy/client', to: 'svc/shop/db', port: 5432, expect: 'deny' },
      { from: '203.0.113.7', to: '192.0.2.10', port: 80, expect: 'allow', via: 'svc/shop/web', exit: '203.0.113.7' },
      { from: '198.51.100.7', to: '192.0.2.10', port: 80, expect: 'deny' },
      {
        from: '203.0.113.7',
        to: 'https://shop.example/',
        expect: 'allow',
        route: 'httproute/shop/web',
        via: 'gateway/shop/edge',
      },
      {
        from: 'deploy/shop/client',
        to: '198.51.100.9',
        port: 443,
        expect: 'allow',
        exit: '172.30.0.220',
        via: 'egress/out',
      },
      { from: 'deploy/shop/web', to: 'pod/shop/db-deployment', protocol: 'icmp', expect: 'deny' },
      { from: 'deploy/shop/web', to: '198.51.100.9', port: 443, expect: 'allow', exit: '172.30.0.220' },
      { from: '203.0.113.7', to: 'https://shop.example/', expect: 'allow', route: 'httproute/shop/api' },
      { from: 'deploy/shop/wbe', to: 'svc/shop/db', port: 5432, expect: 'deny' },
      { from: 'deploy/shop/web', to: 'svc/shop/db', port: 5432, expect: 'allow', via: 'node/node-9' },
    ],
  })
  assert.ok(typeof list !== 'string', String(list))
  const results = check(setting(first), list)
  assert.deepEqual(
    results.map(({ outcome }) => outcome),
    [...Array(7).fill('passed'), 'failed', 'failed', 'broken', 'broken'],
    results.map(({ says }) => says).join('\n'),
  )
  assert.match(results[7]!.says, /leaves as 172\.30\.0\.11, not as 172\.30\.0\.220/)
  assert.match(results[8]!.says, /taken by httproute\/shop\/web/)
  assert.match(results[9]!.says, /did you mean shop\/web/)
  assert.equal(results[1]!.because?.object, 'networkpolicy/shop/db')
})

test('a name that several namespaces have is listed, and what an assertion file says wrong is told by field', () => {
  const two = `${first}\n---\n${workload('web').replace('namespace: shop', 'namespace: other')}`
  const [result] = check(setting(two), [{ from: 'deploy/web', to: '192.0.2.10', port: 80, expect: 'allow' }])
  assert.match(result!.says, /ambiguous; say which: deployment\/shop\/web, deployment\/other\/web/)
  const wrong = (one: object): string =>
    String(readAssertions({ assertions: [{ from: 'a', to: 'b', expect: 'allow', ...one }] }))
  assert.match(wrong({ port: 80, exits: '1' }), /^assertions\[0\]\.exits: no such field/)
  assert.match(wrong({ port: 80, exit: 'x' }), /\.exit: "x" is no IP address/)
  assert.match(wrong({ port: 80, expect: 'deny', via: 'node/a' }), /\.via: what is denied has none/)
  assert.match(wrong({ to: 'http://a/', port: 80 }), /\.port: the URL has it/)
  assert.match(wrong({ protocol: 'icmp', port: 8 }), /\.port: a ping has none/)
})
