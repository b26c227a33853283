import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Pod } from '../objects/index.ts'
import { catchUp, nodes, pod, SliceStore, service } from './cluster.fixture.ts'
import { compileEndpointSlices } from './compile.ts'
import { endpointKey, podEndpoint } from './pod-endpoint.ts'
import { ServiceEndpoints } from './service-endpoints.ts'

const max = 5
const options = { maxEndpointsPerSlice: max, findNode: (name: string) => nodes.get(name) }
const port = fc.constantFrom(1, 2)
const change = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('set' as const), id: fc.nat(30), ready: fc.boolean(), port }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const), id: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('label' as const), value: fc.constantFrom('a', 'b') }) },
)

function podOf(id: number, ready: boolean, containerPort: number): Pod {
  return pod(`p${id}`, `10.0.0.${id + 1}`, {
    ready,
    spec: { containers: [{ name: 'c', ports: [{ name: 'web', containerPort }] }] },
  })
}

test('after each round the slices hold exactly the endpoints, within the limit, and a second round writes nothing', () => {
  const ports = [{ name: 'http', port: 80, targetPort: 'web' }]
  fc.assert(
    fc.property(fc.array(fc.array(change, { minLength: 1, maxLength: 8 }), { maxLength: 12 }), (rounds) => {
      let svc = service({ ports })
      const store = new SliceStore()
      const live = new ServiceEndpoints(svc, options)
      const pods = new Map<string, Pod>()
      for (const round of rounds) {
        for (const step of round) {
          if (step.kind === 'label') {
            svc = service({ ports }, { labels: { step: step.value } })
            live.setService(svc)
          } else {
            const key = `shop/p${step.id}`
            const next = step.kind === 'set' ? podOf(step.id, step.ready, step.port) : undefined
            if (next === undefined) pods.delete(key)
            else pods.set(key, next)
            live.setPod(key, next)
          }
        }
        const before = new Map(store.slices)
        const plan = live.plan()
        const touched = plan.create.length + plan.update.length + plan.delete.length
        const room = before.size + Math.ceil(pods.size / max) + 2
        assert.ok(touched <= room, `${touched} writes for ${before.size} slices`)
        store.apply(plan)
        catchUp(live, store, before)
        const held = [...store.slices.values()].flatMap((slice) => {
          assert.ok(slice.endpoints.length <= max)
          assert.equal(slice.metadata.labels?.step, svc.metadata.labels?.step)
          return slice.endpoints.map((e) => `${slice.ports?.[0]?.port} ${endpointKey(e)} ${e.conditions?.ready}`)
        })
        const wanted = [...pods.values()].map((p) => {
          const e = podEndpoint(svc, p, nodes.get('node-1'), 'IPv4', 'none')!
          return `${p.spec.containers[0]?.ports?.[0]?.containerPort} ${endpointKey(e)} ${e.conditions?.ready}`
        })
        assert.deepEqual(held.sort(), wanted.sort())
        for (const idle of [
          live.plan(),
          compileEndpointSlices(svc, pods.values(), nodes, store.slices.values(), options),
        ])
          assert.deepEqual([idle.create, idle.update, idle.delete], [[], [], []])
      }
    }),
    { numRuns: 300 },
  )
})

test('a plan that was not carried out comes again, whole', () => {
  const live = new ServiceEndpoints(service(), options)
  for (let id = 0; id < 7; id++) live.setPod(`shop/p${id}`, podOf(id, true, 1))
  assert.deepEqual(live.plan(), live.plan())
  assert.equal(live.plan().create.length, 2)
})

test('events of a move may arrive in either order', () => {
  const live = new ServiceEndpoints(service(), options)
  const store = new SliceStore()
  for (let id = 0; id < 7; id++) live.setPod(`shop/p${id}`, podOf(id, true, 1))
  store.apply(live.plan())
  catchUp(live, store, new Map())
  const [a, b] = [...store.slices.values()]
  const grown = { ...b!, endpoints: [...b!.endpoints, a!.endpoints[0]!] }
  const shrunk = { ...a!, endpoints: a!.endpoints.slice(1) }
  live.setSlice(grown.metadata.name, grown)
  live.setSlice(shrunk.metadata.name, shrunk)
  assert.deepEqual(live.plan(), { create: [], update: [], delete: [] })
})

test('one pod of a large Service changes one slice', () => {
  const live = new ServiceEndpoints(service(), { findNode: options.findNode })
  const store = new SliceStore()
  for (let id = 0; id < 1000; id++) live.setPod(`shop/p${id}`, pod(`p${id}`, `10.1.${id >> 8}.${id & 255}`))
  store.apply(live.plan())
  catchUp(live, store, new Map())
  assert.equal(live.setPod('shop/p7', pod('p7', '10.1.0.7')), false, 'nothing that endpoints show')
  assert.equal(live.setPod('shop/p7', pod('p7', '10.1.0.7', { ready: false })), true)
  const plan = live.plan()
  assert.deepEqual([plan.create.length, plan.update.length, plan.delete.length], [0, 1, 0])
})
