import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { ChangeFeed, LiveSnapshot } from '../cluster/index.ts'
import type { Pod } from '../objects/index.ts'
import { PolicyTables } from './index.ts'

const key = 'shop/web-1'
const address = parseAddress('10.244.1.5')
/** A pod as the API server tells of it before its kubelet has written a status. */
const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'shop', name: 'web-1' },
  spec: { nodeName: 'node-1', containers: [] },
}

test('a pod is guarded in whichever order its address and its object arrive, and forgotten when it goes', () => {
  for (const order of ['address first', 'object first'] as const) {
    const feed = new ChangeFeed()
    const snapshot = new LiveSnapshot(feed)
    const tables = new PolicyTables('node-1')
    const round = () => tables.update(snapshot, feed.take())
    const steps = [() => tables.attach(key, [address]), () => snapshot.put('pods', key, pod)]
    for (const step of order === 'address first' ? steps : steps.reverse()) {
      step()
      // Whoever attaches tells the feed, although the object may not be there.
      feed.note('pods', key)
      round()
    }
    assert.ok(tables.knows(address), order)
    snapshot.put('pods', key, undefined)
    round()
    assert.ok(!tables.knows(address), order)
    snapshot.put('pods', key, pod)
    round()
    assert.ok(!tables.knows(address), 'a new pod of that name has no address yet')
  }
})
