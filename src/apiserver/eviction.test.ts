import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestServer, type TestServer } from './server.fixture.ts'

let context: TestServer
const pods = '/api/v1/namespaces/default/pods'
const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets'
const patch = { 'content-type': 'application/merge-patch+json' }

before(async () => {
  context = await startTestServer()
})
after(() => context[Symbol.asyncDispose]())

async function makePod(name: string, app: string, ready = true): Promise<void> {
  const spec = { nodeName: 'n', containers: [{ name: 'c', image: 'i' }], terminationGracePeriodSeconds: 0 }
  const made = await context.client.call('POST', pods, { metadata: { name, labels: { app } }, spec })
  assert.equal(made.code, 201, made.text)
  const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' }]
  await context.client.call('PATCH', `${pods}/${name}/status`, { status: { phase: 'Running', conditions } }, patch)
}

async function makeBudget(name: string, app: string, status: object, spec: object = {}): Promise<void> {
  const body = { metadata: { name }, spec: { minAvailable: 1, selector: { matchLabels: { app } }, ...spec } }
  const made = await context.client.call('POST', budgets, body)
  assert.equal(made.code, 201, made.text)
  await context.client.call('PATCH', `${budgets}/${name}/status`, { status }, patch)
}

function evict(name: string, query = '', body: object = { metadata: { name } }) {
  return context.client.call('POST', `${pods}/${name}/eviction${query}`, body)
}

const isThere = async (name: string) => (await context.client.call('GET', `${pods}/${name}`)).code === 200

test('an eviction takes one disruption from the budget, and is refused when there is none', async () => {
  await makePod('a-1', 'a')
  await makePod('a-2', 'a')
  await makeBudget('a', 'a', { observedGeneration: 1, disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1 })
  assert.equal((await evict('a-1', '?dryRun=All')).code, 201)
  assert.equal(await isThere('a-1'), true)
  assert.equal((await evict('a-1')).code, 201)
  assert.equal(await isThere('a-1'), false)
  const { status } = (await context.client.call('GET', `${budgets}/a`)).body
  assert.equal(status.disruptionsAllowed, 0)
  assert.deepEqual(Object.keys(status.disruptedPods), ['a-1'])
  assert.equal(status.conditions[0].reason, 'InsufficientPods')
  const refused = await evict('a-2')
  assert.equal(refused.code, 429)
  assert.equal(refused.body.reason, 'TooManyRequests')
  assert.equal(refused.body.message, "Cannot evict pod as it would violate the pod's disruption budget.")
  assert.deepEqual(refused.body.details.causes, [
    { reason: 'DisruptionBudget', message: 'The disruption budget a needs 1 healthy pods and has 2 currently' },
  ])
  assert.equal(await isThere('a-2'), true)
})

test('a budget that nobody has looked at yet lets nothing go', async () => {
  await makePod('b', 'b')
  await makeBudget('b', 'b', {})
  const { code, headers, body } = await evict('b')
  assert.equal(code, 429)
  assert.equal(headers['retry-after'], '10')
  const message = 'The disruption budget b is still being processed by the server.'
  assert.deepEqual(body.details.causes, [{ reason: 'DisruptionBudget', message }])
})

test('pods that are not ready go when enough are, or when the policy says always', async () => {
  await makePod('c', 'c', false)
  await makeBudget('c', 'c', { observedGeneration: 1, disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 1 })
  assert.equal((await evict('c')).code, 429)
  const always = { spec: { unhealthyPodEvictionPolicy: 'AlwaysAllow' } }
  await context.client.call('PATCH', `${budgets}/c`, always, patch)
  assert.equal((await evict('c')).code, 201)
  await makePod('d', 'd', false)
  await makeBudget('d', 'd', { observedGeneration: 1, disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1 })
  assert.equal((await evict('d')).code, 201)
})

test('two budgets of one pod, a foreign name and a missing pod', async () => {
  await makePod('e', 'e')
  await makeBudget('e-1', 'e', { observedGeneration: 1, disruptionsAllowed: 1 })
  await makeBudget('e-2', 'e', { observedGeneration: 1, disruptionsAllowed: 1 })
  const { code, body } = await evict('e')
  assert.equal(code, 500)
  const message = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.'
  assert.equal(body.message, message)
  assert.equal((await evict('e', '', { metadata: { name: 'f' } })).code, 400)
  assert.equal((await evict('nobody')).code, 404)
})

test('a pod that ends slowly says why it goes', async () => {
  const spec = { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] }
  await context.client.call('POST', pods, { metadata: { name: 'g' }, spec })
  assert.equal((await evict('g')).code, 201)
  const { metadata, status } = (await context.client.call('GET', `${pods}/g`)).body
  assert.ok(metadata.deletionTimestamp)
  const { type, reason, message } = status.conditions.at(-1)
  assert.deepEqual([type, reason, message], ['DisruptionTarget', 'EvictionByEvictionAPI', 'Eviction API: evicting'])
})

test('a budget is checked when it is written', async () => {
  const write = async (spec: object) =>
    (await context.client.call('POST', budgets, { metadata: { name: 'w' }, spec })).body
  assert.match((await write({ minAvailable: 1, maxUnavailable: 1 })).message, /cannot be both set/)
  assert.match((await write({ minAvailable: '120%' })).message, /must not be greater than 100%/)
  assert.match((await write({ maxUnavailable: 'few' })).message, /a valid percent string/)
  assert.match((await write({ maxUnavailable: -1 })).message, /must be greater than or equal to 0/)
  assert.match((await write({ unhealthyPodEvictionPolicy: 'No' })).message, /Unsupported value: "No"/)
})
