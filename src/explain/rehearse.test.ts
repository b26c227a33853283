import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../objects/index.ts'
import { explainConnection, rehearse, settingOf } from './index.ts'

const deployment = (name: string, more = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  ...{
    spec: {
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', ports: [{ name: 'http', containerPort: 8080 }] }] },
      },
      ...more,
    },
  },
})
const service = (selector: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  ...{ spec: { selector, ports: [{ port: 80, targetPort: 'http' }] } },
})
const policy: KubeObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'closed' },
  ...{ spec: { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Ingress'] } },
}
const ask = (...objects: KubeObject[]) =>
  explainConnection(
    rehearse([deployment('client'), ...objects]).snapshot,
    {
      from: { kind: 'pod', namespace: 'default', name: 'client' },
      to: { kind: 'service', namespace: 'default', name: 'web' },
      transport: 'tcp',
      port: 80,
    },
    { clusterDomain: 'cluster.local', servicePrefixes: [] },
  )

test('manifests alone: a Service reaches the pods that its workload would make', () => {
  const answer = ask(deployment('web'), service({ app: 'web' }))
  assert.equal(answer.verdict.kind, 'allow', answer.verdict.says)
  assert.deepEqual(
    answer.branches.map(({ endpoint }) => [endpoint.pod, endpoint.port]),
    [['default/web-deployment', 8080]],
  )
})

test('manifests alone: a policy, a selector and a workload without replicas are told as in a cluster', () => {
  const because = (...objects: KubeObject[]): string => {
    const { verdict } = ask(...objects)
    return `${verdict.kind} ${verdict.because.object}`
  }
  assert.equal(because(deployment('web'), service({ app: 'web' }), policy), 'deny networkpolicy/default/closed')
  assert.match(because(deployment('web'), service({ app: 'wbe' })), /^deny service\/default\/web/)
  assert.match(because(deployment('web', { replicas: 0 }), service({ app: 'web' })), /^deny service\/default\/web/)
})

test('addresses are made up beside those that the manifests give, and out of the node’s prefix', () => {
  const given: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'given', namespace: 'default' },
    ...{ spec: { nodeName: 'node-7', containers: [] }, status: { podIPs: [{ ip: '10.9.7.2' }] } },
  }
  const host: KubeObject = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node-7' },
    ...{ spec: { podCIDRs: ['10.9.7.0/24'] }, status: { addresses: [{ type: 'InternalIP', address: '172.30.0.17' }] } },
  }
  const { snapshot } = rehearse([deployment('web'), given, host])
  assert.deepEqual(
    [...snapshot.pods.values()].map(({ spec, status }) => `${spec.nodeName} ${status?.podIPs?.[0]?.ip}`).sort(),
    ['node-7 10.9.7.2', 'node-7 10.9.7.3'],
  )
})

test('what was made up is said', () => {
  const { assumptions } = rehearse([deployment('web')])
  const empty = rehearse([{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } }])
  assert.ok(empty.assumptions.includes('service/web has no spec and is left out'))
  assert.deepEqual(
    assumptions.map((one) => one.split(' ').slice(0, 3).join(' ')),
    ['the manifests alone', 'all pods run', 'names are resolved,', 'each workload has'],
  )
})

test('a route that no listener takes is told which there are, and what keeps it out', () => {
  const says = (parentRef: string, kind = 'HTTPRoute'): string => {
    const text = `
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: edge, namespace: a}, spec: {gatewayClassName: plumb,
  listeners: [{name: http, port: 80, protocol: HTTP}, {name: db, port: 5432, protocol: TCP, allowedRoutes: {namespaces: {from: All}}}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: ${kind}, metadata: {name: r, namespace: b}, spec: {parentRefs: [${parentRef}], rules: [{}]}}`
    const { gateways } = settingOf(parseAllDocuments(text).map((one) => one.toJS() as KubeObject))
    return gateways.findings.map((one) => `${one.code}: ${one.says}`).join('; ')
  }
  const at = (more: string): string => `{name: edge, namespace: a, ${more}}`
  assert.match(
    says(at('sectionName: www')),
    /^NoMatchingParent: .* no listener "www"; there are http on 80, db on 5432/,
  )
  assert.match(says(at('port: 81')), /^NoMatchingParent: .* no listener on port 81; there are/)
  const refused = says(at('sectionName: db'))
  assert.match(refused, /^NotAllowedByListeners: listener db \(TCP\) takes TCPRoute, not HTTPRoute/)
  assert.match(says(at('sectionName: http')), /listener http leaves out namespace b \(allowedRoutes\.namespaces\)/)
})
