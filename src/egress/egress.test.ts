import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Address, parseAddress, parsePrefix } from '../addr/index.ts'
import { ChangeFeed, LiveSnapshot, underlayAnnotation } from '../cluster/index.ts'
import { FakeNftables, type Packet, trace } from '../nft/index.ts'
import type { Egress, KubeObject, Node, Pod } from '../objects/index.ts'
import { egressClaims } from './claims.ts'
import { compileEgress } from './compile.ts'
import { decideExit } from './decide.ts'
import { EgressIndex } from './egress-index.ts'
import { egressRoutes, findPortOwner, type Grant, isRevoked, PortJournal, readEgressNodes } from './index.ts'
import { nodeOfPort, nodesServed, portsOfNode, portsOfPod } from './ports.ts'
import { chooseAddress, selecting } from './select.ts'
import { EgressTables } from './tables.ts'

const red = parseAddress('203.0.113.7')
const red6 = parseAddress('2001:db8::7')
const blue = parseAddress('203.0.113.8')
const cluster = ['10.244.0.0/16', '10.96.0.0/16', '172.30.0.11/32', '172.30.0.12/32', 'fd00:244::/56'].map(parsePrefix)
const own = ['10.244.1.0/24', 'fd00:244:0:1::/64'].map(parsePrefix)

const egress = (name: string, spec: Partial<Egress['spec']>, created = '2026-01-01T00:00:00Z'): Egress => ({
  apiVersion: 'plumb.network/v1alpha1',
  kind: 'Egress',
  metadata: { name, creationTimestamp: created },
  spec: { appliedTo: { podSelector: { matchLabels: { team: name } } }, ...spec },
})
const node = (number: number, index: number | 'none' = number - 1, ready = true): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: `n${number}`,
    ...(index === 'none' ? {} : { annotations: { 'plumb.network/egress-index': String(index) } }),
  },
  status: {
    addresses: [{ type: 'InternalIP', address: `172.30.0.1${number}` }],
    conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
  },
})
const pod = (name: string, address: string, labels: Record<string, string>, on = 'n1'): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels },
  spec: { nodeName: on, containers: [{ name: 'main' }] },
  status: { phase: 'Running', podIPs: [{ ip: address }] },
})
const namespace = (labels: Record<string, string> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'shop', labels },
})
const addressesOf = (of: Node) => ({ 4: parseAddress(of.status?.addresses?.[0]?.address ?? '') })

test('ports: every node has a block of its own above 1023, and every port leads back to its node', () => {
  assert.deepEqual(portsOfNode({ perNode: 1024, perPod: undefined }, 0), { first: 1024, last: 2047 })
  assert.deepEqual(portsOfNode({ perNode: 1024, perPod: undefined }, 62), { first: 64512, last: 65535 })
  assert.equal(portsOfNode({ perNode: 1024, perPod: undefined }, 63), undefined)
  assert.deepEqual([64, 1024, 32768].map(nodesServed), [1008, 63, 1])
  for (const perNode of [64, 100, 1024, 3000, 32768]) {
    const plan = { perNode, perPod: undefined }
    const held = new Map<number, number>()
    for (let index = 0; index < nodesServed(perNode); index++) {
      const range = portsOfNode(plan, index)
      for (let port = range?.first ?? 0; port <= (range?.last ?? -1); port++) held.set(port, index)
    }
    for (let port = 0; port < 65536; port++) assert.equal(nodeOfPort(plan, port), held.get(port), `${perNode} ${port}`)
  }
  assert.deepEqual(portsOfPod({ perNode: 1024, perPod: 64 }, { first: 2048, last: 3071 }, 15), {
    first: 3008,
    last: 3071,
  })
})

