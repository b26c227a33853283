import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import type { KubeObject, Service } from '../objects/index.ts'
import { nodeObject, podObject } from '../policies/cluster.fixture.ts'
import { explainConnection } from './index.ts'

const slice = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', namespace: 'ns', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.244.1.3'], nodeName: 'node-1', conditions: { ready: true } }],
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
} as KubeObject
const world = [nodeObject(1), nodeObject(2), podObject('web', { labels: { app: 'web' }, node: 1, index: 3 }), slice]
const service = (spec: object, status: object = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'ns', uid: 'u' },
    spec: {
      clusterIP: '10.96.0.9',
      clusterIPs: ['10.96.0.9'],
      ports: [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30080 }],
      ...spec,
    },
    status,
  }) as Service

function ask(object: KubeObject, client = '203.0.113.7', port: number | string | undefined = 80) {
  return explainConnection(
    snapshotOf([...world, object]),
    {
      from: { kind: 'address', address: parseAddress(client) },
      to: { kind: 'service', namespace: 'ns', name: 'web' },
      transport: 'tcp',
      ...(port === undefined ? {} : { port }),
    },
    { clusterDomain: 'cluster.local', servicePrefixes: [] },
  )
}

test('a client outside that means a Service asks for its external address', () => {
  const given = service({ type: 'LoadBalancer' }, { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } })
  for (const port of [80, 'http', undefined]) {
    const { verdict, steps } = ask(given, '203.0.113.7', port)
    assert.equal(verdict.kind, 'allow', verdict.says)
    assert.match(steps[1]?.says ?? '', /clients outside ask for service\/ns\/web at 192\.0\.2\.1/)
    assert.ok(steps.some(({ says }) => says.includes('192.0.2.1 is a load balancer’s address')))
  }
  assert.equal(ask(service({ externalIPs: ['198.51.100.1'] })).verdict.kind, 'allow')
  assert.match(ask(given, '2001:db8::7').verdict.says, /has no external IPv6 address, only 192\.0\.2\.1$/)
})

test('without one it is told why, and what there is; a manifest cannot tell yet', () => {
  const says = (...told: Parameters<typeof service>) => {
    const { verdict } = ask(service(...told))
    return `${verdict.kind}: ${verdict.says}`
  }
  const conditions = [{ type: 'plumb.network/AddressesAssigned', status: 'False', message: '192.0.2.1 is in use' }]
  const pending =
    /^deny: service\/ns\/web has no external address: 192\.0\.2\.1 is in use; node addresses .* port 30080$/
  assert.match(says({ type: 'LoadBalancer' }, { conditions }), pending)
  assert.match(says({ type: 'LoadBalancer' }), /^deny: .* has no external address yet: nobody has given it one; node/)
  assert.match(says({ type: 'NodePort' }), /^deny: .* is of type NodePort; node addresses lead to it at port 30080$/)
  assert.match(says({ ports: [{ port: 80 }] }), /^deny: .* is of type ClusterIP; give it type LoadBalancer or NodePort/)
  const manifest = service({ type: 'LoadBalancer' })
  const { uid: _, ...metadata } = manifest.metadata
  assert.equal(ask({ ...manifest, metadata }).verdict.kind, 'allow')
})
