import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backOffMessage, nextBackOff, noBackOff, shouldRestart } from './restart.ts'

test('the first restart comes at once, then delays double from 10 s to 5 min', () => {
  const delays: number[] = []
  let backOff = noBackOff
  for (let i = 0; i < 9; i++) {
    backOff = nextBackOff(backOff, 1000)
    delays.push(backOff.delayMs / 1000)
  }
  assert.deepEqual(delays, [0, 10, 20, 40, 80, 160, 300, 300, 300])
})

test('a run of ten minutes makes a container as good as new', () => {
  const backOff = nextBackOff({ delayMs: 300_000, crashes: 9 }, 600_000)
  assert.deepEqual(backOff, { delayMs: 0, crashes: 1 })
})

for (const [policy, code, wanted] of [
  ['Always', 0, true],
  ['Always', 1, true],
  ['OnFailure', 0, false],
  ['OnFailure', 1, true],
  ['Never', 1, false],
] as const) {
  test(`${policy} after exit code ${code}: ${wanted ? 'restart' : 'stay'}`, () => {
    assert.equal(shouldRestart(policy, code), wanted)
  })
}

test('the message says the delay as Go prints it', () => {
  assert.equal(
    backOffMessage(10_000, 'c', 'p_default(u)'),
    'back-off 10s restarting failed container=c pod=p_default(u)',
  )
  assert.match(backOffMessage(80_000, 'c', 'p'), /^back-off 1m20s /)
  assert.match(backOffMessage(300_000, 'c', 'p'), /^back-off 5m0s /)
})
