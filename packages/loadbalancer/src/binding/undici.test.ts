import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Agent, getGlobalDispatcher, request, setGlobalDispatcher, fetch as undiciFetch } from 'undici'
import { ordersOf, startReplicas, stopReplica } from './servers.fixture.ts'
import { BalancedDispatcher } from './undici.ts'

const url = 'http://orders/list?x=1'

test('fetch of this Node, undici fetch and request reach a service by its name; other hosts go to the fallback', async (t) => {
  await using replicas = await startReplicas(3)
  const { balancers } = ordersOf(replicas, { policy: 'round-robin' })
  const dispatcher = new BalancedDispatcher({ balancers, fallback: new Agent() })
  const before = getGlobalDispatcher()
  setGlobalDispatcher(dispatcher)
  t.after(async () => {
    setGlobalDispatcher(before)
    await dispatcher.destroy()
  })
  const names = new Set<string>()
  for (let i = 0; i < 6; i++) names.add(await (await fetch(url)).text())
  assert.deepEqual([...names].sort(), ['r0', 'r1', 'r2'])
  assert.match(await (await fetch(url, { method: 'POST', body: 'hello' })).text(), /^r/)
  assert.match(await (await undiciFetch(url, { dispatcher })).text(), /^r/)
  const { body, statusCode } = await request(url, { dispatcher })
  assert.equal(statusCode, 200)
  assert.match(await body.text(), /^r/)
  assert.equal(await (await fetch(`http://${replicas[1]!.address}/`)).text(), 'r1')
  assert.equal(
    balancers
      .get('orders')
      .balancer.explain()
      .instances.every(({ active }) => active === 0),
    true,
  )
})

test('a dead instance: every call answered, also posts, because nothing was sent', async () => {
  await using replicas = await startReplicas(3)
  await stopReplica(replicas[0]!)
  const { balancers } = ordersOf(replicas, { policy: 'round-robin' })
  const dispatcher = new BalancedDispatcher({ balancers })
  for (let i = 0; i < 30; i++) {
    const method = i % 2 === 0 ? 'POST' : 'GET'
    const answer = await undiciFetch(url, {
      dispatcher,
      method,
      ...(method === 'POST' ? { body: 'x'.repeat(1000) } : {}),
    })
    assert.equal(answer.status, 200)
    await answer.text()
  }
  assert.match(balancers.get('orders').balancer.explain().instances[0]?.because ?? '', /connection failures in a row/)
  await dispatcher.destroy()
})

test('status codes are retried on another instance when they are listed, for safe methods only, within the budget', async () => {
  await using replicas = await startReplicas(2)
  replicas[0]!.answer = (_request, response) => response.writeHead(503).end('no')
  const retry = { retryableStatusCodes: [503], budget: { ratio: 0, minRetriesPerSecond: 0.5 } }
  const { balancers } = ordersOf(replicas, { policy: 'round-robin', outlier: false, retry })
  const dispatcher = new BalancedDispatcher({ balancers })
  const statuses: number[] = []
  for (let i = 0; i < 20; i++) {
    const answer = await undiciFetch(url, { dispatcher })
    await answer.text()
    statuses.push(answer.status)
  }
  // Half of the requests begin at the bad one, and there are five retries in ten seconds.
  assert.equal(statuses.filter((status) => status === 503).length, 5)
  const post = await Promise.all([1, 2].map(() => undiciFetch(url, { dispatcher, method: 'POST', body: 'x' })))
  assert.deepEqual(post.map(({ status }) => status).sort(), [200, 503])
  await dispatcher.destroy()
})

