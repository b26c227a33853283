import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LoadBalancer } from './balancer.ts'
import { renderExplanation } from './explain.ts'
import type { BalancedRequest, InstanceList, ServiceInstance } from './instance.ts'
import { type LoadBalancerLifecycle, NoInstanceError } from './lifecycle.ts'
import type { LoadBalancerOptions } from './options.ts'
import { balancerOf, instanceOf, namesOf, VirtualClock } from './simulation.fixture.ts'

const hostsOf = (lb: LoadBalancer, request: BalancedRequest = {}) =>
  [...new Set(Array.from({ length: 60 }, () => lb.pick(request).instance.host))].sort()

function rig(instances: (Partial<ServiceInstance> & { host: string })[], options: Partial<LoadBalancerOptions> = {}) {
  const { lb, clock, discovery } = balancerOf([], { policy: 'round-robin', ...options })
  discovery.set(instances.map((one) => ({ ...instanceOf(one.host), ...one })))
  return { lb, clock, discovery }
}

const zones = [
  { host: 'a', zone: 'z1' },
  { host: 'b', zone: 'Z1' },
  { host: 'c', zone: 'z2' },
]
const versions = [
  { host: 'a', metadata: { version: '1.0' } },
  { host: 'b', metadata: { version: 'v2' } },
]
const cookie = (id: string) => ({ headers: { cookie: `x=1; sc-lb-instance-id=${id}` } })

const table: [string, Parameters<typeof rig>, BalancedRequest, string[]][] = [
  ['zone, without case', [zones, { zone: 'z1' }], {}, ['a', 'b']],
  ['zone that nobody is in', [zones, { zone: 'z9' }], {}, ['a', 'b', 'c']],
  [
    'zone hints where all have them',
    [
      [
        { host: 'a', zone: 'z1', hints: { zones: ['z2'] } },
        { host: 'b', zone: 'z2', hints: { zones: ['z1'] } },
      ],
      { zone: 'z1' },
    ],
    {},
    ['b'],
  ],
  [
    'hint by header',
    [[{ host: 'a', metadata: { hint: 'gold' } }, { host: 'b' }], { hint: {} }],
    { headers: { 'x-sc-lb-hint': 'gold' } },
    ['a'],
  ],
  [
    'hint that nobody has',
    [[{ host: 'a', metadata: { hint: 'gold' } }, { host: 'b' }], { hint: {} }],
    { hint: 'tin' },
    ['a', 'b'],
  ],
  [
    'hint by default',
    [[{ host: 'a', metadata: { hint: 'gold' } }, { host: 'b' }], { hint: { default: 'gold' } }],
    {},
    ['a'],
  ],
  ['sticky cookie', [zones, { stickySession: {} }], cookie('c'), ['c']],
  ['sticky cookie of one who left', [zones, { stickySession: {} }], cookie('gone'), ['a', 'b', 'c']],
  ['sticky and zone together', [zones, { stickySession: {}, zone: 'z1' }], cookie('b'), ['b']],
  ['version by header', [versions, { apiVersion: { header: 'X-Version' } }], { headers: { 'x-version': '2' } }, ['b']],
  ['version by path', [versions, { apiVersion: { pathSegment: 0 } }], { path: '/v1/users?x=1' }, ['a']],
  ['version by query', [versions, { apiVersion: { queryParameter: 'v' } }], { path: '/users?v=2.0' }, ['b']],
  [
    'version by media type',
    [versions, { apiVersion: { mediaTypeParameters: { 'application/json': 'v' } } }],
    { headers: { accept: 'application/json;v=2' } },
    ['b'],
  ],
  [
    'version missing, fallback',
    [versions, { apiVersion: { header: 'x', fallbackToAvailableInstances: true } }],
    { headers: { x: '7' } },
    ['a', 'b'],
  ],
  ['draining is left out', [[{ host: 'a', terminating: true, serving: true }, { host: 'b' }]], {}, ['b']],
  [
    'all draining: those that serve',
    [
      [
        { host: 'a', ready: false, terminating: true, serving: true },
        { host: 'b', ready: false, terminating: true, serving: false },
      ],
    ],
    {},
    ['a'],
  ],
  ['retry avoids who was tried', [zones], { avoid: new Set(['a', 'c']) }, ['b']],
  ['retry with nobody else', [zones], { avoid: new Set(['a', 'b', 'c']) }, ['a', 'b', 'c']],
]
for (const [name, given, request, expected] of table)
  test(name, () => {
    const { lb } = rig(...given)
    assert.deepEqual(hostsOf(lb, request), expected)
  })

test('nobody: the error says which of the reasons, and explain says it of each instance', () => {
  const empty = rig([])
  assert.throws(() => empty.lb.pick(), /svc: a static list has no instances/)
  const { lb } = rig([
    { host: 'a', ready: false },
    { host: 'b', terminating: true, serving: false },
  ])
  assert.throws(
    () => lb.pick(),
    (error) => {
      assert.ok(error instanceof NoInstanceError)
      const told = error.explanation()
      assert.deepEqual(
        told.instances.map(({ by, because }) => `${by}: ${because}`),
        ['availability: not ready', 'availability: terminating and no longer serving'],
      )
      return true
    },
  )
  const strict = rig(versions, { apiVersion: { header: 'x', required: true } })
  assert.throws(() => strict.lb.pick({}), /none of 2 instances/)
})

