import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAddress } from '../addr/index.ts'
import type { EndpointSlice, LabelSelector, Pod } from '../objects/index.ts'
import { ChangeFeed, LiveSnapshot, matches, snapshotOf, splitKey } from './index.ts'

const labels = { app: 'web', tier: 'front' }
const cases: readonly [string, LabelSelector | Record<string, string> | undefined, boolean][] = [
  ['absent', undefined, false],
  ['empty', {}, true],
  ['map hit', { app: 'web' }, true],
  ['map miss', { app: 'web', x: 'y' }, false],
  ['map key named matchLabels', { matchLabels: 'x' }, false],
  ['matchLabels', { matchLabels: { app: 'web' } }, true],
  ['In', { matchExpressions: [{ key: 'app', operator: 'In', values: ['db', 'web'] }] }, true],
  ['In, key absent', { matchExpressions: [{ key: 'x', operator: 'In', values: [''] }] }, false],
  ['NotIn', { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] }, false],
  ['NotIn, key absent', { matchExpressions: [{ key: 'x', operator: 'NotIn', values: ['web'] }] }, true],
  ['Exists', { matchExpressions: [{ key: 'tier', operator: 'Exists' }] }, true],
  ['Exists, inherited name', { matchExpressions: [{ key: 'toString', operator: 'Exists' }] }, false],
  ['DoesNotExist', { matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] }, false],
  ['both', { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] }, false],
]
for (const [name, selector, expected] of cases) {
  test(`selector: ${name}`, () => assert.equal(matches(selector, labels), expected))
}

function slice(name: string, service: string | undefined): EndpointSlice {
  const labels: Record<string, string> = service === undefined ? {} : { 'kubernetes.io/service-name': service }
  const metadata = { name, namespace: 'ns', labels }
  return { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, addressType: 'IPv4', endpoints: [] }
}

function pod(name: string, node: string, ip: string, phase: 'Running' | 'Succeeded' = 'Running'): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'ns' },
    spec: { containers: [], nodeName: node },
    status: { phase, podIPs: [{ ip }] },
  }
}

test('a slice that changes its Service touches both, and is listed once', () => {
  const feed = new ChangeFeed()
  const snapshot = new LiveSnapshot(feed)
  snapshot.put('slices', 'ns/b', slice('b', 'x'))
  snapshot.put('slices', 'ns/a', slice('a', 'x'))
  assert.deepEqual([...feed.take().services], ['ns/x'])
  snapshot.put('slices', 'ns/b', slice('b', 'y'))
  const changes = feed.take()
  assert.deepEqual([...changes.services].sort(), ['ns/x', 'ns/y'])
  assert.deepEqual([...changes.slices], ['ns/b'])
  assert.equal(feed.size, 0)
  assert.deepEqual(
    snapshot.slicesOf('ns/x').map((one) => one.metadata.name),
    ['a'],
  )
})

test('a Pod is found by address until it ends, and an address given out again finds the newer Pod', () => {
  const snapshot = new LiveSnapshot()
  const address = parseAddress('10.244.0.2')
  snapshot.put('pods', 'ns/old', pod('old', 'n1', '10.244.0.2'))
  snapshot.put('pods', 'ns/new', pod('new', 'n1', '10.244.0.2'))
  assert.equal(snapshot.findPod(address)?.metadata.name, 'new')
  snapshot.put('pods', 'ns/old', pod('old', 'n1', '10.244.0.2', 'Succeeded'))
  assert.equal(snapshot.findPod(address)?.metadata.name, 'new')
  snapshot.put('pods', 'ns/new', undefined)
  assert.equal(snapshot.findPod(address), undefined)
  assert.deepEqual(
    [...snapshot.podsOn('n1')].map((one) => one.metadata.name),
    ['old'],
  )
})

test('indexes after any sequence equal those of a fresh Snapshot', () => {
  const step = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    service: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }),
    gone: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const live = new LiveSnapshot()
      for (const { name, service, gone } of steps) {
        live.put('slices', `ns/${name}`, gone ? undefined : slice(name, service))
      }
      const fresh = snapshotOf(live.slices.values())
      for (const key of ['ns/x', 'ns/y']) assert.deepEqual(live.slicesOf(key), fresh.slicesOf(key))
    }),
  )
})

test('keys split at the slash', () => {
  assert.deepEqual(splitKey('a/b'), { namespace: 'a', name: 'b' })
  assert.deepEqual(splitKey('node'), { namespace: '', name: 'node' })
})
