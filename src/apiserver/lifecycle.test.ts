import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { configMap, startTestServer, type TestClient, type TestServer } from './server.fixture.ts'

const maps = '/api/v1/namespaces/default/configmaps'
const pods = '/api/v1/namespaces/default/pods'
let context: TestServer
let client: TestClient

before(async () => {
  context = await startTestServer()
  client = context.client
})
after(() => context[Symbol.asyncDispose]())

const pod = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
})
const bind = (name: string, node = 'n1') =>
  client.call('POST', `${pods}/${name}/binding`, { metadata: { name }, target: { kind: 'Node', name: node } })

test('a deleted object is answered with a Status and is gone', async () => {
  const { body } = await client.call('POST', maps, configMap('a'))
  const answer = await client.call('DELETE', `${maps}/a`)
  assert.deepEqual([answer.code, answer.body.status], [200, 'Success'])
  assert.deepEqual(answer.body.details, { name: 'a', kind: 'configmaps', uid: body.metadata.uid })
  assert.equal((await client.call('DELETE', `${maps}/a`)).code, 404)
})

test('preconditions and options of a delete', async () => {
  const { body } = await client.call('POST', maps, configMap('b'))
  const rows: [object, number, RegExp][] = [
    [
      { preconditions: { uid: 'other' } },
      409,
      /the UID in the precondition \(other\) does not match the UID in record/,
    ],
    [{ preconditions: { resourceVersion: '1' } }, 409, /the ResourceVersion in the precondition \(1\) does not match/],
    [{ propagationPolicy: 'Sometimes' }, 422, /supported values: "Background", "Foreground", "Orphan"/],
    [{ propagationPolicy: 'Orphan', orphanDependents: true }, 422, /cannot be both set/],
    [{ dryRun: ['None'] }, 422, /supported values: "All"/],
    [{ gracePeriodSeconds: 'x' }, 422, /must be an integer/],
  ]
  for (const [options, code, message] of rows) {
    const answer = await client.call('DELETE', `${maps}/b`, options)
    assert.equal(answer.code, code, answer.text)
    assert.match(answer.body.message, message)
  }
  const { uid, resourceVersion } = body.metadata
  assert.equal((await client.call('DELETE', `${maps}/b`, { preconditions: { uid, resourceVersion } })).code, 200)
})

test('finalizers hold an object until the last one is removed', async () => {
  await client.call('POST', maps, { ...configMap('held'), metadata: { name: 'held', finalizers: ['example.com/x'] } })
  const first = await client.call('DELETE', `${maps}/held`)
  assert.equal(first.code, 200)
  assert.ok(first.body.metadata.deletionTimestamp)
  assert.equal(first.body.metadata.deletionGracePeriodSeconds, 0)
  const again = await client.call('DELETE', `${maps}/held`)
  assert.equal(again.body.metadata.resourceVersion, first.body.metadata.resourceVersion)
  const revived = await client.call('PATCH', `${maps}/held`, { metadata: { deletionTimestamp: null } })
  assert.ok(revived.body.metadata?.deletionTimestamp ?? revived.code === 422, 'a deletion cannot be taken back')
  const released = await client.call('PATCH', `${maps}/held`, { metadata: { finalizers: null } })
  assert.equal(released.code, 200)
  assert.equal((await client.call('GET', `${maps}/held`)).code, 404)
})

test('propagation policies leave their finalizers for the garbage collector', async () => {
  for (const [policy, finalizer] of [
    ['Foreground', 'foregroundDeletion'],
    ['Orphan', 'orphan'],
  ]) {
    await client.call('POST', maps, configMap('owner'))
    const answer = await client.call('DELETE', `${maps}/owner`, { propagationPolicy: policy })
    assert.deepEqual(answer.body.metadata.finalizers, [finalizer])
    await client.call('PATCH', `${maps}/owner`, { metadata: { finalizers: null } })
    assert.equal((await client.call('GET', `${maps}/owner`)).code, 404)
  }
})