test('compile: what cannot be read is told, and never widens what leaves under the node’s address', () => {
  const broken = compileEgress(
    egress('broken', {
      egressIPs: ['203.0.113.7', '203.0.113.300', '203.0.113.7'],
      destinationCIDRs: ['nonsense'],
      excludedCIDRs: ['192.0.2.0/33', '198.51.100.0/24'],
      bandwidth: { rate: 'fast' },
      ports: { perNode: 10, perPod: 100 },
    }),
  )
  assert.deepEqual(
    broken.findings.map(({ code, field }) => `${code} ${field}`),
    [
      'InvalidPrefix spec.destinationCIDRs[0]',
      'InvalidEgressIP spec.egressIPs[1]',
      'InvalidPrefix spec.excludedCIDRs[0]',
      'InvalidPorts spec.ports',
      'InvalidBandwidth spec.bandwidth',
    ],
  )
  assert.equal(broken.scope.destinations, undefined)
  assert.deepEqual(broken.scope.excluded, ['198.51.100.0/24'])
  assert.deepEqual(broken.ports, { perNode: 64, perPod: 64 })
  assert.deepEqual(
    broken.addresses.map(({ address }) => address),
    [red],
  )
  const limited = compileEgress(egress('limited', { egressIP: red, bandwidth: { rate: '8M', burst: '800k' } }))
  assert.deepEqual(limited.bandwidth, { rate: 1_000_000, burst: 100_000 })
  const pooled = { ...egress('pooled', { externalIPPool: 'p' }), status: { egressIPs: [blue] } }
  assert.deepEqual(compileEgress(pooled).addresses[0]?.because.field, 'status.egressIPs[0]')
  assert.doesNotThrow(() => compileEgress({ kind: 'Egress', metadata: { name: 'x' } } as Egress))
})

test('compile is total: whatever a spec holds, and whatever becomes of it in the tables', () => {
  const field = fc.oneof(fc.anything(), fc.constant({ matchExpressions: [{ key: 'a', operator: 'Near' }] }))
  const names = ['appliedTo', 'nodeSelector', 'egressIP', 'egressIPs', 'destinationCIDRs', 'excludedCIDRs', 'ports']
  const spec = fc.oneof(
    fc.anything(),
    fc.record(Object.fromEntries([...names, 'bandwidth', 'onUnavailable'].map((name) => [name, field])), {
      requiredKeys: [],
    }),
  )
  fc.assert(
    fc.property(spec, fc.oneof(fc.anything(), fc.record({ addresses: fc.anything() })), (of, status) => {
      const object = { ...egress('any', {}), spec: of, status } as Egress
      assert.ok(Array.isArray(compileEgress(object).findings))
      const one = world().put(object, pod('a', podAddress, { team: 'any' }))
      one.round()
    }),
    { numRuns: 300 },
  )
  const unread = compileEgress({
    ...egress('x', {}),
    spec: { appliedTo: { podSelector: 'all' }, egressIPs: red } as never,
  })
  assert.deepEqual(
    unread.findings.map(({ code, field: at }) => `${code} ${at}`),
    ['WrongShape spec.appliedTo', 'WrongShape spec.egressIPs'],
  )
})

test('of two Egresses the older holds, then the first by name; pods are spread and stay where they are', () => {
  const all = { podSelector: {} }
  const models = [
    egress('b', { appliedTo: all, egressIP: red }, '2026-01-02T00:00:00Z'),
    egress('c', { appliedTo: all, egressIP: red }),
    egress('a', { appliedTo: all, egressIP: red }),
    egress('none', { appliedTo: {} }),
    egress('elsewhere', { appliedTo: { namespaceSelector: { matchLabels: { env: 'prod' } } } }),
  ].map(compileEgress)
  const found = selecting(models, { namespace: 'shop', labels: {}, namespaceLabels: { env: 'test' } })
  assert.deepEqual(
    found.map(({ key }) => key),
    ['a', 'c', 'b'],
  )
  const addresses = [1, 2, 3, 4].map((i) => `203.0.113.${i}`)
  const four = compileEgress(egress('four', { egressIPs: addresses }))
  const three = compileEgress(egress('three', { egressIPs: addresses.slice(0, 3) }))
  const counts = new Map<string, number>()
  for (let i = 0; i < 1000; i++) {
    const before = chooseAddress(four, 4, `ns/pod-${i}`)?.address ?? ''
    counts.set(before, (counts.get(before) ?? 0) + 1)
    if (before !== addresses[3]) assert.equal(chooseAddress(three, 4, `ns/pod-${i}`)?.address, before)
  }
  for (const address of addresses) assert.ok((counts.get(address) ?? 0) > 180, `${address}: ${counts.get(address)}`)
  assert.equal(chooseAddress(four, 6, 'ns/pod'), undefined)
})

