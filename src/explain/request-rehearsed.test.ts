// Requests to the gateways that manifests ask for, without a cluster.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { parseAddress } from '../addr/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { confirm, type End, explainRequestWay, observationsOf, type RequestAsked, rehearse } from './index.ts'

const workload = (name: string, replicas = 1): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: shop}
spec:
  replicas: ${replicas}
  template:
    metadata: {labels: {app: ${name}}}
    spec: {containers: [{name: main, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {selector: {app: ${name}}, ports: [{port: 80, targetPort: 8080}]}
`
const manifests = `
${workload('web')}
---
${workload('canary')}
---
${workload('idle', 0)}
---
apiVersion: v1
kind: Node
metadata: {name: node-1}
spec: {podCIDRs: [10.244.1.0/24, 'fd00:244::/64']}
status: {addresses: [{type: InternalIP, address: 172.30.0.11}, {type: InternalIP, address: 'fd00:30::11'}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: plumb
  listeners:
    - {name: http, port: 80, protocol: HTTP}
    - {name: tls, port: 443, protocol: TLS, hostname: '*.pass.example', tls: {mode: Passthrough}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  hostnames: [shop.example]
  rules:
    - matches: [{path: {type: PathPrefix, value: /cart}}]
      backendRefs: [{name: web, port: 80, weight: 3}, {name: canary, port: 80, weight: 1}]
    - matches: [{path: {type: PathPrefix, value: /order}, method: POST, headers: [{name: X-Version, value: '2'}]}]
      backendRefs: [{name: web, port: 80}]
    - matches: [{path: {type: PathPrefix, value: /half}}]
      backendRefs: [{name: web, port: 80, weight: 1}, {name: idle, port: 80, weight: 1}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {name: pass, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  hostnames: [a.pass.example]
  rules: [{backendRefs: [{name: web, port: 80}]}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: office, namespace: shop, annotations: {nginx.ingress.kubernetes.io/whitelist-source-range: 198.51.100.0/24}}
spec:
  rules:
    - host: office.example
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
`
const { snapshot, gateways, assumptions } = rehearse(
  parseAllDocuments(manifests).map((one) => one.toJS() as KubeObject),
)
const outside = (address: string): End => ({ kind: 'address', address: parseAddress(address) })
const ask = (url: string, more: Partial<RequestAsked> = {}, from = outside('203.0.113.9')) =>
  explainRequestWay(snapshot, from, { url, ...more }, gateways, { clusterDomain: 'cluster.local', servicePrefixes: [] })
const said = (...asked: Parameters<typeof ask>): string => {
  const { verdict } = ask(...asked)
  return `${verdict.kind} ${verdict.because.object} ${verdict.because.field}: ${verdict.says}`
}

test('a Gateway that is in manifests alone answers by weight, at pods that its workloads would make', () => {
  const { verdict, branches } = ask('http://shop.example/cart/1')
  assert.equal(verdict.kind, 'allow', verdict.says)
  assert.deepEqual(
    branches.map(({ endpoint, share }) => [endpoint.pod, `${share.one}/${share.of}`]),
    [
      ['shop/web-deployment', '3/4'],
      ['shop/canary-deployment', '1/4'],
    ],
  )
  assert.ok(assumptions.some((one) => one.startsWith('gatewayclass/plumb, ingressclass/plumb')))
})

test('method, header and SNI decide, and half of a route may be without pods', () => {
  assert.match(said('http://shop.example/order'), /^deny httproute\/shop\/web .*404/)
  const asked = { method: 'POST', headers: { 'x-version': '2' } }
  assert.match(said('http://shop.example/order', asked), /^allow httproute\/shop\/web spec\.rules\[1\]/)
  assert.match(said('http://shop.example/half'), /^deny service\/shop\/idle spec\.selector: 1 of 2 requests get no pod/)
  assert.match(said('https://a.pass.example/'), /^allow tlsroute\/shop\/pass/)
  assert.match(said('https://a.pass.example/', { sni: 'b.pass.example' }), /^deny .*the connection is closed/)
  assert.match(said('http://shop.example:8080/cart'), /^deny .*nothing listens there/)
})

test('who asks decides where a route lists its clients, and by which family', () => {
  assert.match(
    said('http://office.example/'),
    /^deny ingress\/shop\/office .*answers 403 itself: 203\.0\.113\.9 is in none/,
  )
  assert.match(said('http://office.example/', {}, outside('198.51.100.7')), /^allow ingress\/shop\/office/)
  const { steps } = ask('http://shop.example/cart', {}, outside('2001:db8::7'))
  assert.ok(steps.some(({ says }) => says.startsWith('fd00:30::11 is node-1')))
})

test('HAProxy is asked for each server, and one that is not there or rests turns the answer', () => {
  const answer = ask('http://shop.example/cart/1')
  const servers = observationsOf(answer).filter(({ kind }) => kind === 'server')
  assert.deepEqual(
    servers.map((one) => one.kind === 'server' && one.backend),
    ['shop:web:80', 'shop:canary:80'],
  )
  const held = (status?: string) =>
    confirm(
      answer,
      new Map(servers.map((one) => [one, { kind: 'server', ...(status === undefined ? {} : { status }) }])),
    )
  assert.equal(held('no check').verdict.kind, 'allow')
  assert.match(held().verdict.says, /HAProxy has no server 10\.244\.1\.\d:8080 in backend shop:web:80/)
  assert.match(held('MAINT').verdict.says, /is MAINT, 0 requests so far/)
})
