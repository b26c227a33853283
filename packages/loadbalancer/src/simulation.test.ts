import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PolicyName, policyNames } from './policy/index.ts'
import { balancerOf, namesOf, normal, type Replica, simulate } from './simulation.fixture.ts'

const usual: Replica = (_atMs, random) => ({ latencyMs: normal(random, 167, 5), status: 200 })
const failing: Replica = (atMs, random) => (atMs < 10_000 ? usual(atMs, random) : { latencyMs: 1, status: 500 })

/** Eleven replicas, 1000 requests a second for a minute; one takes 2 s from second 15 to second 45. */
function slowReplica(policy: PolicyName, outlier: false | undefined = undefined) {
  const rig = balancerOf(namesOf(11), { policy, ...(outlier === false ? { outlier } : {}) })
  const slow: Replica = (atMs, random) =>
    atMs >= 15_000 && atMs < 45_000 ? { latencyMs: 2000, status: 200 } : usual(atMs, random)
  return simulate(rig, { perSecond: 1000, seconds: 60, replicaOf: (host) => (host === 'r0' ? slow : usual) })
}

const withinASecond: Partial<Record<PolicyName, number>> = {
  'round-robin': 95.4,
  random: 95.3,
  weighted: 95.4,
  'least-request': 99.45,
  'peak-ewma': 99.9,
}
for (const [policy, least] of Object.entries(withinASecond))
  test(`one of 11 slow at 2 s for half the time, ${policy}: at least ${least} % within a second`, (t) => {
    const run = slowReplica(policy as PolicyName)
    t.diagnostic(`${run.successWithin(1000).toFixed(3)} %, p99.9 ${run.percentile(99.9).toFixed(0)} ms`)
    assert.ok(run.successWithin(1000) >= least, `${run.successWithin(1000)} %`)
    if (policy === 'peak-ewma') assert.ok(run.percentile(99.9) < 200, `p99.9 ${run.percentile(99.9)} ms`)
  })

for (const policy of policyNames)
  for (const outlier of policy.endsWith('-ewma') || policy === 'least-request'
    ? [undefined, false as const]
    : [undefined])
    test(`one of 10 fails at once, ${policy}${outlier === false ? ' without ejection' : ''}: under 1 % of the requests`, (t) => {
      const rig = balancerOf(namesOf(10), { policy, ...(outlier === false ? { outlier } : {}) })
      const run = simulate(rig, {
        perSecond: 1000,
        seconds: 40,
        replicaOf: (host) => (host === 'r0' ? failing : usual),
      })
      t.diagnostic(`${((run.failed * 100) / 30_000).toFixed(3)} % failed`)
      assert.ok(run.failed > 0, 'the replica was never tried, so nothing was shown')
      assert.ok(run.failed / 30_000 < (policy === 'peak-ewma' ? 0.002 : 0.01), `${run.failed} of 30000`)
    })

test('slow and failing at once: peak-ewma avoids both', () => {
  const slow: Replica = () => ({ latencyMs: 2000, status: 200 })
  const run = simulate(balancerOf(namesOf(11)), {
    perSecond: 1000,
    seconds: 60,
    replicaOf: (host) => (host === 'r0' ? failing : host === 'r1' ? slow : usual),
  })
  assert.ok(run.successWithin(1000) >= 99.8, `${run.successWithin(1000)} %`)
})

test('a replica that recovers gets its share back', () => {
  const recovering: Replica = (atMs, random) => (atMs < 10_000 ? { latencyMs: 1, status: 500 } : usual(atMs, random))
  for (const policy of ['peak-ewma', 'least-request', 'round-robin'] as const) {
    const rig = balancerOf(namesOf(10), { policy })
    let early = 0
    const run = simulate(rig, {
      perSecond: 500,
      seconds: 120,
      replicaOf: (host) => (host === 'r0' ? recovering : usual),
      at: (nowMs) => {
        if (nowMs === 60_000) early = rig.lb.explain().instances.length
      },
    })
    assert.equal(early, 10)
    const share = (run.byHost.get('r0') ?? 0) / run.total
    assert.ok(share > 0.05, `${policy}: ${share}`)
  }
})

test('churn of ten a second: what was learnt of the others stays, no pick goes to who left', () => {
  const rig = balancerOf(namesOf(20))
  let hosts = namesOf(20)
  let made = 20
  let changedMs = 0
  const slow: Replica = () => ({ latencyMs: 2000, status: 200 })
  const run = simulate(rig, {
    perSecond: 500,
    seconds: 30,
    at(nowMs) {
      if (nowMs < changedMs + 100) return
      changedMs = nowMs
      // r0 is the slow one and stays.
      hosts = [hosts[0]!, ...hosts.slice(2), `r${made++}`]
      rig.discovery.set(hosts.map((host) => ({ host, port: 80, instanceId: host })))
    },
    replicaOf(host) {
      assert.ok(hosts.includes(host), `${host} has left`)
      return host === 'r0' ? slow : usual
    },
  })
  assert.equal(run.failed, 0)
  assert.ok((run.byHost.get('r0') ?? 0) < 60, `the slow one got ${run.byHost.get('r0')}`)
})

test('the same seed gives the same picks', () => {
  for (const policy of policyNames) {
    const picks = () => {
      const { lb } = balancerOf(namesOf(7), { policy })
      return Array.from({ length: 200 }, () => lb.pick().instance.host).join()
    }
    assert.equal(picks(), picks(), policy)
  }
})