test('a new pod gets its service account, tolerations and priority', async () => {
  const { code, text, body } = await client.call('POST', pods, pod('fresh'))
  assert.equal(code, 201, text)
  assert.equal(body.spec.serviceAccountName, 'default')
  assert.deepEqual([body.spec.priority, body.spec.preemptionPolicy], [0, 'PreemptLowerPriority'])
  assert.deepEqual(
    body.spec.tolerations.map((item: { key: string; tolerationSeconds: number }) => [item.key, item.tolerationSeconds]),
    [
      ['node.kubernetes.io/not-ready', 300],
      ['node.kubernetes.io/unreachable', 300],
    ],
  )
  const missing = await client.call('POST', pods, pod('vip', { priorityClassName: 'none' }))
  assert.deepEqual(
    [missing.code, missing.body.message],
    [403, 'pods "vip" is forbidden: no PriorityClass with name none was found'],
  )
  const lost = await client.call('POST', pods, pod('lost', { serviceAccountName: 'none' }))
  const cause = 'error looking up service account default/none: serviceaccount "none" not found'
  assert.deepEqual([lost.code, lost.body.message], [403, `pods "lost" is forbidden: ${cause}`])
  const quiet = {
    metadata: { name: 'quiet' },
    automountServiceAccountToken: false,
    imagePullSecrets: [{ name: 'pull' }],
  }
  assert.equal((await client.call('POST', '/api/v1/namespaces/default/serviceaccounts', quiet)).code, 201)
  const { spec } = (await client.call('POST', pods, pod('quiet', { serviceAccountName: 'quiet' }))).body
  assert.deepEqual([spec.automountServiceAccountToken, spec.imagePullSecrets], [false, [{ name: 'pull' }]])
  const critical = await client.call('POST', pods, pod('critical', { priorityClassName: 'system-node-critical' }))
  assert.equal(critical.body.spec.priority, 2_000_001_000)
})

test('a new Ingress without a class gets the default one: of several the newest, then the first by name', async () => {
  const networking = '/apis/networking.k8s.io/v1'
  const classes = `${networking}/ingressclasses`
  const addClass = (name: string, value: string) =>
    client.call('POST', classes, {
      metadata: { name, annotations: { 'ingressclass.kubernetes.io/is-default-class': value } },
      spec: { controller: 'example.com/c' },
    })
  const classOf = async (name: string, spec: object = {}, annotations: object = {}) => {
    const defaultBackend = { service: { name: 'web', port: { number: 80 } } }
    const ingress = { metadata: { name, annotations }, spec: { defaultBackend, ...spec } }
    const { body } = await client.call('POST', `${networking}/namespaces/default/ingresses`, ingress)
    return body.spec.ingressClassName
  }
  await addClass('no-default', 'false')
  assert.equal(await classOf('none'), undefined)
  // `a` comes after `b`, in the same second or in a later one: it wins by its name or by its age.
  for (const name of ['b', 'a']) await addClass(name, 'true')
  assert.equal(await classOf('plain'), 'a')
  assert.equal(await classOf('chosen', { ingressClassName: 'mine' }), 'mine')
  assert.equal(await classOf('legacy', {}, { 'kubernetes.io/ingress.class': 'old' }), undefined)
  for (const name of ['a', 'b']) await client.call('DELETE', `${classes}/${name}`)
  assert.equal(await classOf('none-again'), undefined)
})

test('binding puts a pod on a node, once', async () => {
  await client.call('POST', pods, pod('bound'))
  const answer = await bind('bound')
  assert.deepEqual([answer.code, answer.body.status], [201, 'Success'])
  const { body } = await client.call('GET', `${pods}/bound`)
  assert.equal(body.spec.nodeName, 'n1')
  assert.deepEqual([body.status.conditions.at(-1).type, body.status.conditions.at(-1).status], ['PodScheduled', 'True'])
  const twice = await bind('bound', 'n2')
  assert.equal(twice.code, 409)
  assert.match(twice.body.message, /pod bound is already assigned to node "n1"/)
  assert.equal((await bind('nobody')).code, 404)
  const byNode = await client.call('GET', `/api/v1/pods?fieldSelector=spec.nodeName%3Dn1`)
  assert.deepEqual(
    byNode.body.items.map((item: { metadata: { name: string } }) => item.metadata.name),
    ['bound'],
  )
})

