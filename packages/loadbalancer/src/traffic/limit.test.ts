import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConcurrencyLimit, type LimitOptions } from './limit.ts'

/**
 * A client that keeps as many requests under way as it may, against a service that works on `places` at once for `workMs` each; with more under
 * way each takes longer by as much (Little's law). Answers the limit after `rounds` of work.
 */
function saturate(options: LimitOptions, places: number, workMs: number, rounds: number): number {
  const limit = new ConcurrencyLimit(options)
  for (let round = 0; round < rounds; round++) {
    let started = 0
    while (limit.tryAcquire()) started++
    for (let i = 0; i < started; i++) limit.release(workMs * Math.max(1, started / places), false)
  }
  return limit.limit
}

test('vegas finds what the service takes at once and a short line, from below and from above, and stays there', () => {
  for (const initialLimit of [2, 300])
    for (const rounds of [400, 3000]) {
      const found = saturate({ algorithm: 'vegas', maxLimit: 500, initialLimit }, 40, 10, rounds)
      assert.ok(found >= 38 && found <= 60, `from ${initialLimit} after ${rounds} rounds: ${found}`)
    }
})

test('vegas follows a service that has become slower for good', () => {
  const limit = new ConcurrencyLimit({ algorithm: 'vegas', initialLimit: 40, maxLimit: 500 })
  const round = (workMs: number): void => {
    let started = 0
    while (limit.tryAcquire()) started++
    for (let i = 0; i < started; i++) limit.release(workMs * Math.max(1, started / 40), false)
  }
  for (let i = 0; i < 200; i++) round(10)
  for (let i = 0; i < 1500; i++) round(80)
  const found = Array.from({ length: 10 }, () => {
    round(80)
    return limit.limit
  })
  assert.ok(Math.max(...found) >= 38 && Math.max(...found) <= 60, found.join())
  assert.ok(Math.min(...found) >= 19, 'measuring takes half of them for a moment')
})

test('aimd rises while answers are quick, falls with each that is too slow or dropped, within its bounds', () => {
  const quick = saturate({ initialLimit: 10, maxLimit: 60, timeoutMs: 50 }, 1000, 10, 500)
  assert.equal(quick, 60)
  const slow = saturate({ initialLimit: 50, minLimit: 3, timeoutMs: 50 }, 1000, 60, 20)
  assert.equal(slow, 3)
  const limit = new ConcurrencyLimit({ initialLimit: 10 })
  limit.tryAcquire()
  limit.release(undefined, true)
  assert.equal(limit.limit, 9)
})

test('what says nothing about the service changes nothing, and a quiet client learns nothing', () => {
  const limit = new ConcurrencyLimit({ initialLimit: 10 })
  limit.tryAcquire()
  limit.release(undefined, false)
  for (let i = 0; i < 100; i++) {
    limit.tryAcquire()
    limit.release(1, false)
  }
  assert.deepEqual([limit.limit, limit.active], [10, 0])
})
