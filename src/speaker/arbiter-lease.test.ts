import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { arbiterMs } from '../announce/index.ts'
import { type Cluster, startCluster, until } from '../controllers/cluster.fixture.ts'
import { ArbiterLease } from './arbiter-lease.ts'

let cluster: Cluster

before(async () => {
  cluster = await startCluster({ controllers: ['namespace-controller'] })
})
after(() => cluster.close())

/** A node's vote: until when it counts. */
function open(name: string): { lease: ArbiterLease; has(): boolean } {
  let deadline = 0
  const lease = new ArbiterLease(cluster.connect(), name, (forMs) => {
    deadline = performance.now() + forMs
  })
  return { lease, has: () => performance.now() < deadline }
}

test('one node at a time has the API server’s vote: renewed, given back, and taken from one that is gone', async (t) => {
  const a = open('a')
  const b = open('b')
  t.after(() => {
    a.lease.close()
    b.lease.close()
  })
  a.lease.setNeeded(true)
  await until('a has it', () => a.has())
  b.lease.setNeeded(true)
  const end = performance.now() + 1.5 * arbiterMs
  while (performance.now() < end) {
    assert.ok(a.has() && !b.has(), 'a renews it')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  a.lease.setNeeded(false)
  await until('b has it at once', () => b.has())
  assert.ok(!a.has())
  b.lease.close()
  a.lease.setNeeded(true)
  await until('a has it again', () => {
    assert.ok(!(a.has() && b.has()), 'never both')
    return a.has()
  })
})
