import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Node, Pod } from '../objects/index.ts'
import { node, pod, SliceStore, service } from './cluster.fixture.ts'
import { compileEndpointSlices } from './compile.ts'
import { ServiceEndpoints } from './service-endpoints.ts'
import { ZoneCapacity } from './zone-capacity.ts'

const auto = { 'service.kubernetes.io/topology-mode': 'Auto' }
const zoneNames = ['zone-a', 'zone-b', 'zone-c']

function worker(name: string, zone: string | undefined, cpu: string | undefined, ready = true): Node {
  const allocatable: Record<string, string> = cpu === undefined ? {} : { cpu }
  const conditions = [{ type: 'Ready', status: ready ? ('True' as const) : ('False' as const) }]
  return { ...node(name, zone), status: { allocatable, conditions } }
}

const zonesOf = (...nodes: Node[]) => new Map(nodes.map((one) => [one.metadata.name, one]))
const podsOn = (...nodes: string[]): Pod[] =>
  nodes.map((nodeName, at) => pod(`p${at}`, `10.0.0.${at + 1}`, { spec: { nodeName } }))

/** How many endpoints are hinted to each zone. */
function hintCounts(store: SliceStore): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { endpoints } of store.slices.values())
    for (const { hints, conditions } of endpoints) {
      assert.equal(hints !== undefined && conditions?.ready !== true, false, 'only ready endpoints have hints')
      for (const { name } of hints?.forZones ?? []) counts[name] = (counts[name] ?? 0) + 1
    }
  return counts
}

const three = zonesOf(worker('a', 'zone-a', '4'), worker('b', 'zone-b', '4'), worker('c', 'zone-c', '4'))
const cases: [string, ReadonlyMap<string, Node>, Pod[], Record<string, number>][] = [
  ['each zone has its own', three, podsOn('a', 'b', 'c'), { 'zone-a': 1, 'zone-b': 1, 'zone-c': 1 }],
  [
    'zones give to those that lack',
    three,
    podsOn('a', 'a', 'a', 'b', 'b', 'a'),
    { 'zone-a': 2, 'zone-b': 2, 'zone-c': 2 },
  ],
  ['fewer endpoints than zones', three, podsOn('a', 'b'), {}],
  [
    'CPU decides, in any spelling of it',
    zonesOf(worker('a', 'zone-a', '6'), worker('b', 'zone-b', '2000m')),
    podsOn('a', 'a', 'b', 'b', 'b', 'b', 'b', 'b'),
    { 'zone-a': 6, 'zone-b': 2 },
  ],
  [
    'a small zone’s least part is too much for the others',
    zonesOf(worker('a', 'zone-a', '10'), worker('b', 'zone-b', '1')),
    podsOn('a', 'a'),
    {},
  ],
  ['one zone', zonesOf(worker('a', 'zone-a', '4'), worker('b', 'zone-a', '4')), podsOn('a', 'b'), {}],
  ['a node without a zone', new Map([...three, ['x', worker('x', undefined, '4')]]), podsOn('a', 'b', 'c'), {}],
  ['a node without CPU', new Map([...three, ['x', worker('x', 'zone-a', undefined)]]), podsOn('a', 'b', 'c'), {}],
  [
    'nodes that are not ready do not count',
    zonesOf(worker('a', 'zone-a', '4'), worker('b', 'zone-b', '4'), worker('c', 'zone-c', '4', false)),
    podsOn('a', 'b'),
    { 'zone-a': 1, 'zone-b': 1 },
  ],
]
for (const [name, nodes, pods, want] of cases) {
  test(`topology mode Auto: ${name}`, () => {
    const store = new SliceStore()
    const svc = service({}, { annotations: auto })
    store.apply(compileEndpointSlices(svc, pods, nodes, []))
    assert.deepEqual(hintCounts(store), want)
    const again = compileEndpointSlices(svc, pods, nodes, store.slices.values())
    assert.deepEqual([again.create, again.update, again.delete], [[], [], []], 'a second round writes nothing')
  })
}

test('control planes do not count, and the deprecated annotation comes first', () => {
  const control = worker('cp', 'zone-z', '64')
  const nodes = new Map([
    ...three,
    ['cp', { ...control, metadata: { ...control.metadata, labels: { 'node-role.kubernetes.io/control-plane': '' } } }],
  ])
  const hints = (annotations: Record<string, string>) => {
    const store = new SliceStore()
    store.apply(compileEndpointSlices(service({}, { annotations }), podsOn('a', 'b', 'c'), nodes, []))
    return Object.keys(hintCounts(store)).length
  }
  const old = 'service.kubernetes.io/topology-aware-hints'
  assert.equal(hints({ [old]: 'auto' }), 3)
  assert.equal(hints({ ...auto, [old]: 'Disabled' }), 0)
  assert.equal(hints({ 'service.kubernetes.io/topology-mode': 'Sometimes' }), 0)
})

