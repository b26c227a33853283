import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAddress, parsePrefix } from '../addr/index.ts'
import { underlayAnnotation, underlayOf } from '../cluster/index.ts'
import type { Node } from '../objects/index.ts'
import {
  AddressPool,
  compilePodNetwork,
  explainPath,
  lowerPodNetwork,
  nodeLinkName,
  parseAlias,
  renderAlias,
  wire,
} from './index.ts'

const node = (name: string, addresses: string[], podCIDRs: string[]): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  spec: { podCIDRs },
  status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
})
const nodes = [
  node('node-1', ['172.30.0.11', 'fd00:30::11'], ['10.244.0.0/24', 'fd00:244::/64']),
  node('node-2', ['172.30.0.12', 'fd00:30::12'], ['10.244.1.0/24', 'fd00:244:0:1::/64']),
]

test('a node routes to the pods of every other node, per family', () => {
  const network = compilePodNetwork('node-1', nodes)
  assert.deepEqual(
    network.routes.map(({ destination, gateway }) => `${destination} via ${gateway}`),
    ['10.244.1.0/24 via 172.30.0.12', 'fd00:244:0:1::/64 via fd00:30::12'],
  )
  assert.deepEqual(network.findings, [])
})

test('a broken node is a finding and costs no other node its route', () => {
  const network = compilePodNetwork('node-1', [
    ...nodes,
    node('node-3', ['172.30.0.13'], ['fd00:244:0:2::/64', 'rubbish']),
  ])
  assert.equal(network.routes.length, 2)
  assert.deepEqual(
    network.findings.map(({ code, object, field }) => [code, object, field]),
    [
      ['BrokenPodPrefix', 'node/node-3', 'spec.podCIDRs[1]'],
      ['NodeWithoutAddress', 'node/node-3', 'status.addresses'],
    ],
  )
})

test('the path of a packet names its next hop and the object that says so', () => {
  const network = compilePodNetwork('node-1', nodes)
  const step = (destination: string, pod?: string) =>
    explainPath(network, {
      destination: parseAddress(destination),
      ...(pod === undefined ? {} : { local: { namespace: 'shop', pod, containerId: 'c1' } }),
    })
  assert.equal(step('10.244.1.9').kind, 'forward')
  assert.equal(step('10.244.0.9').kind, 'nobody')
  const delivered = step('10.244.0.9', 'web-1')
  assert.ok(delivered.kind === 'deliver' && delivered.link === nodeLinkName('c1', 'eth0'))
  const left = step('203.0.113.10')
  assert.ok(left.kind === 'leave' && left.masqueraded)
  const toNode = step('172.30.0.12')
  assert.ok(toNode.kind === 'leave' && !toNode.masqueraded)
  assert.equal(step('172.30.0.11').kind, 'own')
  const v6 = step('fd00:244:0:1::9')
  assert.ok(v6.kind === 'forward' && v6.gateway === 'fd00:30::12')
})

