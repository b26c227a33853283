import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { LogBuffer, type RunningContainer } from '../containers/index.ts'
import { runHook } from './lifecycle-hook.ts'
import type { ProbeDoor } from './probe-run.ts'
import { terminationMessage } from './termination-message.ts'

const door: ProbeDoor = {
  podAddress: parseAddress('10.244.0.2'),
  connect: () => {
    throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  },
  exec: () => assert.fail('a stand-in runs no command'),
}
const standIn = { log: new LogBuffer() } as unknown as RunningContainer

test('in a stand-in a hook that runs a command has worked, one that asks over HTTP has to', async () => {
  const run = (hook: object) => runHook(hook, { name: 'c' }, standIn, door, 1000)
  assert.equal(await run({ exec: { command: ['nginx', '-s', 'quit'] } }), undefined)
  assert.equal(await run({ httpGet: { port: 80 } }), 'connect')
})

test('last words are the file, or the end of the log of a failure where the policy says so', () => {
  const log = new LogBuffer()
  log.line('first')
  log.line(`last ${'x'.repeat(3000)}`)
  const container = { name: 'c', terminationMessagePolicy: 'FallbackToLogsOnError' }
  const silent = { log, lastWords: () => '' }
  assert.equal(terminationMessage(container, { log, lastWords: () => 'why' }, 1), 'why')
  assert.equal(terminationMessage({ name: 'c' }, silent, 1), undefined)
  assert.equal(terminationMessage(container, silent, 0), undefined)
  assert.equal(terminationMessage(container, silent, 1)?.length, 2048)
})
