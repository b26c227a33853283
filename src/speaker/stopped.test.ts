import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { defaultTiming } from '../announce/index.ts'
import type { EngineEvent } from './engine.ts'
import { type Machine, makeSegment, type Segment, virtual } from './segment.fixture.ts'

const address = virtual[4]

interface Speaker {
  readonly machine: Machine
  readonly child: ChildProcess
  readonly events: EngineEvent[]
}

/** An engine in a process of its own, with the key and port of the others. */
function start({ machines }: Segment, machine: Machine): Speaker {
  const options = { node: machine.name, boot: '1', timing: defaultTiming, key: 'a key for the test', port: 10_261 }
  const script = fileURLToPath(new URL('./engine-process.fixture.ts', import.meta.url))
  const words = [script, JSON.stringify(options)]
  const child = machine.namespace.run(() => spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] }))
  const events: EngineEvent[] = []
  createInterface({ input: child.stdout }).on('line', (line) => events.push(JSON.parse(line) as EngineEvent))
  const members = machines.map(({ name, addresses }) => ({ name, addresses }))
  const because = { object: 'service/ns/web', field: 'spec.type', value: 'LoadBalancer' }
  const claim = { address, eligible: machines.map(({ name }) => name), use: 'LoadBalancer', because }
  for (const command of [
    { kind: 'members', members },
    { kind: 'addresses', addresses: [{ claim }] },
  ])
    child.stdin.write(`${JSON.stringify(command)}\n`)
  return { machine, child, events }
}

/** The one machine that answers, when it is the same three times in a row and satisfies the condition. */
async function untilAnswered(segment: Segment, fits: (name: string) => boolean): Promise<string> {
  let last = ''
  for (let i = 0, same = 0; i < 100; i++) {
    const [name = '', ...others] = await segment.whoAnswers(address)
    same = name === last && others.length === 0 ? same + 1 : 0
    last = name
    if (same === 2 && fits(name)) return name
  }
  throw new Error(`${last} answers`)
}

for (const how of ['SIGSTOP', 'SIGKILL'] as const) {
  test(`a process that gets ${how} while it holds an address never answers beside the next holder`, {
    timeout: 120_000,
  }, async (t) => {
    const segment = makeSegment(t, 3)
    if (segment === undefined) return
    const speakers = segment.machines.map((machine) => start(segment, machine))
    t.after(async () => {
      for (const { child } of speakers) child.kill('SIGKILL')
      await Promise.all(speakers.map(({ child }) => child.exitCode ?? child.signalCode ?? once(child, 'exit')))
    })
    const old = await untilAnswered(segment, (name) => name !== '')
    const victim = speakers.find(({ machine }) => machine.name === old)!
    victim.child.kill(how)
    const stoppedAt = performance.now()
    // Its socket fills with requests while it is stopped.
    const next = await untilAnswered(segment, (name) => name !== '' && name !== old)
    t.diagnostic(`${next} answers alone ${Math.round(performance.now() - stoppedAt)} ms after ${how} of ${old}`)
    if (how === 'SIGSTOP') victim.child.kill('SIGCONT')
    for (let i = 0; i < 10; i++) {
      const got = await segment.whoAnswers(address)
      assert.ok(!got.includes(old), `${got} answer after ${old} went on`)
    }
    assert.equal(await untilAnswered(segment, () => true), next)
  })
}
