// One question, three answers: what is explained, what the lowered rules do to a packet, and what a real packet meets.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { servicePrefixes } from '../src/agent/rig.fixture.ts'
import { type Answer, explainConnection } from '../src/explain/index.ts'
import { mistakesIn } from '../src/explain/why-schema.fixture.ts'
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

/** Questions by transport and end. */
const counts = new Map<string, number>()
let named = 0

function kindOf(end: string): string {
  const [name = ''] = end.split(' ')
  return name.startsWith('node-') ? 'a node' : name === 'outside' ? 'outside' : end.includes(' as ') ? 'a pod' : end
}

/** By its name a Service is what it is by its address. */
function holdName({ to }: Asked, question: ReturnType<World['questionOf']>, ends: ReadonlySet<string>): void {
  const name = to.kind === 'cluster-ip' ? `s${to.index}` : ''
  if (!world.snapshot.services.has(`shop/${name}`) || question.from.kind === 'address') return
  const byName = { ...question, to: { kind: 'service', namespace: 'shop', name } as const }
  const said = promised(explainConnection(world.snapshot, byName, facts), '')
  assert.deepEqual([...said].sort(), [...ends].sort(), JSON.stringify(byName))
  named++
}

async function hold(asked: Asked): Promise<void> {
  const question = world.questionOf(asked)
  const { to, port, transport } = question
  assert.ok(to.kind === 'address')
  const answer = explainConnection(world.snapshot, question, facts)
  assert.deepEqual(mistakesIn(answer), [])
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
  holdName(asked, question, ends)
  const count = `${transport} ${[...new Set([...traced].map(kindOf))].sort().join(' or ')}`
  counts.set(count, (counts.get(count) ?? 0) + 1)
  // Where a node itself gets an INIT, its kernel keeps silent about it.
  if (transport === 'sctp' && [...traced].some((end) => end.startsWith('node-'))) return
  let met = 'silence'
  // The kernel limits how many refusals it sends in a second, for all namespaces together; what is dropped is dropped again.
  for (let tries = 0; met === 'silence' && tries < (traced.has('silence') ? 1 : 3); tries++)
    met = await meet(
      { namespace: station.namespace, source: packet.source },
      transport,
      to.address,
      port,
      world.arrivals,
    )
  // Who answers an echo does not say whom it saw.
  const fits =
    met === 'answered'
      ? [...traced].some((end) => answered(end) !== 'denied')
      : traced.has(met) || (transport === 'sctp' && [...traced].some((end) => answered(end) === answered(met)))
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
  const parts = [...counts].sort().map(([kind, one]) => `${one} ${kind}`)
  t.diagnostic(`${count} questions, ${named} of them by name too: ${parts.join(', ')}`)
})