test('a hedge answers for an instance that hangs; the caller may give up; a deadline is an error and a failure', async () => {
  await using replicas = await startReplicas(2)
  replicas[0]!.answer = () => undefined
  const hedged = ordersOf(replicas, {
    policy: 'round-robin',
    hedge: { delayMs: 20 },
    deadlineHeader: 'x-deadline-ms',
    deadlineMs: 5000,
  })
  const one = new BalancedDispatcher({ balancers: hedged.balancers })
  for (let i = 0; i < 6; i++) assert.equal(await (await undiciFetch(url, { dispatcher: one })).text(), 'r1')
  assert.ok(replicas[0]!.requests > 0, 'the one that hangs was tried')
  await one.destroy()

  const late = ordersOf(replicas.slice(0, 1), { deadlineMs: 50 })
  const two = new BalancedDispatcher({ balancers: late.balancers })
  await assert.rejects(request(url, { dispatcher: two }), { code: 'PLUMB_DEADLINE' })
  assert.ok((late.balancers.get('orders').balancer.explain().instances[0]?.failureRate ?? 0) > 0)
  await two.destroy()

  const patient = ordersOf(replicas.slice(0, 1))
  const three = new BalancedDispatcher({ balancers: patient.balancers })
  await assert.rejects(undiciFetch(url, { dispatcher: three, signal: AbortSignal.timeout(30) }), {
    name: 'TimeoutError',
  })
  const [told] = patient.balancers.get('orders').balancer.explain().instances
  assert.deepEqual([told?.active, told?.failureRate], [0, 0])
  await three.destroy()
})

test('nobody to ask, or the limit reached: the call fails with the reason', async () => {
  const none = new BalancedDispatcher({ balancers: ordersOf([]).balancers })
  await assert.rejects(request(url, { dispatcher: none }), {
    code: 'PLUMB_NO_INSTANCE',
    message: /orders: a static list has no instances/,
  })
  await assert.rejects(undiciFetch(url, { dispatcher: none }), (error: Error) =>
    /no instances/.test(String(error.cause)),
  )
  await using replicas = await startReplicas(1)
  const limited = new BalancedDispatcher({ balancers: ordersOf(replicas, { limit: { initialLimit: 1 } }).balancers })
  const results = await Promise.allSettled(
    [1, 2].map(async () => (await request(url, { dispatcher: limited })).body.text()),
  )
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
  await limited.destroy()
})

test('headers: X-Forwarded, the instance cookie, what is left of the deadline', async () => {
  await using replicas = await startReplicas(1)
  let seen: Record<string, unknown> = {}
  replicas[0]!.answer = (got, response) => {
    seen = got.headers
    response.end()
  }
  const { balancers } = ordersOf(replicas, {
    xForwarded: { enabled: true },
    stickySession: { addServiceInstanceCookie: true },
    deadlineMs: 1000,
    deadlineHeader: 'x-deadline-ms',
  })
  const dispatcher = new BalancedDispatcher({ balancers })
  await (await undiciFetch(url, { dispatcher, headers: { cookie: 'a=1', 'x-own': 'yes' } })).text()
  assert.equal(seen['x-forwarded-host'], 'orders')
  assert.equal(seen['x-forwarded-proto'], 'http')
  assert.equal(seen.cookie, `a=1; sc-lb-instance-id=${replicas[0]!.address}`)
  assert.equal(seen['x-own'], 'yes')
  assert.ok(Number(seen['x-deadline-ms']) > 0 && Number(seen['x-deadline-ms']) <= 1000)
  await dispatcher.destroy()
})

test('churn under load: instances come and go, no call fails, and who left ends what it began', async () => {
  await using replicas = await startReplicas(6)
  for (const replica of replicas)
    replica.answer = (got, response) => got.resume().on('end', () => setImmediate(() => response.end(replica.name)))
  const { balancers, discovery } = ordersOf(replicas)
  const dispatcher = new BalancedDispatcher({ balancers })
  let isOver = false
  let calls = 0
  const load = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      const answer = await undiciFetch(url, { dispatcher })
      assert.equal(answer.status, 200)
      await answer.text()
      calls++
    }
  })
  for (let round = 0; round < 30; round++) {
    const from = calls
    while (calls < from + 10) await new Promise((resolve) => setImmediate(resolve))
    discovery.set(replicas.filter((_, i) => i !== round % 6 && i !== (round + 3) % 6).map(({ address }) => address))
  }
  isOver = true
  await Promise.all(load)
  for (const { requests } of replicas) assert.ok(requests > 0)
  await dispatcher.close()
})
