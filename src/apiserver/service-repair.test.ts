import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePrefix } from '../addr/index.ts'
import type { KubeObject, Service } from '../objects/index.ts'
import type { Core } from './core.ts'
import { Metrics } from './metrics.ts'
import { startTestServer } from './server.fixture.ts'
import { ServiceAllocator } from './service-allocation.ts'
import { repairServices } from './service-repair.ts'
import { Store } from './store.ts'

const path = '/apis/networking.k8s.io/v1/ipaddresses'
const services = '/api/v1/namespaces/default/services'

test('each ClusterIP has an IPAddress with upstream’s labels and reference, from its creation to its end', async () => {
  await using server = await startTestServer()
  const { client } = server
  const names = async (): Promise<string[]> =>
    (await client.call('GET', path)).body.items.map((one: KubeObject) => one.metadata.name).sort()
  assert.deepEqual(await names(), ['10.96.0.1'], 'the Service kubernetes')
  const spec = { ports: [{ port: 80 }], clusterIP: '10.96.0.77', ipFamilyPolicy: 'SingleStack' }
  assert.equal((await client.call('POST', services, { metadata: { name: 'web' }, spec })).code, 201)
  const { body } = await client.call('GET', `${path}/10.96.0.77`)
  assert.deepEqual(body.metadata.labels, {
    'ipaddress.kubernetes.io/ip-family': 'IPv4',
    'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
  })
  assert.deepEqual(body.spec, { parentRef: { group: '', resource: 'services', namespace: 'default', name: 'web' } })
  const dual = await client.call('PATCH', `${services}/web`, { spec: { ipFamilyPolicy: 'PreferDualStack' } })
  assert.deepEqual(await names(), ['10.96.0.1', '10.96.0.77', dual.body.spec.clusterIPs[1]])
  await client.call('PATCH', `${services}/web`, { spec: { ipFamilyPolicy: 'SingleStack' } })
  assert.deepEqual(await names(), ['10.96.0.1', '10.96.0.77'])
  const tried = { metadata: { name: 'tried' }, spec: { ...spec, clusterIP: '10.96.0.78' } }
  assert.equal((await client.call('POST', `${services}?dryRun=All`, tried)).code, 201)
  await client.call('DELETE', `${services}/web`)
  assert.deepEqual(await names(), ['10.96.0.1'])
})

test('an address that somebody reserved is not given out', async () => {
  await using server = await startTestServer({ serviceCidrs: ['10.96.0.0/30'] })
  const { client } = server
  const reserved = {
    metadata: { name: '10.96.0.2' },
    spec: { parentRef: { group: 'example.com', resource: 'things', name: 'mine' } },
  }
  assert.equal((await client.call('POST', path, reserved)).code, 201)
  const spec = { ports: [{ port: 80 }] }
  const explicit = await client.call('POST', services, {
    metadata: { name: 'a' },
    spec: { ...spec, clusterIP: '10.96.0.2' },
  })
  assert.match(explicit.body.message, /provided IP is already allocated/)
  const dynamic = await client.call('POST', services, { metadata: { name: 'a' }, spec })
  assert.match(dynamic.body.message, /range is full/)
  await client.call('DELETE', `${path}/10.96.0.2`)
  assert.equal(
    (await client.call('POST', services, { metadata: { name: 'a' }, spec })).body.spec.clusterIP,
    '10.96.0.2',
  )
})

test('the record of an address in use is made again when somebody deletes it', async () => {
  await using server = await startTestServer()
  const { client } = server
  await client.call('POST', services, {
    metadata: { name: 'web' },
    spec: { ports: [{ port: 80 }], clusterIP: '10.96.0.5' },
  })
  const watch = await client.watch(`${path}?watch=true`)
  const next = async (): Promise<string> => {
    const { type, object } = (await watch.next()) as { type: string; object: KubeObject }
    return `${type} ${object.metadata.name}`
  }
  assert.deepEqual([await next(), await next()], ['ADDED 10.96.0.1', 'ADDED 10.96.0.5'])
  await client.call('DELETE', `${path}/10.96.0.1`)
  assert.deepEqual([await next(), await next()], ['DELETED 10.96.0.1', 'ADDED 10.96.0.1'])
  watch.close()
  const { body } = await client.call('GET', '/api/v1/namespaces/default/events')
  const [event] = body.items.filter(({ reason }: { reason: string }) => reason === 'ClusterIPNotAllocated')
  assert.equal(event.message, 'Cluster IP [IPv4]: 10.96.0.1 is not allocated; repairing')
  assert.equal(event.involvedObject.name, 'kubernetes')
  const metrics = await client.call('GET', '/metrics')
  assert.match(metrics.text, /apiserver_clusterip_repair_ip_errors_total\{type="repair"\} 1/)
})

