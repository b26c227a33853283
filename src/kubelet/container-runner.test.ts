import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import type { ContainerExit, RunningContainer } from '../containers/index.ts'
import type { Container } from '../objects/index.ts'
import { ContainerRunner, type RunnerDoor } from './container-runner.ts'

const container: Container = {
  name: 'web',
  image: 'i',
  readinessProbe: { exec: { command: ['ready'] }, periodSeconds: 1, failureThreshold: 1 },
  livenessProbe: { exec: { command: ['alive'] }, periodSeconds: 1, failureThreshold: 1 },
}

test('while a container ends, readiness is still asked and liveness is not', async () => {
  const { promise: exited, resolve: exit } = Promise.withResolvers<ContainerExit>()
  const { promise: ready, resolve: becomeReady } = Promise.withResolvers<void>()
  const { promise: unready, resolve: becomeUnready } = Promise.withResolvers<void>()
  let ending = false
  const asked: string[] = []
  const stops: number[] = []
  const running = { warmsUp: false, exited, stop: (graceMs: number) => stops.push(graceMs) }
  const door: RunnerDoor = {
    podTitle: 'web_default(u)',
    graceMs: 30_000,
    start: async () => running as unknown as RunningContainer,
    probeDoor: () => ({
      podAddress: parseAddress('10.244.0.2'),
      connect: () => assert.fail('no probe connects'),
      exec: async ([name = '']) => {
        if (ending) asked.push(name)
        return { exitCode: ending ? 1 : 0, output: '' }
      },
    }),
    changed: () => (runner.record.ready ? becomeReady() : ending && becomeUnready()),
    event: () => undefined,
  }
  const runner = new ContainerRunner(container, 'app', 'Always', false, door)
  const ended = runner.run()
  await ready
  ending = true
  runner.stop(30_000)
  await unready
  assert.deepEqual(stops, [30_000], 'a failed liveness probe would have stopped it again')
  assert.deepEqual(new Set(asked), new Set(['ready']))
  exit({ exitCode: 0 })
  await ended
})
