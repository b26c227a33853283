import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { pod, service } from './cluster.fixture.ts'
import { PodIndex, SelectorIndex } from './label-index.ts'
import { selects } from './select.ts'
import { StalenessTracker } from './staleness.ts'
import { TriggerTime } from './trigger-time.ts'

const labels = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2'), { noNullPrototype: true })

test('the indexes find what a walk over everything finds, through changes', () => {
  const step = fc.record({ id: fc.nat(4), labels, namespace: fc.constantFrom('shop', 'else'), gone: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step), fc.array(step), (serviceSteps, podSteps) => {
      const services = new Map<string, ReturnType<typeof service>>()
      const pods = new Map<string, ReturnType<typeof pod>>()
      const selectorIndex = new SelectorIndex()
      const podIndex = new PodIndex()
      for (const { id, labels: selector, namespace, gone } of serviceSteps) {
        const next = gone ? undefined : service({ selector }, { name: `s${id}`, namespace })
        if (next) services.set(`s${id}`, next)
        else services.delete(`s${id}`)
        selectorIndex.set(`s${id}`, next)
      }
      for (const { id, labels, namespace, gone } of podSteps) {
        const next = gone ? undefined : pod(`p${id}`, '10.0.0.1', { labels, metadata: { namespace } })
        if (next) pods.set(`p${id}`, next)
        else pods.delete(`p${id}`)
        podIndex.set(`p${id}`, next)
      }
      for (const p of pods.values()) {
        const want = [...services].filter(([, s]) => selects(s, p)).map(([key]) => key)
        assert.deepEqual(selectorIndex.servicesOf(p).sort(), want.sort())
      }
      for (const s of services.values()) {
        const want = [...pods].filter(([, p]) => selects(s, p)).map(([key]) => key)
        assert.deepEqual([...podIndex.selectedBy(s)].map(([key]) => key).sort(), want.sort())
      }
    }),
  )
})

test('a cache older than the own write is stale until it catches up, in whichever order answer and event come', () => {
  const tracker = new StalenessTracker()
  const at = (resourceVersion: string) => service({}, { resourceVersion })
  tracker.wrote('web', at('10'), at('9'), 0)
  assert.ok(tracker.isStale('web', 0))
  tracker.saw('web', at('9'), false)
  assert.ok(tracker.isStale('web', 0))
  tracker.saw('web', at('11'), false)
  assert.ok(!tracker.isStale('web', 0))
  tracker.wrote('web', at('12'), at('12'), 0)
  assert.ok(!tracker.isStale('web', 0), 'the event came first')
  tracker.deleted('web', at('12'), at('12'), 0)
  tracker.saw('web', at('13'), false)
  assert.ok(tracker.isStale('web', 0))
  tracker.saw('web', at('13'), true)
  assert.ok(!tracker.isStale('web', 0))
  tracker.wrote('web', at('20'), undefined, 0)
  assert.ok(tracker.isStale('web', 1000))
  assert.ok(!tracker.isStale('web', 31_000), 'an object that never shows up is not waited for')
})

test('the trigger time is the oldest change not yet written', () => {
  const time = new TriggerTime(service({}, { creationTimestamp: '2026-01-01T00:00:00Z' }))
  const at = (lastTransitionTime: string) =>
    pod('p', '10.0.0.1', { status: { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime }] } })
  time.setPod('p', at('2026-01-01T00:00:05Z'))
  const first = time.take()
  assert.equal(first, '2026-01-01T00:00:00Z', 'a new Service counts from its creation')
  time.restore(first)
  assert.equal(time.take(), first, 'a failed write does not lose it')
  time.setPod('p', at('2026-01-01T00:00:05Z'))
  assert.equal(time.take(), undefined, 'nothing new')
  time.setPod('q', at('2026-01-01T00:00:09.5Z'))
  time.setPod('p', at('2026-01-01T00:00:10Z'))
  assert.equal(time.take(), '2026-01-01T00:00:09.500Z')
})
