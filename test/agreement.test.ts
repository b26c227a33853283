// One question, three answers: what is explained, what the lowered rules do to a packet, and what a real packet meets.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { servicePrefixes } from '../src/agent/rig.fixture.ts'
import { type Answer, explainConnection } from '../src/explain/index.ts'
import { Lowered } from './agreement/lowered.ts'
import { meet } from './agreement/met.ts'
import { type Asked, arbitraryCluster, arbitraryQuestions, hostPod } from './agreement/random-cluster.ts'
import { World } from './agreement/world.ts'

/** Random clusters; the long run asks for more. */
const runs = Number(process.env.PLUMB_RUNS ?? 4)
const questionsEach = 100
const facts = { clusterDomain: 'cluster.local', servicePrefixes }
const world = new World()
let lowered: Lowered

before(async () => {
  await world.start()
  lowered = new Lowered(world)
})
after(() => world.close())

/** What the explanation promises: each end that a packet may come to. A deny is a refusal or silence. */
function promised({ verdict, seenAs, branches }: Answer, to: string): ReadonlySet<string> {
  if (branches.length > 0)
    return new Set(
      branches.map((one) => endOf(one.verdict.kind, `${one.endpoint.address} ${one.endpoint.port}`, one.seenAs)),
    )
  return new Set([endOf(verdict.kind, to, seenAs)])
}

function endOf(kind: Answer['verdict']['kind'], to: string, seenAs: string | undefined): string {
  if (kind === 'deny') return 'denied'
  const [address = '', port] = to.split(' ')
  const name = nameOf(address)
  // Nobody is known at an address beyond the cluster.
  if (name === undefined) return 'denied'
  return port === '8080' || port === '0' ? `${name} as ${seenAs}` : 'denied'
}

function nameOf(address: string): string | undefined {
  return [...world.stations].find(([, { addresses }]) => Object.values<string>(addresses).includes(address))?.[0]
}

const answered = (end: string): string => (end === 'refused' || end === 'silence' ? 'denied' : end)

async function hold(asked: Asked): Promise<void> {
  const question = world.questionOf(asked)
  const { to, port, transport } = question
  assert.ok(to.kind === 'address' && transport !== 'sctp')
  const answer = explainConnection(world.snapshot, question, facts)
  const ends = promised(answer, `${to.address} ${port}`)
  const station = world.station(asked.from === hostPod ? 'node-2' : asked.from)
  const packet = { from: asked.from, source: station.addresses[asked.family], destination: to.address, transport, port }
  const choices = Math.max(1, answer.branches.length)
  const traces = Array.from({ length: choices }, (_, choice) => lowered.follow({ ...packet, choice }))
  const traced = new Set(traces.map(({ end }) => end))
  const story = (met: string): string =>
    JSON.stringify(
      {
        asked,
        question,
        verdict: answer.verdict,
        promised: [...ends],
        traced: [...traced],
        met,
        steps: answer.steps.map(({ node, says }) => `${node}: ${says}`),
        rules: traces[0]?.steps,
      },
      null,
      1,
    )
  assert.deepEqual([...new Set([...traced].map(answered))].sort(), [...ends].sort(), story('not sent'))
  let met = 'silence'
  // The kernel limits how many refusals it sends in a second, for all namespaces together; what is dropped is dropped again.
  for (let tries = 0; met === 'silence' && tries < (traced.has('silence') ? 1 : 3); tries++)
    met = await meet({ namespace: station.namespace, source: packet.source }, transport, to.address, port)
  // Who answers an echo does not say whom it saw.
  const fits = met === 'answered' ? [...traced].some((end) => answered(end) !== 'denied') : traced.has(met)
  assert.ok(fits, story(met))
}

test('what is explained, what the rules do and what a packet meets are one, in random clusters', {
  timeout: 7_200_000,
}, async (t) => {
  let count = 0
  await fc.assert(
    fc.asyncProperty(arbitraryCluster, arbitraryQuestions(questionsEach), async (cluster, questions) => {
      await world.become(cluster)
      lowered.round(world.feed.take())
      // All at once: each silence costs a second and a half.
      const results = await Promise.allSettled(questions.map(hold))
      count += questions.length
      const wrong = results.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []))
      assert.equal(wrong.length, 0, `${wrong.length} of ${questions.length}: ${wrong[0]?.message}`)
    }),
    // A failure is shown as it is found.
    { numRuns: runs, endOnFailure: true },
  )
  t.diagnostic(`${count} questions`)
})
