import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { LiveSnapshot } from '../cluster/index.ts'
import type { Endpoint, EndpointSlice, Pod, Service } from '../objects/index.ts'
import { listenDiscovery } from './serve.ts'

const service = (name: string, more: Partial<Service['metadata']> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop', ...more },
  spec: { type: 'ClusterIP' } as Service['spec'],
})
const endpoint = (address: string, pod: string, conditions: Endpoint['conditions'] = { ready: true }): Endpoint => ({
  addresses: [address],
  conditions,
  zone: 'z1',
  targetRef: { kind: 'Pod', name: pod, namespace: 'shop', uid: `uid-${pod}` },
})
const slice = (name: string, of: string, endpoints: Endpoint[]): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, namespace: 'shop', labels: { 'kubernetes.io/service-name': of } },
  addressType: 'IPv4',
  endpoints,
  ports: [
    { name: 'admin', port: 9000 },
    { name: 'http', port: 8080 },
  ],
})

async function rig(t: { after(fn: () => unknown): void }, isSynced = () => true) {
  const snapshot = new LiveSnapshot()
  snapshot.put('services', 'shop/web', service('web', { labels: { app: 'web' }, annotations: { note: 'n' } }))
  snapshot.put('services', 'shop/idle', service('idle'))
  snapshot.put(
    'slices',
    'shop/web-1',
    slice('web-1', 'web', [
      endpoint('10.0.0.1', 'a'),
      endpoint('10.0.0.2', 'b', { ready: false, serving: true, terminating: true }),
    ]),
  )
  snapshot.put('slices', 'shop/web-2', slice('web-2', 'web', [endpoint('10.0.0.3', 'c'), endpoint('10.0.0.1', 'a')]))
  snapshot.put('pods', 'shop/a', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', namespace: 'shop', labels: { v: '1' } },
    spec: {},
  } as unknown as Pod)
  let changed = () => {}
  const onChange = (callback: () => void) => {
    changed = callback
  }
  const server = await listenDiscovery({ snapshot, isSynced, onChange }, { host: '127.0.0.1', port: 0 })
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { snapshot, changed: () => changed(), get: (path: string, init?: RequestInit) => fetch(`${url}${path}`, init) }
}

test('/apps/{name}: all slices once each, ready ones, in the words of Spring Cloud Kubernetes', async (t) => {
  const { get } = await rig(t)
  const instances = (await (await get('/apps/web')).json()) as { host: string }[]
  assert.deepEqual(
    instances.map(({ host }) => host),
    ['10.0.0.1', '10.0.0.3'],
  )
  assert.equal(
    JSON.stringify(instances[0]),
    '{"instanceId":"uid-a","serviceId":"web","host":"10.0.0.1","port":8080,"metadata":{"app":"web","note":"n","port.admin":"9000","port.http":"8080","k8s_namespace":"shop","type":"ClusterIP","zone":"z1"},"secure":false,"namespace":"shop","cluster":null,"podMetadata":{"labels":{"v":"1"},"annotations":{}},"scheme":"http","uri":"http://10.0.0.1:8080"}',
  )
})

test('/apps, one instance, /state, and what is not there', async (t) => {
  const { get, snapshot } = await rig(t)
  const apps = (await (await get('/apps')).json()) as { name: string; serviceInstances: unknown[] }[]
  assert.deepEqual(
    apps.map(({ name, serviceInstances }) => [name, serviceInstances.length]),
    [
      ['idle', 0],
      ['web', 2],
    ],
  )
  assert.equal(((await (await get('/apps/web/uid-c')).json()) as { host: string }).host, '10.0.0.3')
  assert.equal(((await (await get('/app/web/uid-c')).json()) as { host: string }).host, '10.0.0.3')
  const nobody = await get('/apps/web/uid-x')
  assert.deepEqual([nobody.status, await nobody.text()], [200, ''])
  assert.deepEqual(await (await get('/apps/none')).json(), [])
  const state = await get('/state')
  assert.deepEqual(await state.json(), [
    { endpointName: 'a', namespace: 'shop' },
    { endpointName: 'c', namespace: 'shop' },
  ])
  const tag = state.headers.get('etag')!
  assert.equal((await get('/state', { headers: { 'if-none-match': tag } })).status, 304)
  snapshot.put('slices', 'shop/web-2', undefined)
  assert.equal((await get('/state', { headers: { 'if-none-match': tag } })).status, 200)
  for (const [path, status] of [
    ['/', 404],
    ['/apps/a/b/c', 404],
    ['/apps/%zz', 400],
  ] as const)
    assert.equal((await get(path)).status, status, path)
  assert.equal((await get('/apps', { method: 'POST' })).status, 405)
})

test('before the first lists it says 503, so that no client takes an empty catalogue for the truth', async (t) => {
  const { get } = await rig(t, () => false)
  assert.equal((await get('/apps')).status, 503)
  assert.deepEqual(await (await get('/actuator/health')).json(), { status: 'OUT_OF_SERVICE' })
})

test('as server-sent events: the list, and again when it has changed, once for changes that come together', async (t) => {
  const { get, snapshot, changed } = await rig(t)
  const answer = await get('/apps/web', { headers: { accept: 'text/event-stream' } })
  assert.equal(answer.headers.get('content-type'), 'text/event-stream')
  const events = answer.body!.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]()
  const next = async () => {
    const { value } = await events.next()
    const lists = (value as string).split('\n\n').filter((event) => event.startsWith('data: '))
    return lists.map((event) => (JSON.parse(event.slice(6)) as { host: string }[]).map(({ host }) => host))
  }
  assert.deepEqual(await next(), [['10.0.0.1', '10.0.0.3']])
  // A Service that is not asked for changes nothing.
  snapshot.put('services', 'shop/idle', undefined)
  changed()
  snapshot.put('slices', 'shop/web-2', undefined)
  changed()
  snapshot.put('slices', 'shop/web-3', slice('web-3', 'web', [endpoint('10.0.0.9', 'd')]))
  changed()
  assert.deepEqual(await next(), [['10.0.0.1', '10.0.0.9']])
})

test('the first family of a Service is told', async (t) => {
  const { get, snapshot } = await rig(t)
  const both = service('both')
  snapshot.put('services', 'shop/both', { ...both, spec: { ...both.spec!, ipFamilies: ['IPv4', 'IPv6'] } })
  snapshot.put('slices', 'shop/both-4', slice('both-4', 'both', [endpoint('10.0.0.5', 'e')]))
  snapshot.put('slices', 'shop/both-6', {
    ...slice('both-6', 'both', [endpoint('fd00::5', 'e')]),
    addressType: 'IPv6',
  })
  const instances = (await (await get('/apps/both')).json()) as { host: string }[]
  assert.deepEqual(
    instances.map(({ host }) => host),
    ['10.0.0.5'],
  )
})
