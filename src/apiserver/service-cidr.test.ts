import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startTestServer, type TestClient } from './server.fixture.ts'

const path = '/apis/networking.k8s.io/v1/servicecidrs'
const services = '/api/v1/namespaces/default/services'

const make = (client: TestClient, name: string, ...cidrs: string[]) =>
  client.call('POST', path, { metadata: { name }, spec: { cidrs } })
const service = (client: TestClient, name: string, spec: object = {}) =>
  client.call('POST', services, { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } })

/** Reads the ServiceCIDR until it is as wanted: its code, and status and reason of its condition Ready. */
async function until(
  client: TestClient,
  name: string,
  wanted: (code: number, ready: string) => boolean,
): Promise<void> {
  const watch = await client.watch(`${path}?watch=true`)
  for (;;) {
    const { code, body } = await client.call('GET', `${path}/${name}`)
    const ready = body.status?.conditions?.find(({ type }: { type: string }) => type === 'Ready')
    if (wanted(code, `${ready?.status} ${ready?.reason}`)) break
    await watch.next()
  }
  watch.close()
}

test('a ServiceCIDR is ready and protected at once, also the first one, and its finalizer stays', async () => {
  await using server = await startTestServer()
  const { client } = server
  const { body } = await make(client, 'more', '10.112.0.0/24')
  const first = (await client.call('GET', `${path}/kubernetes`)).body
  for (const one of [body, first]) {
    assert.deepEqual(one.metadata.finalizers, ['networking.k8s.io/service-cidr-finalizer'])
    const [{ lastTransitionTime, ...ready }] = one.status.conditions
    assert.deepEqual(ready, { type: 'Ready', status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' })
  }
  const bare = await client.call('PATCH', `${path}/more`, { metadata: { finalizers: null } })
  assert.deepEqual(bare.body.metadata.finalizers, ['networking.k8s.io/service-cidr-finalizer'])
  assert.equal(bare.body.metadata.resourceVersion, body.metadata.resourceVersion, 'nothing was written')
})

test('a full cluster gets addresses again by a second ServiceCIDR, which cannot go while they are in use', async () => {
  await using server = await startTestServer({ serviceCidrs: ['10.96.0.0/30'] })
  const { client } = server
  assert.equal((await service(client, 'a')).body.spec.clusterIP, '10.96.0.2')
  assert.match((await service(client, 'b')).body.message, /range is full/)
  const outside = await service(client, 'c', { clusterIP: '10.112.0.9' })
  assert.match(outside.body.message, /The range of valid IPs is 10.96.0.0\/30$/)
  assert.equal(
    (await client.call('POST', `${path}?dryRun=All`, { metadata: { name: 'x' }, spec: { cidrs: ['10.112.0.0/24'] } }))
      .code,
    201,
  )
  assert.match((await service(client, 'b')).body.message, /range is full/, 'a dry run gives nothing')
  await make(client, 'more', '10.112.0.0/24')
  const b = await service(client, 'b')
  assert.match(b.body.spec.clusterIP, /^10\.112\.0\./)
  assert.equal((await service(client, 'c', { clusterIP: '10.112.0.9' })).code, 201)
  assert.match((await service(client, 'd', { clusterIP: '10.112.0.9' })).body.message, /already allocated/)

  assert.equal((await client.call('DELETE', `${path}/more`)).code, 200)
  await until(client, 'more', (_, ready) => ready === 'False Terminating')
  assert.match((await service(client, 'd')).body.message, /range is full/, 'it gives nothing out any more')
  await client.call('DELETE', `${services}/b`)
  await until(client, 'more', (code, ready) => code === 200 && ready === 'False Terminating')
  await client.call('DELETE', `${services}/c`)
  await until(client, 'more', (code) => code === 404)
  assert.match((await service(client, 'd', { clusterIP: '10.112.0.9' })).body.message, /not in the valid range/)
})

test('a ServiceCIDR within another goes at once, and its addresses stay taken', async () => {
  await using server = await startTestServer({ serviceCidrs: ['10.96.0.0/28'] })
  const { client } = server
  await service(client, 'a', { clusterIP: '10.96.0.9' })
  await make(client, 'wide', '10.96.0.0/24')
  assert.match((await service(client, 'b', { clusterIP: '10.96.0.9' })).body.message, /already allocated/)
  assert.equal(
    (await service(client, 'b', { clusterIP: '10.96.0.15' })).code,
    201,
    'the narrow one’s broadcast address',
  )
  await make(client, 'inner', '10.96.0.8/29')
  await client.call('DELETE', `${path}/inner`)
  await until(client, 'inner', (code) => code === 404)
  assert.match((await service(client, 'c', { clusterIP: '10.96.0.9' })).body.message, /already allocated/)
  assert.equal((await service(client, 'd', { clusterIP: '10.96.0.77' })).code, 201)
  assert.equal((await client.call('DELETE', `${path}/wide`)).code, 200)
  await until(client, 'wide', (_, ready) => ready === 'False Terminating')
})

test('the first ServiceCIDR is made again when it is gone', async () => {
  await using server = await startTestServer({ serviceCidrs: ['10.96.0.0/28'] })
  const { client } = server
  const before = (await client.call('GET', `${path}/kubernetes`)).body.metadata.uid
  await make(client, 'wide', '10.96.0.0/16')
  await client.call('DELETE', `${path}/kubernetes`)
  await until(client, 'kubernetes', (code) => code === 200)
  const { body } = await client.call('GET', `${path}/kubernetes`)
  assert.notEqual(body.metadata.uid, before)
  assert.deepEqual([body.spec.cidrs, body.metadata.deletionTimestamp], [['10.96.0.0/28'], undefined])
})

test('a server that starts again knows the prefixes and what is taken', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'plumb-cidr-'))
  try {
    {
      await using server = await startTestServer({ dataDir, serviceCidrs: ['10.96.0.0/30'] })
      await service(server.client, 'a')
      await make(server.client, 'more', '10.112.0.0/30')
      assert.equal((await service(server.client, 'b', { clusterIP: '10.112.0.1' })).code, 201)
    }
    await using server = await startTestServer({ dataDir, serviceCidrs: ['10.96.0.0/30'] })
    assert.equal((await service(server.client, 'c')).body.spec.clusterIP, '10.112.0.2')
    assert.match((await service(server.client, 'd')).body.message, /range is full/)
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
})
