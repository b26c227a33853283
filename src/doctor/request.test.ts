import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { settingOf } from '../explain/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { gatewayProbes, routeRequest } from './request.ts'

const manifests = `
{apiVersion: v1, kind: Node, metadata: {name: node-1}, status: {addresses: [{type: InternalIP, address: 172.30.0.11}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.96.0.9, ports: [{port: 80}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: other, namespace: shop}
spec:
  ingressClassName: plumb
  rules: [{host: in.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec: {gatewayClassName: plumb, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec: {parentRefs: [{name: edge}], hostnames: [gw.example], rules: [{backendRefs: [{name: web, port: 80}]}]}`

test('a request is tried at the gateway that has a route for it, beside Ingresses of the same port', () => {
  const { snapshot, gateways } = settingOf(parseAllDocuments(manifests).map((one) => one.toJS() as KubeObject))
  const port = (host: string, more: { port?: number } = {}) => {
    const request = { scheme: 'http' as const, host, path: '/', objects: [], ...more }
    const routed = routeRequest(gateways, snapshot, request, '2026-01-01T00:00:00Z')
    const [probe] = gatewayProbes(snapshot, routed, [])
    const rule = 'rule' in routed.answer ? routed.answer.rule?.because.object : undefined
    return `${rule} at ${(probe?.port ?? 0) >= 20_000 ? 'its own port' : 'port 80'}`
  }
  assert.equal(port('in.example'), 'ingress/shop/other at port 80')
  assert.equal(port('gw.example'), 'httproute/shop/web at its own port')
  assert.equal(port('gw.example', { port: 80 }), 'httproute/shop/web at its own port')
})