/** A store with Services as a broken restore may leave them, and what a pass tells of them. */
async function pass(
  made: readonly Service[],
  records: readonly KubeObject[] = [],
  now = Date.now(),
): Promise<{ told: string[]; names: string[]; text: string; core: Core }> {
  const store = new Store(':memory:')
  const allocator = new ServiceAllocator([parsePrefix('10.96.0.0/24')], { first: 30_000, last: 32_767 })
  const core = { store, allocator, metrics: new Metrics() } as unknown as Core
  await store.write((transaction) => {
    for (const one of made) transaction.put('/services', `${one.metadata.namespace}/${one.metadata.name}`, one)
    for (const one of records) transaction.put('networking.k8s.io/ipaddresses', one.metadata.name, one)
  })
  await store.write((transaction) => repairServices(core, transaction, now))
  const events = [...store.collection('/events').range('')].map(({ value }) => value as KubeObject & Told)
  const names = [...store.collection('networking.k8s.io/ipaddresses').range('')].map(({ key }) => key)
  const told = events.map(({ involvedObject, reason, count }) => `${involvedObject.name} ${reason} ${count}`).sort()
  return { told, names, text: core.metrics.text(0), core }
}

interface Told {
  readonly involvedObject: { readonly name: string }
  readonly reason: string
  readonly count: number
}

const service = (name: string, clusterIP: string, nodePort?: number, day = 1): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'ns', uid: name, creationTimestamp: `2026-01-0${day}T00:00:00Z` },
  spec: {
    type: nodePort === undefined ? 'ClusterIP' : 'NodePort',
    clusterIP,
    clusterIPs: [clusterIP],
    ports: [{ port: 80, ...(nodePort === undefined ? {} : { nodePort }) }],
  },
})
const record = (address: string, name: string, labels?: Record<string, string>): KubeObject =>
  ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IPAddress',
    metadata: {
      name: address,
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: labels ?? {
        'ipaddress.kubernetes.io/ip-family': 'IPv4',
        'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
      },
    },
    spec: { parentRef: { group: '', resource: 'services', namespace: 'ns', name } },
  }) as KubeObject

test('a pass tells duplicates, addresses out of range and broken ones, and repairs what is lost', async () => {
  const other = record('10.96.0.9', 'kept')
  const { told, names, text } = await pass(
    [
      service('kept', '10.96.0.9'),
      service('old', '10.96.0.5', 30_001, 1),
      service('young', '10.96.0.5', 30_001, 2),
      service('far', '10.97.0.5', 80),
      service('broken', 'no'),
      service('moved', '10.96.0.6'),
    ],
    [other, record('10.96.0.5', 'old'), record('10.96.0.6', 'gone'), record('10.96.0.7', 'gone')],
  )
  assert.deepEqual(told, [
    '10.96.0.7 IPAddressNotAllocated 1',
    'broken ClusterIPNotValid 1',
    'far ClusterIPOutOfRange 1',
    'far PortOutOfRange 1',
    'moved ClusterIPNotAllocated 1',
    'old PortNotAllocated 1',
    'young ClusterIPAlreadyAllocated 1',
    'young PortAlreadyAllocated 1',
  ])
  assert.deepEqual(names, ['10.96.0.5', '10.96.0.6', '10.96.0.9'])
  assert.match(text, /apiserver_clusterip_repair_ip_errors_total\{type="duplicate"\} 1/)
  assert.match(text, /apiserver_nodeport_repair_port_errors_total\{type="duplicate"\} 1/)
})

test('orphans have a minute, records of others stay, lost labels come back, and a second pass counts up', async () => {
  const young = { ...record('10.96.0.7', 'gone'), metadata: { ...record('10.96.0.7', 'gone').metadata } }
  const now = Date.parse('2026-01-01T00:00:30Z')
  const foreign = record('10.96.0.8', 'gone', {})
  const bare = record('10.96.0.9', 'kept', {})
  const first = await pass(
    [service('kept', '10.96.0.9', 30_001), service('twin', '10.96.0.10', 30_001, 2)],
    [young, foreign, bare],
    now,
  )
  assert.deepEqual(first.names, ['10.96.0.10', '10.96.0.7', '10.96.0.8', '10.96.0.9'])
  const { store } = first.core
  const labels = store.collection('networking.k8s.io/ipaddresses').find('10.96.0.9')?.value.metadata.labels
  assert.equal(labels?.['ipaddress.kubernetes.io/managed-by'], 'ipallocator.k8s.io')
  await store.write((transaction) => repairServices(first.core, transaction, now))
  const counts = [...store.collection('/events').range('')].map(
    ({ value }) => `${(value as KubeObject & Told).reason} ${(value as KubeObject & Told).count}`,
  )
  assert.deepEqual(counts.sort(), ['ClusterIPNotAllocated 1', 'PortAlreadyAllocated 2', 'PortNotAllocated 1'])
})
