import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestServer, type TestServer } from './server.fixture.ts'

let context: TestServer
before(async () => {
  context = await startTestServer()
})
after(() => context[Symbol.asyncDispose]())

const v1 = '/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers'
const v2 = '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers'
const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }
const cpu = (averageUtilization: number) => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
})

test('an autoscaler of v1 is one of v2 and back, through create, patch, put, list and watch', async () => {
  const { client } = context
  const spec = { scaleTargetRef, maxReplicas: 5, targetCPUUtilizationPercentage: 60 }
  const created = await client.call('POST', v1, { metadata: { name: 'old' }, spec })
  assert.equal(created.code, 201, JSON.stringify(created.body))
  assert.equal(created.body.apiVersion, 'autoscaling/v1')
  assert.deepEqual(created.body.spec, { ...spec, minReplicas: 1 })
  const shown = await client.call('GET', `${v2}/old`)
  assert.deepEqual(shown.body.spec, { scaleTargetRef, minReplicas: 1, maxReplicas: 5, metrics: [cpu(60)] })

  const { resourceVersion } = created.body.metadata
  const watch = await client.watch(`${v1}?watch=true&resourceVersion=${resourceVersion}`)
  await client.call('PATCH', `${v1}/old`, { spec: { maxReplicas: 7 } })
  const { object } = await watch.next()
  assert.deepEqual([object.apiVersion, object.spec.maxReplicas], ['autoscaling/v1', 7])
  watch.close()
  assert.equal((await client.call('GET', `${v2}/old`)).body.spec.metrics[0].resource.target.averageUtilization, 60)

  const put = await client.call('PUT', `${v1}/old`, { ...object, spec: { ...object.spec, minReplicas: 2 } })
  assert.deepEqual([put.code, put.body.spec.minReplicas], [200, 2])
  const list = await client.call('GET', v1)
  assert.deepEqual(
    list.body.items.map((item: { apiVersion: string }) => item.apiVersion),
    ['autoscaling/v1'],
  )
  assert.equal((await client.call('DELETE', `${v1}/old`)).code, 200)
})

test('what v1 has no field for travels in its annotations and survives a write of v1', async () => {
  const { client } = context
  const memory = {
    type: 'Resource',
    resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } },
  }
  const behavior = { scaleDown: { stabilizationWindowSeconds: 10 } }
  const spec = { scaleTargetRef, minReplicas: 1, maxReplicas: 3, metrics: [cpu(50), memory], behavior }
  await client.call('POST', v2, { metadata: { name: 'new', annotations: { kept: 'yes' } }, spec })
  const old = await client.call('GET', `${v1}/new`)
  assert.equal(old.body.spec.targetCPUUtilizationPercentage, 50)
  assert.deepEqual(JSON.parse(old.body.metadata.annotations['autoscaling.alpha.kubernetes.io/metrics']), [memory])
  await client.call('PUT', `${v1}/new`, { ...old.body, spec: { ...old.body.spec, targetCPUUtilizationPercentage: 70 } })
  const now = await client.call('GET', `${v2}/new`)
  assert.deepEqual(now.body.spec, { ...spec, metrics: [cpu(70), memory] })
  assert.deepEqual(now.body.metadata.annotations, { kept: 'yes' })
})

test('autoscalers are checked; annotations that fit nothing are refused or are no more than text', async () => {
  const { client } = context
  const refused = await client.call('POST', v2, {
    metadata: { name: 'x' },
    spec: { scaleTargetRef: {}, maxReplicas: 0 },
  })
  assert.equal(refused.code, 422)
  assert.deepEqual(
    refused.body.details.causes.map(({ field }: { field: string }) => field),
    ['spec.maxReplicas', 'spec.maxReplicas', 'spec.scaleTargetRef.kind', 'spec.scaleTargetRef.name'],
  )
  const name = 'autoscaling.alpha.kubernetes.io/metrics'
  const codes: number[] = []
  for (const text of ['[1]', '[null]', '[{"type":5}]', '{}', 'no json', '[{"type":"Resource"}]', '[{"type":"Odd"}]']) {
    const metadata = { name: `odd-${codes.length}`, annotations: { [name]: text } }
    codes.push((await client.call('POST', v1, { metadata, spec: { scaleTargetRef, maxReplicas: 2 } })).code)
    assert.equal((await client.call('GET', v1)).code, 200)
    assert.equal((await client.call('GET', v2)).code, 200)
  }
  assert.ok(
    codes.every((code) => code === 201 || code === 400 || code === 422),
    String(codes),
  )
  assert.deepEqual(codes.slice(-2), [422, 422])
})

test('both versions are discovered, the newer is preferred; apply through either is one object', async () => {
  const { client } = context
  const { body } = await client.call('GET', '/apis/autoscaling')
  assert.equal(body.preferredVersion.version, 'v2')
  assert.deepEqual(
    body.versions.map(({ version }: { version: string }) => version),
    ['v2', 'v1'],
  )
  const object = {
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'applied' },
    spec: { scaleTargetRef, maxReplicas: 4, targetCPUUtilizationPercentage: 30 },
  }
  const type = 'application/apply-patch+yaml'
  const path = `${v1}/applied?fieldManager=test`
  assert.equal((await client.call('PATCH', path, object, { 'content-type': type })).code, 201)
  const again = await client.call(
    'PATCH',
    path,
    { ...object, spec: { ...object.spec, maxReplicas: 6 } },
    { 'content-type': type },
  )
  assert.deepEqual([again.code, again.body.apiVersion, again.body.spec.maxReplicas], [200, 'autoscaling/v1', 6])
  assert.equal((await client.call('GET', `${v2}/applied`)).body.spec.maxReplicas, 6)
})

test('a ReplicationController takes its selector from its template, scales, and is checked', async () => {
  const { client } = context
  const path = '/api/v1/namespaces/default/replicationcontrollers'
  const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web' }] } }
  const created = await client.call('POST', path, { metadata: { name: 'web' }, spec: { template } })
  assert.equal(created.code, 201, JSON.stringify(created.body))
  assert.deepEqual([created.body.spec.selector, created.body.spec.replicas], [{ app: 'web' }, 1])
  assert.deepEqual(created.body.metadata.labels, { app: 'web' })
  const scaled = await client.call('PATCH', `${path}/web/scale`, { spec: { replicas: 3 } })
  assert.deepEqual([scaled.body.spec.replicas, scaled.body.status.selector], [3, 'app=web'])
  const wrong = { metadata: { name: 'wrong' }, spec: { selector: { app: 'other' }, template } }
  const refused = await client.call('POST', path, wrong)
  assert.equal(refused.code, 422)
  assert.match(
    refused.body.message,
    /spec.template.metadata.labels: Invalid value: .*`selector` does not match template/,
  )
})