test('a pod on a node stays until its kubelet deletes it with no grace; one without a node goes at once', async () => {
  await client.call('POST', pods, pod('waiting'))
  assert.equal((await client.call('DELETE', `${pods}/waiting`)).body.status, 'Success')
  await client.call('POST', pods, pod('running', { terminationGracePeriodSeconds: 20 }))
  await bind('running')
  const first = await client.call('DELETE', `${pods}/running`)
  assert.equal(first.body.metadata.deletionGracePeriodSeconds, 20)
  assert.ok(Date.parse(first.body.metadata.deletionTimestamp) > Date.now() + 10_000)
  const longer = await client.call('DELETE', `${pods}/running`, { gracePeriodSeconds: 60 })
  assert.equal(longer.body.metadata.deletionGracePeriodSeconds, 20)
  const shorter = await client.call('DELETE', `${pods}/running`, { gracePeriodSeconds: 5 })
  assert.equal(shorter.body.metadata.deletionGracePeriodSeconds, 5)
  const last = await client.call('DELETE', `${pods}/running`, { gracePeriodSeconds: 0 })
  assert.equal(last.body.status, 'Success')
  assert.equal((await client.call('GET', `${pods}/running`)).code, 404)
})

test('eviction deletes', async () => {
  await client.call('POST', pods, pod('evicted'))
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'evicted' } }
  assert.equal((await client.call('POST', `${pods}/evicted/eviction`, eviction)).code, 201)
  assert.equal((await client.call('GET', `${pods}/evicted`)).code, 404)
})

test('deletecollection deletes what the selectors match', async () => {
  const path = '/api/v1/namespaces/kube-public/configmaps'
  for (const name of ['x1', 'x2', 'y1']) await client.call('POST', path, configMap(name, {}, { group: name[0]! }))
  const answer = await client.call('DELETE', `${path}?labelSelector=group%3Dx`)
  assert.equal(answer.code, 200)
  assert.equal(answer.body.items.length, 2)
  const left = await client.call('GET', path)
  assert.deepEqual(
    left.body.items.map((item: { metadata: { name: string } }) => item.metadata.name),
    ['y1'],
  )
})

test('the life of a namespace', async () => {
  const { body, code, text } = await client.call('POST', '/api/v1/namespaces', { metadata: { name: 'team' } })
  assert.equal(code, 201, text)
  assert.equal(body.status?.phase, 'Active')
  assert.deepEqual(body.spec.finalizers, ['kubernetes'])
  assert.equal(body.metadata.labels['kubernetes.io/metadata.name'], 'team')
  const deleted = await client.call('DELETE', '/api/v1/namespaces/team')
  assert.equal(deleted.body.status.phase, 'Terminating')
  const refused = await client.call('POST', '/api/v1/namespaces/team/configmaps', configMap('late'))
  assert.equal(refused.code, 403)
  assert.equal(refused.body.details.causes[0].reason, 'NamespaceTerminating')
  const finalized = await client.call('PUT', '/api/v1/namespaces/team/finalize', {
    ...deleted.body,
    spec: { finalizers: [] },
  })
  assert.equal(finalized.code, 200)
  assert.equal((await client.call('GET', '/api/v1/namespaces/team')).code, 404)
  const immortal = await client.call('DELETE', '/api/v1/namespaces/default')
  assert.deepEqual(
    [immortal.code, immortal.body.message],
    [403, 'namespaces "default" is forbidden: this namespace may not be deleted'],
  )
})

test('the cluster’s first objects', async () => {
  const namespaces = await client.call('GET', '/api/v1/namespaces')
  const names = namespaces.body.items.map((item: { metadata: { name: string } }) => item.metadata.name)
  for (const name of ['default', 'kube-node-lease', 'kube-public', 'kube-system']) assert.ok(names.includes(name), name)
  const service = await client.call('GET', '/api/v1/namespaces/default/services/kubernetes')
  assert.deepEqual([service.body.spec.clusterIP, service.body.spec.ports[0].targetPort], ['10.96.0.1', 6443])
  const slice = await client.call('GET', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes')
  assert.deepEqual(slice.body.endpoints[0].addresses, ['172.30.0.2'])
  const endpoints = await client.call('GET', '/api/v1/namespaces/default/endpoints/kubernetes')
  assert.equal(endpoints.body.subsets[0].addresses[0].ip, '172.30.0.2')
})
