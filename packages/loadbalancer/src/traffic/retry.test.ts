import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../random.ts'
import { VirtualClock } from '../simulation.fixture.ts'
import { backoffMs, LatencyWindow, RetryBudget, wasNeverSent } from './retry.ts'

test('backoff doubles from the least to the most, give or take the jitter; off unless enabled', () => {
  const random = new Random(7)
  assert.equal(backoffMs(undefined, 3, random), 0)
  assert.equal(backoffMs({ minBackoffMs: 100 }, 3, random), 0)
  const exact = { enabled: true, minBackoffMs: 5, maxBackoffMs: 100, jitter: 0 }
  assert.deepEqual(
    [1, 2, 3, 5, 6, 60].map((number) => backoffMs(exact, number, random)),
    [5, 10, 20, 80, 100, 100],
  )
  const waits = Array.from({ length: 1000 }, () => backoffMs({ enabled: true, minBackoffMs: 100 }, 1, random))
  assert.ok(Math.min(...waits) >= 50 && Math.max(...waits) <= 150)
  assert.ok(Math.min(...waits) < 60 && Math.max(...waits) > 140, 'the whole width is used')
})

test('a budget gives a share of the requests and a floor, and forgets what is older than its time to live', () => {
  const clock = new VirtualClock()
  const budget = new RetryBudget({ ratio: 0.5, minRetriesPerSecond: 1, ttlMs: 2000 }, clock)
  for (let i = 0; i < 10; i++) budget.deposit()
  let retries = 0
  while (budget.tryWithdraw()) retries++
  assert.equal(retries, 7, 'half of ten, and one a second for two seconds')
  clock.advanceTo(2200)
  retries = 0
  while (budget.tryWithdraw()) retries++
  assert.equal(retries, 2, 'the floor alone')
})

test('percentiles of the latest answers', () => {
  const latencies = new LatencyWindow()
  assert.equal(latencies.percentile(95), undefined)
  for (let i = 1; i <= 300; i++) latencies.add(i)
  const median = latencies.percentile(50)!
  assert.ok(median > 150 && median < 190, `the first ones are forgotten: ${median}`)
})

test('what never reached an instance is known by its code, however deep', () => {
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  assert.equal(wasNeverSent(new TypeError('fetch failed', { cause: refused })), true)
  assert.equal(wasNeverSent(Object.assign(new Error('reset'), { code: 'ECONNRESET' })), false)
  assert.equal(wasNeverSent(undefined), false)
})
