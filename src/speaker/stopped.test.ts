import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultTiming } from '../announce/index.ts'
import { makeSegment, type Segment, virtual } from './segment.fixture.ts'
import { SpeakerProcess } from './speaker-process.fixture.ts'

const address = virtual[4]

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
    const speakers = segment.machines.map((machine) => new SpeakerProcess(segment, machine, [address], defaultTiming))
    t.after(() => Promise.all(speakers.map((speaker) => speaker.end())))
    const old = await untilAnswered(segment, (name) => name !== '')
    const victim = speakers.find(({ machine }) => machine.name === old)!
    victim.signal(how)
    const stoppedAt = performance.now()
    // Its socket fills with requests while it is stopped.
    const next = await untilAnswered(segment, (name) => name !== '' && name !== old)
    t.diagnostic(`${next} answers alone ${Math.round(performance.now() - stoppedAt)} ms after ${how} of ${old}`)
    if (how === 'SIGSTOP') victim.signal('SIGCONT')
    for (let i = 0; i < 10; i++) {
      const got = await segment.whoAnswers(address)
      assert.ok(!got.includes(old), `${got} answer after ${old} went on`)
    }
    assert.equal(await untilAnswered(segment, () => true), next)
  })
}