test('decide: the way out of a pod, or why there is none', () => {
  const nodes = readEgressNodes([node(1), node(2), node(3, 'none'), node(4, 70)], addressesOf).nodes
  const decide = (spec: Partial<Egress['spec']>, owners: [Address, string][], on = 'n1', family: 4 | 6 = 4) => {
    const exit = decideExit(compileEgress(egress('e', spec)), family, 'shop/a', {
      node: on,
      nodes,
      owners: new Map(owners),
    })
    return exit.kind === 'through'
      ? `${exit.owner} ${exit.ports.first}-${exit.ports.last}`
      : `${exit.kind}: ${exit.says}`
  }
  const cases: [string, string][] = [
    [decide({ egressIP: red }, [[red, 'n2']]), 'n2 1024-2047'],
    [decide({ egressIP: red, ports: { perNode: 256 } }, [[red, 'n1']], 'n2'), 'n1 1280-1535'],
    [decide({ egressIP: red }, []), 'blocked: no node holds 203.0.113.7 now'],
    [decide({ egressIP: red }, [[red, 'n3']]), 'blocked: n3 holds 203.0.113.7, but is not known here'],
    [decide({ egressIP: red }, [[red, 'n2']], 'n3'), 'blocked: n3 has no share of the source ports of 203.0.113.7 yet'],
    [
      decide({ egressIP: red }, [[red, 'n2']], 'n4'),
      'blocked: 1024 source ports per node last for 63 nodes, and n4 has number 70',
    ],
    [decide({ egressIP: red }, [[red, 'n2']], 'n1', 6), 'blocked: egress/e has no IPv6 address'],
    [
      decide({ egressIP: red, destinationCIDRs: ['192.0.2.0/24'] }, [[red, 'n2']], 'n1', 6),
      'untouched: none of its destinations is of IPv6',
    ],
    [
      decide({ egressIP: red, onUnavailable: 'Node' }, []),
      'untouched: no node holds 203.0.113.7 now, so they leave under the node’s address',
    ],
  ]
  for (const [is, should] of cases) assert.equal(is, should)
})

test('two nodes with one index: the first by name has it; an address of a segment is for its nodes', () => {
  const { nodes, findings } = readEgressNodes([node(2, 4), node(1, 4), node(3, 5)], addressesOf)
  assert.deepEqual(
    [...nodes.values()].map(({ name, index }) => [name, index]),
    [
      ['n1', 4],
      ['n2', undefined],
      ['n3', 5],
    ],
  )
  assert.deepEqual(
    findings.map(({ code, object }) => [code, object]),
    [['EgressIndexTaken', 'node/n2']],
  )
  assert.deepEqual(
    egressRoutes('n1', nodes.values(), ({ addresses }, family) => {
      const gateway = addresses[family]
      return gateway && { gateway }
    }).map(({ node: of, mark }) => [of, mark.toString(16)]),
    [['n3', '50c00005']],
  )
  const gateway = { ...node(4), metadata: { ...node(4).metadata, labels: { role: 'exit' } } }
  const eligible = (spec: Partial<Egress['spec']>) =>
    egressClaims([egress('e', { egressIP: red, ...spec })], [node(1), node(2), node(3, 'none'), gateway])[0]?.eligible
  assert.deepEqual(eligible({}), ['n1', 'n2', 'n4'])
  assert.deepEqual(eligible({ nodeSelector: { matchLabels: { role: 'exit' } } }), ['n4'])
  assert.deepEqual(eligible({ nodeSelector: { matchLabels: { role: 'none' } } }), [])
  const on = (object: Node, segment: string): Node => {
    const annotations = {
      ...object.metadata.annotations,
      [underlayAnnotation]: `segments=${segment} vxlan=80:8472 mtu=1500`,
    }
    return { ...object, metadata: { ...object.metadata, annotations } }
  }
  const apart = [on(node(1), '172.30.0.0/24'), on(node(2), '172.30.1.0/24'), on(node(5), '172.30.1.0/24')]
  const near = (egressIP: string) => egressClaims([egress('e', { egressIP })], apart)[0]?.eligible
  assert.deepEqual(
    [near('172.30.1.100'), near('198.51.100.7')],
    [
      ['n2', 'n5'],
      ['n1', 'n2', 'n5'],
    ],
  )
})