test('ejection after five failures, a longer one after the return, panic when half are gone', () => {
  const { lb, clock } = rig(
    namesOf(10).map((host) => ({ host })),
    { outlier: { maxEjectionPercent: 100 } },
  )
  const failOf = (bad: (host: string) => boolean, rounds: number) => {
    for (let i = 0; i < rounds; i++) {
      const lease = lb.pick()
      lease.done(bad(lease.instance.host) ? 503 : 200)
    }
  }
  failOf((host) => host === 'r0', 60)
  assert.equal(lb.explain().instances[0]?.because, 'ejected for 30 s more: 5 failures in a row')
  clock.advanceTo(30_001)
  assert.ok(hostsOf(lb).includes('r0'))
  failOf((host) => host === 'r0', 10)
  assert.match(lb.explain().instances[0]?.because ?? '', /ejected for 60 s more: failed again after its return/)
  failOf((host) => Number(host.slice(1)) < 6, 100)
  assert.equal(lb.explain().panic, true)
  assert.equal(hostsOf(lb).length, 10)
  assert.match(renderExplanation(lb.explain()), /panic: too few/)
})

test('no more than the allowed share is ejected', () => {
  const { lb } = rig(namesOf(10).map((host) => ({ host })))
  for (let i = 0; i < 200; i++) {
    const lease = lb.pick()
    lease.done(Number(lease.instance.host.slice(1)) < 3 ? 500 : 200)
  }
  assert.equal(lb.explain().instances.filter(({ verdict }) => verdict === 'excluded').length, 1)
})

test('an instance that errs often, though never in a row, is ejected by its rate', () => {
  const { lb, clock } = rig(
    namesOf(10).map((host) => ({ host })),
    { policy: 'round-robin' },
  )
  let n = 0
  for (let i = 0; i < 3000; i++) {
    clock.advanceTo(i * 4)
    const lease = lb.pick()
    lease.done(lease.instance.host === 'r0' && n++ % 4 !== 0 ? 500 : 200)
  }
  assert.match(lb.explain().instances[0]?.because ?? '', /success rate 2\d\.\d %/)
})

test('subset: each client has its size, all instances are used, one newcomer changes one place', () => {
  const used = new Set<string>()
  for (let client = 0; client < 100; client++) {
    const { lb, discovery } = rig(
      namesOf(50).map((host) => ({ host })),
      { subset: { size: 10, instanceId: `client-${client}` } },
    )
    const before = hostsOf(lb)
    assert.equal(before.length, 10)
    for (const host of before) used.add(host)
    discovery.set(namesOf(51).map(instanceOf))
    assert.ok(hostsOf(lb).filter((host) => !before.includes(host)).length <= 1)
  }
  assert.equal(used.size, 50)
})

test('lists: twins count once, a stale list stays in use, what comes back elsewhere is new', () => {
  let tell: (list: InstanceList) => void = () => undefined
  const discovery = {
    source: 'test',
    subscribe(listener: typeof tell) {
      tell = listener
      return () => undefined
    },
  }
  const lb = new LoadBalancer({ serviceId: 'svc', discovery, clock: new VirtualClock(), seed: 1 })
  assert.throws(() => lb.pick(), /test has not answered yet/)
  const one = { instanceId: 'a', serviceId: 'svc', host: 'a', port: 1 }
  tell({ instances: [{ ...one, ready: false }, one] })
  assert.equal(lb.pick().instance.host, 'a')
  lb.pick().done(500)
  tell({ instances: [one], stale: true, trouble: 'away' })
  assert.equal(lb.explain().stale, true)
  assert.ok((lb.explain().instances[0]?.failureRate ?? 0) > 0)
  tell({ instances: [{ ...one, host: 'b' }] })
  assert.equal(lb.explain().instances[0]?.failureRate, 0)
  lb.close()
})

test('lifecycle: told in order, an observer that throws harms nobody', () => {
  const events: string[] = []
  const observer: LoadBalancerLifecycle = {
    onStart: () => events.push('start'),
    onStartRequest: (_service, lease) => events.push(`request ${lease.instance.host}`),
    onComplete: (_service, kind, { status }) => events.push(`${kind} ${status}`),
    onList: (_service, instances) => {
      events.push(`list ${instances.length}`)
      throw new Error('observer')
    },
  }
  const { lb, discovery } = rig([{ host: 'a' }], { lifecycle: [observer] })
  const lease = lb.pick()
  lease.done(201)
  lease.done(500)
  discovery.set([])
  assert.throws(() => lb.pick())
  assert.deepEqual(events.slice(-6), ['start', 'request a', 'success 201', 'list 0', 'start', 'discard undefined'])
})

test('health checks: who fails is left out, who passes comes back', async () => {
  const well = new Map([
    ['a', true],
    ['b', false],
  ])
  const probe = async (instance: ServiceInstance) => well.get(instance.host) ?? false
  const { lb, clock } = rig([{ host: 'a' }, { host: 'b' }], { healthCheck: { probe } })
  await clock.advanceBy(1)
  assert.deepEqual(hostsOf(lb), ['a'])
  well.set('b', true)
  await clock.advanceBy(25_001)
  assert.deepEqual(hostsOf(lb), ['a', 'b'])
})
