import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePrefix } from '../addr/index.ts'
import { ChangeFeed, LiveSnapshot } from '../cluster/index.ts'
import type { Transaction } from '../nft/index.ts'
import type { EndpointSlice, Node, Service } from '../objects/index.ts'
import { cleanUp, NodePlan, nothing, type Round } from './index.ts'

const servicePrefixes = [parsePrefix('10.96.0.0/16')]

function node(name: string, index: number, zone?: string): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, ...(zone === undefined ? {} : { labels: { 'topology.kubernetes.io/zone': zone } }) },
    spec: { podCIDRs: [`10.244.${index}.0/24`] },
    status: { addresses: [{ type: 'InternalIP', address: `172.30.0.1${index}` }] },
  }
}

function service(name: string, address: string): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'ns' },
    spec: { clusterIPs: [address], ports: [{ port: 53, protocol: 'UDP' }] },
  }
}

function slice(name: string, zones: readonly string[]): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'ns', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: zones.map((zone, i) => ({ addresses: [`10.244.1.${i + 1}`], hints: { forZones: [{ name: zone }] } })),
    ports: [{ port: 53, protocol: 'UDP' }],
  }
}

class World {
  readonly feed = new ChangeFeed()
  readonly snapshot = new LiveSnapshot(this.feed)
  readonly plan = new NodePlan({ node: 'n1', servicePrefixes })

  constructor() {
    this.snapshot.put('nodes', 'n1', node('n1', 1, 'z1'))
    this.snapshot.put('services', 'ns/dns', service('dns', '10.96.0.10'))
    this.snapshot.put('slices', 'ns/dns', slice('dns', ['z1', 'z2']))
  }

  round(): Round {
    return this.plan.plan(this.snapshot, this.feed.take())
  }
}

/** What a transaction does to the elements of one set. */
function elements(transaction: Transaction, set: string): string[] {
  return transaction.flatMap((one) =>
    (one.kind === 'add-elements' || one.kind === 'delete-elements') && one.set.name === set && one.family === 'ip'
      ? one.elements.map(
          ({ key, value }) =>
            `${one.kind === 'add-elements' ? '+' : '-'}${key}${value === undefined ? '' : ` = ${value}`}`,
        )
      : [],
  )
}

test('the first round is whole, the next ones say what changed', () => {
  const world = new World()
  const first = world.round()
  assert.equal(first.full, true)
  assert.deepEqual(elements(first.transaction, 'service-class'), ['+10.96.0.10 . udp . 53 = 706c:1'])
  world.plan.confirm()
  assert.deepEqual(world.round().transaction, [])
  world.snapshot.put('services', 'ns/other', service('other', '10.96.0.11'))
  const next = world.round()
  assert.equal(next.full, false)
  assert.deepEqual(elements(next.transaction, 'cluster-ips'), ['+10.96.0.11'])
})

test('after a doubt the next round is whole and owes the flows of what went meanwhile', () => {
  const world = new World()
  world.round()
  world.plan.confirm()
  world.snapshot.put('services', 'ns/dns', undefined)
  world.plan.doubt(world.round())
  world.snapshot.put('services', 'ns/other', service('other', '10.96.0.11'))
  const again = world.round()
  assert.equal(again.full, true)
  assert.deepEqual(elements(again.transaction, 'cluster-ips'), ['+10.96.0.11'])
  assert.deepEqual(again.stale.map(({ address }) => address).sort(), ['10.96.0.10', '10.96.0.11'])
  world.plan.confirm()
  world.snapshot.put('services', 'ns/other', undefined)
  assert.equal(world.round().full, false)
})

test('a failure before anything was confirmed changes nothing: the next round is whole again', () => {
  const world = new World()
  const first = world.round()
  world.plan.doubt(first)
  const second = world.plan.plan(world.snapshot, nothing)
  assert.deepEqual(second.transaction, first.transaction)
})

test('a new zone of the node looks at every Service anew, another Node’s report at none', () => {
  const world = new World()
  world.round()
  world.plan.confirm()
  world.snapshot.put('nodes', 'n1', node('n1', 1, 'z2'))
  const moved = world.round()
  assert.deepEqual(elements(moved.transaction, 'endpoints'), [
    '-10.96.0.10 . udp . 53 . 0:0',
    '+10.96.0.10 . udp . 53 . 0:0 = 10.244.1.2 . 53',
  ])
  world.plan.confirm()
  world.snapshot.put('nodes', 'n2', node('n2', 2))
  const joined = world.round()
  assert.deepEqual(elements(joined.transaction, 'pod-prefixes').sort(), ['+10.244.2.0/24', '+10.244.2.0/24'])
  assert.deepEqual(elements(joined.transaction, 'service-class'), [])
  assert.equal(joined.pods?.routes[0]?.gateway, '172.30.0.12')
  world.plan.confirm()
  world.snapshot.put('nodes', 'n2', { ...node('n2', 2), metadata: { name: 'n2', labels: { a: 'b' } } })
  assert.deepEqual(world.round().transaction, [])
})

test('cleaning up names the tables of both families, there or not', () => {
  const deleted = cleanUp().flatMap((one) => (one.kind === 'destroy-table' ? [`${one.family} ${one.table}`] : []))
  const names = ['plumb-egress', 'plumb-hostports', 'plumb-pods', 'plumb-policies', 'plumb-services']
  assert.deepEqual(deleted.sort(), [
    'inet plumb-fastpath',
    ...names.map((name) => `ip ${name}`),
    ...names.map((name) => `ip6 ${name}`),
  ])
})