test('an Egress that gets one address back and loses another has those that it has now', () => {
  const index = new EgressIndex()
  const other = { perNode: 64 }
  index.put('b', egress('b', { egressIPs: ['203.0.113.1', '203.0.113.3'] }))
  const held = (taken: readonly string[]): string[] => {
    index.put('a', egress('a', { egressIPs: [...taken], ports: other }))
    index.settle(() => undefined)
    return index.get('b')?.addresses.map(({ address }) => address) ?? []
  }
  assert.deepEqual(held(['203.0.113.1', '203.0.113.2']), ['203.0.113.3'])
  assert.deepEqual(held(['203.0.113.3']), ['203.0.113.1'])
})

test('grants: what leaves under an address that is not its pod’s ends, what is none of the Egress’ business goes on', () => {
  const address = parseAddress('10.244.1.5')
  const far = parseAddress('198.51.100.1')
  const nodeAddress = parseAddress('172.30.0.11')
  const grant: Grant = {
    allowed: [red],
    scope: { destinations: undefined, excluded: [parsePrefix('192.0.2.0/24')] },
    revoked: [blue],
  }
  const judge = (source: Address, destination: Address, of = grant) =>
    isRevoked(of, address, cluster, { source, destination })
  assert.equal(judge(red, far), false)
  assert.equal(judge(nodeAddress, far), true)
  assert.equal(judge(blue, far), true)
  assert.equal(judge(address, parseAddress('10.244.2.7')), false)
  assert.equal(judge(nodeAddress, parseAddress('10.244.1.5')), false)
  assert.equal(judge(nodeAddress, parseAddress('192.0.2.9')), false)
  assert.equal(judge(nodeAddress, far, { allowed: [], scope: undefined, revoked: [blue] }), false)
})

/** The tables of n1 and a kernel of paper that takes what they say. */
class World {
  readonly feed = new ChangeFeed()
  readonly snapshot = new LiveSnapshot(this.feed)
  readonly tables = new EgressTables('n1')
  readonly fake = new FakeNftables()
  #begun = false

  put(...objects: KubeObject[]): this {
    for (const object of objects) {
      const { name, namespace: of } = object.metadata
      this.snapshot.put(collections[object.kind] as 'pods', of === undefined ? name : `${of}/${name}`, object as Pod)
    }
    return this
  }

  delete(collection: 'pods' | 'egresses' | 'nodes', key: string): this {
    this.snapshot.put(collection, key, undefined)
    return this
  }

