import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type AddressMove, Nodes, type ServiceL2Status } from '../objects/index.ts'
import { addressMoves } from './address-move.ts'
import { serviceL2Statuses } from './announcement-gc.ts'
import { type Cluster, readyNode, startCluster, until } from './cluster.fixture.ts'

let cluster: Cluster
before(async () => {
  const controllers = ['address-moves', 'announcement-garbage-collector']
  cluster = await startCluster({ controllers, addressMoveDeadlineMs: 300 })
})
after(() => cluster.close())

const apiVersion = 'plumb.network/v1alpha1'
const names = async (resource: typeof addressMoves): Promise<string> =>
  (await cluster.client.list(resource)).items
    .map(({ metadata }) => metadata.name)
    .sort()
    .join()

test('what a node told of Services goes with the node, and nothing else does', async () => {
  const { client } = cluster
  const told = (name: string, node: string): ServiceL2Status => {
    const service = { serviceName: 'web', serviceNamespace: 'default', address: '192.0.2.7' }
    const status = { ...service, node, interfaces: [], since: '2026-01-01T00:00:00Z', reason: 'nobody had it' }
    return { apiVersion, kind: 'ServiceL2Status', metadata: { name, namespace: 'default' }, status }
  }
  for (const name of ['node-1', 'node-2']) await client.create(Nodes, readyNode(name))
  for (const [name, node] of [
    ['a', 'node-1'],
    ['b', 'node-2'],
    ['c', 'node-3'],
  ] as const)
    await client.create(serviceL2Statuses, told(name, node))
  await until('that of an unknown node is gone', async () => (await names(serviceL2Statuses)) === 'a,b')
  await client.delete(Nodes, undefined, 'node-1')
  await until('that of the deleted node too', async () => (await names(serviceL2Statuses)) === 'b')
})

test('an AddressMove that nobody carries out fails; one that ended an hour ago is removed', async () => {
  const { client } = cluster
  const move = (name: string, node = 'node-1'): AddressMove => {
    return { apiVersion, kind: 'AddressMove', metadata: { name }, spec: { address: '192.0.2.7', node } }
  }
  const end = (name: string, ageMs: number) => {
    const lastTransitionTime = new Date(Date.now() - ageMs).toISOString().replace(/\.\d+Z$/, 'Z')
    const status = { conditions: [{ type: 'Complete', status: 'True', lastTransitionTime }] }
    return client.patch(addressMoves, undefined, name, 'merge', { status }, { subresource: 'status' })
  }
  for (const name of ['lost', 'new', 'old']) await client.create(addressMoves, move(name))
  await end('new', 60_000)
  await end('old', 3_700_000)
  await until('the old one is gone', async () => (await names(addressMoves)) === 'lost,new')
  const conditions = () =>
    client.get<AddressMove>(addressMoves, undefined, 'lost').then(({ status }) => status?.conditions ?? [])
  await until('the one that nobody carries out has an end', async () => (await conditions()).length > 0)
  const [failed] = await conditions()
  assert.deepEqual([failed?.type, failed?.status, failed?.reason], ['Failed', 'True', 'DeadlineExceeded'])
  assert.match(failed?.message ?? '', /192\.0\.2\.7 did not come to node-1/)
  const changed = client.update(addressMoves, {
    ...(await client.get(addressMoves, undefined, 'new')),
    ...{ spec: move('', 'node-2').spec },
  })
  await assert.rejects(changed, /is for one move; create another AddressMove/)
  await assert.rejects(
    client.create(addressMoves, { ...move('bad'), spec: { address: 'web', node: 'n' } }),
    /write an IPv4 or an IPv6 address/,
  )
})
