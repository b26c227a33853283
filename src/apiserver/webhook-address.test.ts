import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeObject, Webhook } from '../objects/index.ts'
import { Entry } from './entry.ts'
import type { Reader } from './store.ts'
import { webhookAddress } from './webhook-address.ts'

function reader(objects: Readonly<Record<string, object>>): Reader {
  const entries = Object.entries(objects).map(([path, object]) => {
    const [collection = '', key = ''] = path.split(' ')
    return new Entry(collection, key, 1, 1, Buffer.from(JSON.stringify(object)))
  })
  return {
    find: (collection, key) => entries.find((entry) => entry.collection === collection && entry.key === key),
    range: (collection, prefix) =>
      entries.filter((entry) => entry.collection === collection && entry.key.startsWith(prefix)).values(),
  }
}

const service = (ports: object[]): KubeObject =>
  ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's', namespace: 'n' }, spec: { ports } }) as KubeObject
const slice = (name: string, port: string, number: number, ready: boolean, address: string) => ({
  metadata: { name, labels: { 'kubernetes.io/service-name': 's' } },
  endpoints: [{ addresses: [address], conditions: { ready } }],
  ports: [{ name: port, port: number }],
})
const hook = (port?: number) =>
  ({
    name: 'h',
    clientConfig: { service: { name: 's', namespace: 'n', path: '/x', ...(port ? { port } : {}) } },
  }) as Webhook

for (const [name, objects, asked, expected] of [
  ['no Service', {}, hook(), 'service "s" not found'],
  ['no such port', { '/services n/s': service([{ port: 80 }]) }, hook(), 'no service port 443 found for service "s"'],
  ['no endpoints', { '/services n/s': service([{ port: 443 }]) }, hook(), 'no endpoints available for service "s"'],
  [
    'endpoints that are not ready, or of another port',
    {
      '/services n/s': service([{ name: 'https', port: 443 }]),
      'discovery.k8s.io/endpointslices n/s-1': slice('s-1', 'https', 8443, false, '10.0.0.1'),
      'discovery.k8s.io/endpointslices n/s-2': slice('s-2', 'metrics', 9090, true, '10.0.0.2'),
    },
    hook(),
    'no endpoints available for service "s"',
  ],
  [
    'a ready one, by the name of the port',
    {
      '/services n/s': service([{ name: 'https', port: 8443 }]),
      'discovery.k8s.io/endpointslices n/s-1': slice('s-1', 'https', 9443, true, '10.0.0.1'),
    },
    hook(8443),
    { host: '10.0.0.1', port: 9443, serverName: 's.n.svc', shown: 'https://s.n.svc:8443/x?timeout=10s' },
  ],
] as const)
  test(`where a webhook listens: ${name}`, () => {
    const found = webhookAddress(reader(objects), asked)
    if (typeof found === 'string') assert.equal(found, expected)
    else
      assert.deepEqual(
        { host: found.host, port: found.port, serverName: found.serverName, shown: found.shown },
        expected,
      )
  })
