import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { balancerOf, instanceOf, namesOf } from '../simulation.fixture.ts'
import { policyNames } from './index.ts'

const share = (hosts: readonly string[], host: string) => hosts.filter((one) => one === host).length / hosts.length

test('explain foretells every pick, of every policy, whatever is under way, failing or new', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...policyNames),
      fc.integer({ min: 1, max: 12 }),
      fc.array(fc.record({ key: fc.nat(5), end: fc.constantFrom('done', 'fail', 'open'), ms: fc.nat(3000) }), {
        maxLength: 60,
      }),
      (policy, count, steps) => {
        const { lb, clock, discovery } = balancerOf(namesOf(count), {
          policy,
          zone: 'a',
          sameInstancePreference: count % 3 === 0,
          slowStart: { windowMs: 5000 },
          hint: {},
        })
        steps.forEach((step, i) => {
          if (i === 20) discovery.set([...namesOf(count + 2)].map(instanceOf))
          const request = { hashKey: `k${step.key}`, ...(step.key === 3 ? { avoid: new Set(['r0']) } : {}) }
          const told = lb.explain(request)
          const lease = lb.pick(request)
          assert.equal(told.picked, lease.instance.instanceId, policy)
          assert.equal(told.instances.filter(({ verdict }) => verdict === 'picked').length, 1)
          clock.advanceTo(clock.now() + step.ms)
          if (step.end !== 'open') lease.done(step.end === 'done' ? 200 : 503)
        })
      },
    ),
    { numRuns: 150 },
  )
})

test('weighted gives each its share, evenly spread, whatever the weights', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 2, maxLength: 20 }), (weights) => {
      const { lb, discovery } = balancerOf(['x', 'y'], { policy: 'weighted' })
      discovery.set(weights.map((weight, i) => ({ ...instanceOf(`r${i}`), weight })))
      const sum = weights.reduce((a, b) => a + b, 0)
      const rounds = 20 * weights.length * Math.ceil(Math.max(...weights) / Math.min(...weights))
      const total = Math.min(20_000, rounds)
      const hosts = Array.from({ length: total }, () => lb.pick().instance.host)
      weights.forEach((weight, i) => {
        const expected = (total * weight) / sum
        const got = share(hosts, `r${i}`) * total
        assert.ok(Math.abs(got - expected) <= 3 + expected * 0.05, `r${i}: ${got}, not ${expected}, of ${weights}`)
      })
    }),
    { numRuns: 40 },
  )
})

test('a weight that is no number above 0 is 1', () => {
  const { lb, discovery } = balancerOf([], { policy: 'weighted' })
  const weights = ['0', '-3', 'abc', '', 'Infinity', '1']
  discovery.set(weights.map((weight, i) => ({ ...instanceOf(`r${i}`), metadata: { weight } })))
  const hosts = Array.from({ length: 60 }, () => lb.pick().instance.host)
  for (const host of namesOf(6)) assert.equal(share(hosts, host), 1 / 6)
})

test('round robin takes turns, also while the list changes; one instance does not move the counter', () => {
  const { lb } = balancerOf(namesOf(5), { policy: 'round-robin' })
  const hosts = Array.from({ length: 50 }, () => lb.pick().instance.host)
  for (const host of namesOf(5)) assert.equal(share(hosts, host), 1 / 5)
})

for (const policy of ['ring-hash', 'maglev'] as const)
  test(`${policy}: a key keeps its instance; when one goes, only its keys move, give or take a few of Maglev's`, () => {
    const count = 20
    const keys = Array.from({ length: 4000 }, (_, i) => `user-${i}`)
    const { lb, discovery } = balancerOf(namesOf(count), { policy })
    const owners = () => new Map(keys.map((hashKey) => [hashKey, lb.pick({ hashKey }).instance.host]))
    const before = owners()
    assert.deepEqual(owners(), before)
    for (const host of namesOf(count)) {
      const part = share([...before.values()], host)
      assert.ok(part > 0.02 && part < 0.09, `${host} has ${part}`)
    }
    // In another order, and without one.
    discovery.set(namesOf(count).slice(1).reverse().map(instanceOf))
    const after = owners()
    const moved = keys.filter((key) => before.get(key) !== 'r0' && before.get(key) !== after.get(key)).length
    assert.ok(moved <= (policy === 'maglev' ? keys.length * 0.05 : 0), `${moved} keys moved`)
  })

test('slow start: a newcomer begins with a tenth and grows to its share', () => {
  for (const policy of ['round-robin', 'least-request', 'random', 'weighted'] as const) {
    const { lb, clock, discovery } = balancerOf(namesOf(4), { policy, slowStart: { windowMs: 10_000 } })
    discovery.set(namesOf(5).map(instanceOf))
    const shareAt = (atMs: number) => {
      clock.advanceTo(atMs)
      const leases = Array.from({ length: 2000 }, () => lb.pick())
      const part = share(
        leases.map((lease) => lease.instance.host),
        'r4',
      )
      for (const lease of leases) lease.complete('discard')
      return part
    }
    const [early, middle, late] = [shareAt(100), shareAt(5000), shareAt(10_001)]
    assert.ok(early < 0.06, `${policy} early ${early}`)
    assert.ok(early < middle && middle < late, `${policy}: ${early}, ${middle}, ${late}`)
    assert.ok(late > 0.15, `${policy} late ${late}`)
  }
})
