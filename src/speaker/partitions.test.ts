import assert from 'node:assert/strict'
import { test } from 'node:test'
import { observePartitions } from './partitions.fixture.ts'
import { makeSegment } from './segment.fixture.ts'

const count = Number(process.env.PLUMB_PARTITIONS ?? 40)

test(`in ${count} random partitions, cuts one way and stops never do two answer for an address`, {
  timeout: 60_000 + count * 1000,
}, async (t) => {
  const segment = makeSegment(t, 5)
  if (segment === undefined) return
  const seed = Number(process.env.PLUMB_SEED ?? Date.now() % 1e9)
  const { dualMs, answers, changes, recoveryMs } = await observePartitions(segment, count, seed)
  t.diagnostic(
    `seed ${seed}: ${answers} answers, ${changes} changes of the machine that answers, ${dualMs} ms of dual ownership; answered ${Math.round(recoveryMs)} ms after the last partition`,
  )
  assert.equal(dualMs, 0)
  assert.ok(changes > count / 20 && answers > count, 'the address moves, and is answered for')
})
