import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Reachability } from './reachability.ts'

type Answer = 'answers' | 'refuses' | 'silent'

/** What each request and each handshake meets, in order, the last one from then on; resolves when so many requests were sent. */
async function look(answers: readonly Answer[], handshakes: readonly boolean[], requests: number): Promise<boolean> {
  const { promise: enough, resolve } = Promise.withResolvers<void>()
  let asked = 0
  let reached = 0
  let begun = false
  const reachability = new Reachability(
    {
      async ask(signal) {
        const answer = answers[Math.min(asked++, answers.length - 1)]
        if (asked > requests) resolve()
        if (answer === 'silent') await once(signal, 'abort')
        if (answer !== 'answers') throw new Error(answer)
      },
      reach: async () => handshakes[Math.min(reached++, handshakes.length - 1)] ?? true,
    },
    () => {
      begun = true
    },
    20,
  )
  const { signal } = reachability
  reachability.start()
  await enough
  reachability.close()
  assert.equal(signal.aborted, begun)
  return begun
}

test('everything begins anew after packets were lost, however short, and after a server was silent twice', async () => {
  assert.equal(await look(['silent', 'answers'], [false, true], 2), true, 'lost once')
  assert.equal(await look(['silent', 'answers'], [false, false, false, true], 2), true, 'lost for longer')
  assert.equal(await look(['silent', 'silent', 'answers'], [true], 3), true, 'silent twice')
  assert.equal(await look(['refuses', 'refuses', 'answers'], [true], 3), true, 'refused twice')
})

test('a server that is slow now and then is given nothing more to do', async () => {
  assert.equal(await look(['silent', 'answers'], [true], 3), false)
  assert.equal(await look(['answers'], [true], 3), false)
})

test('while packets get lost no request is sent', async () => {
  let asked = 0
  let reached = 0
  const { promise: enough, resolve } = Promise.withResolvers<void>()
  const reachability = new Reachability(
    {
      async ask(signal) {
        asked++
        await once(signal, 'abort')
        throw signal.reason
      },
      async reach() {
        if (++reached === 5) resolve()
        return false
      },
    },
    () => assert.fail('it is not back'),
    20,
  )
  reachability.start()
  await enough
  reachability.close()
  assert.equal(asked, 1)
})