  round(): ReturnType<EgressTables['update']> {
    const changes = this.feed.take()
    const plan = this.tables.update(this.snapshot, { cluster, own, addressesOf }, this.#begun ? changes : undefined)
    this.fake.apply(this.#begun ? plan.operations : this.tables.full())
    this.#begun = true
    return plan
  }

  /** What becomes of a packet that came in from a pod or from the segment: outcome, mark, source. */
  send(packet: Partial<Packet> & { source: Address; destination: Address }): string {
    const whole: Packet = {
      family: 4,
      protocol: 'tcp',
      sourcePort: 40000,
      destinationPort: 443,
      inputInterface: packet.source.startsWith('10.') ? 'plumbaaaaaaaaaa' : 'eth0',
      conntrack: { state: 'new' },
      ...packet,
    }
    const { outcome, packet: sent } = trace(this.fake, whole, {
      from: 'wire',
      route: () => ({ outputInterface: 'eth0' }),
    })
    const tracked = sent.conntrack.state === 'untracked' ? ' untracked' : ''
    return `${outcome.kind} ${(sent.mark ?? 0).toString(16)} ${sent.source}${tracked}`
  }
}

const collections: Record<string, string> = { Egress: 'egresses', Node: 'nodes', Pod: 'pods', Namespace: 'namespaces' }
const podAddress = parseAddress('10.244.1.5')
const far = parseAddress('198.51.100.1')

const world = (): World => new World().put(node(1), node(2), namespace())

test('sequence: Egress comes, moves, loses its owner, gets an address more, goes; nothing stays behind', () => {
  const one = world().put(pod('a', podAddress, { team: 'red' }), egress('red', { egressIP: red }))
  one.tables.setOwners(new Map([[red, 'n2']]))
  assert.deepEqual([...one.round().regranted.keys()], [podAddress])
  const out = { source: podAddress, destination: far }
  assert.equal(one.send(out), `sent 50e00001 ${red}`)
  assert.equal(one.send({ ...out, destination: parseAddress('10.244.2.7') }), `sent 0 ${podAddress}`)
  assert.equal(one.send({ ...out, destination: parseAddress('172.30.0.12') }), `sent 0 ${podAddress}`)
  assert.equal(
    one.send({ ...out, source: parseAddress('10.244.1.9') }),
    'dropped 0 10.244.1.9',
    'nobody knows that pod',
  )
  assert.equal(one.send({ ...out, conntrack: { state: 'invalid' } }), `dropped 50e00001 ${podAddress}`)
  const answer = { state: 'established', direction: 'reply' } as const
  assert.equal(one.send({ ...out, conntrack: answer }), `sent 0 ${podAddress}`)
  assert.equal(one.send({ ...out, protocol: 'gre' }), `dropped 50e00001 ${podAddress}`, 'no ports, no way back')

  one.tables.setOwners(new Map([[red, 'n1']]))
  assert.equal(one.round().regranted.size, 0, 'connections go on')
  assert.equal(one.send(out), `sent 50e0ffff ${red}`)
  one.tables.setOwners(new Map())
  one.round()
  assert.equal(one.send(out), `dropped 0 ${podAddress}`)
  one.put(egress('red', { egressIPs: [red, blue] }))
  one.tables.setOwners(
    new Map([
      [red, 'n2'],
      [blue, 'n2'],
    ]),
  )
  one.round()
  assert.match(one.send(out), /^sent 50e00001 203\.0\.113\.[78]$/)
  one.put(egress('red', { egressIP: blue }))
  assert.deepEqual(one.round().regranted.get(podAddress)?.revoked, [red])
  assert.equal(one.send(out), `sent 50e00001 ${blue}`)
  one.delete('egresses', 'red')
  assert.deepEqual(one.round().regranted.get(podAddress), { allowed: [], scope: undefined, revoked: [blue] })
  assert.equal(one.send(out), `sent 0 ${podAddress}`)
  assert.equal(one.fake.tables.length, 0, 'without Egresses packets pay nothing')
  one.put(egress('red', { egressIP: red }))
  one.tables.setOwners(new Map([[red, 'n1']]))
  one.round()
  assert.equal(one.send(out), `sent 50e0ffff ${red}`)
  one.delete('pods', 'shop/a').round()
  assert.equal(one.tables.size.pods, 0)
  one.delete('egresses', 'red').round()
  assert.equal(one.tables.size.chains, 0)
  assert.equal(one.fake.tables.length, 0)
})

test('answers to an address go to the node that has the port, wherever they arrive', () => {
  const one = world().put(
    egress('red', { egressIPs: [red] }),
    egress('blue', { egressIP: blue, ports: { perNode: 256 } }),
  )
  one.tables.setOwners(new Map())
  one.round()
  const answer = (address: Address, destinationPort: number) =>
    one.send({ source: far, destination: address, destinationPort, sourcePort: 443, conntrack: { state: 'new' } })
  assert.equal(answer(red, 2048 + 7), `sent 50d00001 ${far} untracked`)
  assert.equal(answer(red, 1024 + 7), `dropped 50d0ffff ${far}`, 'our own, but no connection is known')
  assert.equal(answer(red, 5000), `dropped 0 ${far}`)
  assert.equal(answer(red, 22), `dropped 0 ${far}`)
  assert.equal(answer(blue, 1280), `sent 50d00001 ${far} untracked`)
  assert.equal(answer(blue, 1600), `dropped 0 ${far}`)
  assert.equal(
    one.send({ source: red, destination: far, sourcePort: 2055 }),
    `sent 0 ${red} untracked`,
    'on its way out',
  )
  one.put(node(3)).round()
  assert.equal(answer(red, 3072), `sent 50d00002 ${far} untracked`)
  assert.equal(answer(blue, 1600), `sent 50d00002 ${far} untracked`)
  one.delete('egresses', 'blue').round()
  assert.equal(one.tables.size.chains, 4, 'only the division that is in use is held')
})

test('destinations and exclusions; what is out of scope leaves as ever', () => {
  const spec = { egressIP: red, destinationCIDRs: ['198.51.0.0/16'], excludedCIDRs: ['198.51.100.128/25'] }
  const one = world().put(pod('a', podAddress, { team: 'red' }), egress('red', spec))
  one.tables.setOwners(new Map([[red, 'n2']]))
  one.round()
  const to = (text: string) => one.send({ source: podAddress, destination: parseAddress(text) })
  assert.equal(to('198.51.100.1'), `sent 50e00001 ${red}`)
  assert.equal(to('198.51.100.129'), `sent 0 ${podAddress}`)
  assert.equal(to('192.0.2.1'), `sent 0 ${podAddress}`)
})

test('a pod is undecided while its namespace is not known and may decide', () => {
  const one = new World().put(node(1), node(2), pod('a', podAddress, {}))
  one.put(egress('red', { appliedTo: { namespaceSelector: { matchLabels: { team: 'a' } } }, egressIP: red }))
  one.tables.setOwners(new Map([[red, 'n2']]))
  one.round()
  const out = { source: podAddress, destination: far }
  assert.equal(one.tables.knows(podAddress), false)
  assert.equal(one.send(out), `dropped 0 ${podAddress}`)
  one.put(namespace({ team: 'a' })).round()
  assert.equal(one.tables.knows(podAddress), true)
  assert.equal(one.send(out), `sent 50e00001 ${red}`)
  one.put(namespace({ team: 'b' })).round()
  assert.equal(one.send(out), `sent 0 ${podAddress}`)
})

test('pods with ports of their own: each a slot, none left means no way out, and a slot that is free is given again', () => {
  const spec = { egressIP: red, ports: { perNode: 64, perPod: 32 } }
  const one = world().put(egress('red', spec))
  one.tables.setOwners(new Map([[red, 'n2']]))
  const addresses = ['10.244.1.5', '10.244.1.6', '10.244.1.7'].map(parseAddress)
  for (const [i, address] of addresses.entries()) one.put(pod(`p${i}`, address, { team: 'red' }))
  one.round()
  const send = (i: number) => one.send({ source: addresses[i] ?? far, destination: far })
  assert.deepEqual([0, 1, 2].map(send), [`sent 50e00001 ${red}`, `sent 50e00001 ${red}`, 'dropped 0 10.244.1.7'])
  assert.deepEqual(
    one.tables.findings.map(({ code, object }) => `${code} ${object}`),
    ['EgressPortsExhausted egress/red'],
  )
  one.delete('pods', 'shop/p0').round()
  one.put(pod('p2', '10.244.1.7', { team: 'red', again: 'yes' })).round()
  assert.equal(send(2), `sent 50e00001 ${red}`)
  assert.deepEqual(one.tables.findings, [])
})

test('an address that the cluster uses, or that an older Egress divides in another way, is nobody’s way out', () => {
  const one = world().put(
    pod('a', podAddress, { team: 'red' }),
    egress('red', { egressIPs: [parseAddress('172.30.0.12')] }),
    egress('old', { egressIP: blue }),
    egress('young', { egressIP: blue, ports: { perNode: 512 } }, '2026-02-01T00:00:00Z'),
  )
  one.tables.setOwners(new Map([[parseAddress('172.30.0.12'), 'n2']]))
  one.round()
  assert.equal(one.send({ source: podAddress, destination: far }), `dropped 0 ${podAddress}`)
  assert.deepEqual(
    one.tables.findings.map(({ code, object }) => `${code} ${object}`),
    ['EgressIPTaken egress/red', 'EgressIPTaken egress/young'],
  )
  const both = { appliedTo: { podSelector: {} }, egressIP: red }
  one.put(egress('red', both, '2026-03-01T00:00:00Z'), egress('old', both)).round()
  assert.deepEqual(
    one.tables.findings.filter(({ code }) => code === 'EgressOverlap').map(({ object }) => object),
    ['egress/red'],
  )
})

test('where nobody announces, the first Ready node with a share of ports owns, and the next takes over', () => {
  const one = world().put(pod('a', podAddress, { team: 'red' }), egress('red', { egressIP: red }))
  one.round()
  const out = { source: podAddress, destination: far }
  assert.equal(one.send(out), `sent 50e0ffff ${red}`)
  one.put(node(1, 0, false)).round()
  assert.equal(one.send(out), `sent 50e00001 ${red}`)
  one.put(node(2, 1, false)).round()
  assert.equal(one.send(out), `dropped 0 ${podAddress}`)
})

test('both families: a pod leaves under the address of each', () => {
  const six = parseAddress('fd00:244:0:1::5')
  const dual: Pod = { ...pod('a', podAddress, { team: 'red' }) }
  dual.status = { phase: 'Running', podIPs: [{ ip: podAddress }, { ip: six }] }
  const one = world().put(dual, egress('red', { egressIPs: [red, red6] }))
  one.tables.setOwners(
    new Map([
      [red, 'n2'],
      [red6, 'n1'],
    ]),
  )
  one.round()
  assert.equal(one.send({ source: podAddress, destination: far }), `sent 50e00001 ${red}`)
  const out6 = {
    family: 6,
    source: six,
    destination: parseAddress('2001:db8:1::1'),
    inputInterface: 'plumbaaaaaaaaaa',
  } as const
  assert.equal(one.send(out6), `sent 50e0ffff ${red6}`)
  one.put(egress('red', { egressIP: red })).round()
  assert.equal(one.send(out6), `dropped 0 ${six}`)
})

test('who had a port: the node by its share, the pod by the journal, also in the past', () => {
  const egresses = [egress('red', { egressIP: red, ports: { perNode: 64, perPod: 32 } })]
  const nodes = [node(1), node(2)]
  const owner = (port: number, address = red) => {
    const found = findPortOwner(egresses, nodes, address, port)
    return found.kind === 'node' ? `${found.node} ${found.egress}` : found.says
  }
  assert.equal(owner(1024 + 63), 'n1 red')
  assert.equal(owner(1024 + 64), 'n2 red')
  assert.equal(owner(5000), 'port 5000 of 203.0.113.7 is no node’s, by spec.ports of egress/red')
  assert.equal(owner(80), 'port 80 of 203.0.113.7 is no node’s, by spec.ports of egress/red')
  assert.equal(owner(1024, blue), '203.0.113.8 is the address of no Egress')

  const one = world().put(...egresses, pod('a', '10.244.1.5', { team: 'red' }), pod('b', '10.244.1.6', { team: 'red' }))
  one.tables.setOwners(new Map([[red, 'n2']]))
  one.round()
  const journal = new PortJournal()
  const said = journal.note(one.tables.portUses, 1000).map(({ pod: of, first, last }) => `${of} ${first}-${last}`)
  assert.deepEqual(said, ['shop/a 1024-1055', 'shop/b 1056-1087'])
  assert.deepEqual(journal.note(one.tables.portUses, 2000), [])
  one.delete('pods', 'shop/a').round()
  journal.note(one.tables.portUses, 3000)
  one.put(pod('c', '10.244.1.7', { team: 'red' })).round()
  journal.note(one.tables.portUses, 4000)
  const who = (port: number, atMs: number) => journal.find(red, port, atMs).map((use) => use.pod)
  assert.deepEqual(who(1030, 2500), ['shop/a'])
  assert.deepEqual(who(1030, 3500), [])
  assert.deepEqual(who(1030, 9000), ['shop/c'])
  assert.deepEqual(who(1087, 9000), ['shop/b'])
  assert.deepEqual(who(1087, 500), [])
})