test('events: enabled, disabled with the reason, disabled by the annotation; each once', () => {
  const zones = new ZoneCapacity()
  for (const [name, one] of three) zones.setNode(name, one)
  const live = new ServiceEndpoints(service({}, { annotations: auto }), {
    findNode: (name) => three.get(name),
    zoneShares: () => zones.shares,
  })
  const store = new SliceStore()
  const round = () => {
    store.apply(live.plan())
    for (const [name, slice] of store.slices) live.setSlice(name, slice)
    live.plan()
    return live.takeHintsNews().map(({ type, reason, says }) => `${type} ${reason}: ${says}`)
  }
  const pods = podsOn('a', 'b', 'c')
  for (const one of pods) live.setPod(`shop/${one.metadata.name}`, one)
  const enabled = 'Normal TopologyAwareHintsEnabled: Topology Aware Hints has been enabled, addressType: IPv4'
  const disabled = 'Warning TopologyAwareHintsDisabled:'
  assert.deepEqual(round(), [enabled])
  assert.deepEqual(round(), [])
  live.setPod('shop/p2', undefined)
  assert.deepEqual(round(), [`${disabled} Insufficient number of endpoints (2 endpoints, 3 zones), addressType: IPv4`])
  assert.deepEqual(hintCounts(store), {})
  zones.setNode('c', undefined)
  assert.deepEqual(round(), [enabled])
  zones.setNode('b', undefined)
  const unknown = 'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes'
  assert.deepEqual(round(), [`${disabled} ${unknown}, addressType: IPv4`])
  for (const [name, one] of three) zones.setNode(name, one)
  live.setPod('shop/p2', pods[2])
  assert.deepEqual(round(), [enabled])
  live.setService(service())
  assert.deepEqual(round(), [`${disabled} Topology Aware Hints has been disabled, addressType: IPv4`])
  assert.deepEqual(hintCounts(store), {})
})

test('a Service that leaves Auto for trafficDistribution gets its hints instead', () => {
  const store = new SliceStore()
  const pods = podsOn('a', 'a', 'b')
  store.apply(compileEndpointSlices(service({}, { annotations: auto }), pods, three, []))
  assert.deepEqual(hintCounts(store), { 'zone-a': 1, 'zone-b': 1, 'zone-c': 1 })
  const close = service({ trafficDistribution: 'PreferSameZone' })
  store.apply(compileEndpointSlices(close, pods, three, store.slices.values()))
  assert.deepEqual(hintCounts(store), { 'zone-a': 2, 'zone-b': 1 })
})

const change = fc.record({
  id: fc.nat(30),
  zone: fc.constantFrom('a', 'b', 'c'),
  kind: fc.constantFrom('set', 'unready', 'go'),
})

test('whatever pods come and go, every zone is served by hints or nobody has any, and rounds come to rest', () => {
  const cpus = fc.tuple(...zoneNames.map(() => fc.integer({ min: 1, max: 64 })))
  fc.assert(
    fc.property(cpus, fc.array(fc.array(change, { minLength: 1, maxLength: 10 }), { maxLength: 8 }), (cpu, rounds) => {
      const nodes = zonesOf(...zoneNames.map((zone, at) => worker(zone.slice(-1), zone, String(cpu[at]))))
      const zones = new ZoneCapacity()
      for (const [name, one] of nodes) zones.setNode(name, one)
      const svc = service({}, { annotations: auto })
      const findNode = (name: string) => nodes.get(name)
      const live = new ServiceEndpoints(svc, { maxEndpointsPerSlice: 4, findNode, zoneShares: () => zones.shares })
      const store = new SliceStore()
      for (const round of rounds) {
        for (const { id, zone, kind } of round) {
          const next = pod(`p${id}`, `10.0.0.${id + 1}`, { ready: kind === 'set', spec: { nodeName: zone } })
          live.setPod(`shop/p${id}`, kind === 'go' ? undefined : next)
        }
        settle(live, store)
        const endpoints = [...store.slices.values()].flatMap((slice) => slice.endpoints)
        const ready = endpoints.filter(({ conditions }) => conditions?.ready)
        const hinted = ready.filter(({ hints }) => hints !== undefined)
        assert.ok(hinted.length === 0 || hinted.length === ready.length, 'all ready endpoints or none')
        const { '': none, ...counts } = hintCounts(store)
        assert.equal(none, undefined)
        for (const [zone, share] of hinted.length > 0 ? (zones.shares ?? []) : []) {
          const least = Math.ceil(ready.length * share * (1 / 1.2))
          assert.ok((counts[zone] ?? 0) >= least, `${zone} has ${counts[zone]} of at least ${least}`)
        }
      }
    }),
    { numRuns: 150 },
  )
})

/** Rounds until one writes nothing. */
function settle(live: ServiceEndpoints, store: SliceStore): void {
  for (let round = 0; round < 8; round++) {
    const plan = live.plan()
    if (plan.create.length + plan.update.length + plan.delete.length === 0) return
    const before = new Map(store.slices)
    store.apply(plan)
    for (const name of before.keys()) if (!store.slices.has(name)) live.setSlice(name, undefined)
    for (const [name, slice] of store.slices) if (before.get(name) !== slice) live.setSlice(name, slice)
  }
  assert.fail('rounds do not come to rest')
}