test('a node on another segment is reached through the tunnel, whatever its families, and explained so', () => {
  const on = (object: Node, underlay: string): Node => ({
    ...object,
    metadata: { ...object.metadata, annotations: { [underlayAnnotation]: underlay } },
  })
  const here = 'segments=172.30.0.0/24,fd00:30::/64 vxlan=80:8472 mtu=9000'
  const far = node('node-3', ['172.30.1.13'], ['10.244.3.0/24', 'fd00:244:0:3::/64'])
  const network = compilePodNetwork('node-1', [
    ...nodes.map((one) => on(one, here)),
    on(far, 'segments=172.30.1.0/24 vxlan=80:4789 mtu=1500'),
    node('node-4', ['fd00:99::4'], ['fd00:244:0:4::/64']),
  ])
  assert.deepEqual(
    network.routes.map(({ kind, destination, gateway }) => `${kind} ${destination} via ${gateway}`),
    [
      'direct 10.244.1.0/24 via 172.30.0.12',
      'direct fd00:244:0:1::/64 via fd00:30::12',
      'vxlan 10.244.3.0/24 via 172.30.1.13',
      'vxlan fd00:244:0:3::/64 via fe80::5b:ac1e:10d',
    ],
  )
  assert.deepEqual([network.mtu, network.overlay?.mac], [8950, '0a:5b:ac:1e:00:0b'])
  assert.deepEqual(
    network.findings.map(({ code, object }) => [code, object]),
    [
      ['TunnelsDiffer', 'node/node-3'],
      ['NodeWithoutTunnel', 'node/node-4'],
    ],
  )
  const step = explainPath(network, { destination: parseAddress('fd00:244:0:3::7') })
  assert.ok(step.kind === 'forward' && step.tunnel?.end === '172.30.1.13' && step.tunnel.mtu === 8950)
  const [v4, v6] = lowerPodNetwork(network, [parseAddress('198.51.100.7')])
  const held = (table: typeof v4, name: string) => table?.elements.get(name)?.map(({ key }) => key)
  assert.deepEqual(held(v4, 'tunnelled'), ['10.244.3.0/24', '172.30.1.13'])
  assert.deepEqual(held(v4, 'tunnel-guests'), ['198.51.100.7'])
  assert.deepEqual(held(v6, 'tunnelled'), ['fd00:244:0:3::/64'])
  assert.deepEqual(held(v6, 'tunnel-ends'), undefined)
  for (const broken of ['', 'segments= vxlan=80:0 mtu=1500', 'segments= vxlan=16777216:1 mtu=1500', 'rubbish'])
    assert.equal(underlayOf(on(far, broken)), undefined, broken)
})

test('interval sets hold no prefix inside another', () => {
  const network = compilePodNetwork('node-1', [...nodes, node('node-3', ['10.244.1.5'], ['10.244.0.0/16'])])
  const [table] = lowerPodNetwork(network)
  assert.deepEqual(
    table?.elements.get('unmasqueraded')?.map(({ key }) => key),
    ['10.244.0.0/16', '172.30.0.11', '172.30.0.12', '224.0.0.0/4'],
  )
})

test('an alias tells the attachment again', () => {
  const attachment = { containerId: 'f00d', interfaceName: 'eth0', namespace: 'shop', pod: 'web-1', addresses: [] }
  const { addresses: _, ...rest } = attachment
  assert.deepEqual(parseAlias(renderAlias(attachment)), rest)
  assert.equal(parseAlias('uplink to rack'), undefined)
})

test('link names fit IFNAMSIZ and differ by attachment', () => {
  assert.equal(nodeLinkName('a', 'eth0').length, 15)
  assert.notEqual(nodeLinkName('a', 'eth0'), nodeLinkName('a', 'net1'))
  const wiring = wire(
    {
      containerId: 'a',
      interfaceName: 'eth0',
      namespace: 'n',
      pod: 'p',
      addresses: [parseAddress('10.244.0.2'), parseAddress('fd00:244::2')],
    },
    { addresses: { 4: parseAddress('172.30.0.11') }, mtu: 1500 },
  )
  assert.equal(wiring.podMac, '0a:58:0a:f4:00:02')
  assert.deepEqual(
    wiring.nodeRoutes.map(({ destination, source }) => [destination, source]),
    [
      ['10.244.0.2/32', '172.30.0.11'],
      ['fd00:244::2/128', undefined],
    ],
  )
})

test('a pool gives each address once, never the ends, and says when it is empty', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (frees) => {
      const pool = new AddressPool(parsePrefix('10.0.0.0/28'))
      const held: string[] = []
      for (const free of frees) {
        const address = free && held.length > 0 ? undefined : pool.take()
        if (address !== undefined) {
          assert.ok(!held.includes(address))
          assert.ok(!['10.0.0.0', '10.0.0.1', '10.0.0.15'].includes(address))
          held.push(address)
        } else if (held.length > 0 && free) pool.release(parseAddress(held.shift() ?? ''))
        else assert.equal(held.length, 13)
      }
      assert.equal(pool.used, held.length)
    }),
  )
})
