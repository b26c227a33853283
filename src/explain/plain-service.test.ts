import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyOf, snapshotOf } from '../cluster/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { findPlainService } from './plain-service.ts'

function service(name: string, address: string, labels: Record<string, string> = {}): KubeObject {
  const spec = { clusterIPs: ['10.96.0.9'], ports: [{ port: 80, nodePort: 30080 }] }
  const status = { loadBalancer: { ingress: [{ ip: address }] } }
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'shop', labels },
    spec,
    status,
  } as KubeObject
}

const node = { metadata: { name: 'a' }, status: { addresses: [{ type: 'InternalIP', address: '172.30.0.11' }] } }
const snapshot = snapshotOf([
  { apiVersion: 'v1', kind: 'Node', ...node } as KubeObject,
  service('web', '172.30.0.200'),
  service('edge', '172.30.0.201', { 'gateway.networking.k8s.io/gateway-name': 'edge' }),
])

test('a URL leads to a Service itself by its addresses, its node ports and its names, and to gateways otherwise', () => {
  const cases: [string, number, string | undefined, string | undefined][] = [
    ['172.30.0.200', 80, undefined, 'shop/web'],
    ['172.30.0.200', 81, undefined, undefined],
    ['10.96.0.9', 80, undefined, 'shop/web'],
    ['172.30.0.11', 30080, undefined, 'shop/web'],
    ['172.30.0.11', 80, undefined, undefined],
    ['172.30.0.201', 80, undefined, undefined],
    ['web', 80, 'shop', 'shop/web'],
    ['web', 80, undefined, undefined],
    ['web', 80, 'other', undefined],
    ['web.shop', 80, undefined, 'shop/web'],
    ['web.shop.svc.cluster.local', 80, undefined, 'shop/web'],
    ['web.shop.example', 80, 'shop', undefined],
  ]
  for (const [host, port, namespace, expected] of cases) {
    const found = findPlainService(snapshot, host, port, namespace)
    assert.equal(found && keyOf(found.service), expected, `${host}:${port}`)
  }
})
