import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { configMap, openClient, startTestServer, type TestClient, type TestServer } from './server.fixture.ts'

const maps = '/api/v1/namespaces/default/configmaps'
let context: TestServer
let client: TestClient

before(async () => {
  context = await startTestServer()
  client = context.client
})
after(() => context[Symbol.asyncDispose]())

test('a created object gets uid, creationTimestamp and resourceVersion, and reads back the same', async () => {
  const created = await client.call('POST', maps, configMap('first', { a: '1' }))
  assert.equal(created.code, 201)
  assert.match(created.body.metadata.uid, /^[0-9a-f-]{36}$/)
  assert.match(created.body.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  assert.equal(created.body.metadata.namespace, 'default')
  const read = await client.call('GET', `${maps}/first`)
  assert.deepEqual(read.body, created.body)
})

test('refusals of a create', async () => {
  await client.call('POST', maps, configMap('there'))
  const rows: [string, string, unknown, number, string, RegExp][] = [
    ['exists', maps, configMap('there'), 409, 'AlreadyExists', /^configmaps "there" already exists$/],
    [
      'no namespace',
      '/api/v1/namespaces/nowhere/configmaps',
      configMap('a'),
      404,
      'NotFound',
      /^namespaces "nowhere" not found$/,
    ],
    [
      'no name',
      maps,
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: {} },
      422,
      'Invalid',
      /name or generateName is required/,
    ],
    [
      'other namespace',
      maps,
      { ...configMap('a'), metadata: { name: 'a', namespace: 'kube-system' } },
      400,
      'BadRequest',
      /namespace of the provided object does not match/,
    ],
    [
      'other version',
      maps,
      { ...configMap('a'), apiVersion: 'v2' },
      400,
      'BadRequest',
      /the API version in the data \(v2\) does not match/,
    ],
    ['other kind', maps, { ...configMap('a'), kind: 'Secret' }, 400, 'BadRequest', /cannot be handled as a ConfigMap/],
    [
      'resourceVersion',
      maps,
      { ...configMap('a'), metadata: { name: 'a', resourceVersion: '5' } },
      400,
      'BadRequest',
      /resourceVersion should not be set/,
    ],
    [
      'wrong type',
      maps,
      { ...configMap('a'), data: 'text' },
      400,
      'BadRequest',
      /cannot unmarshal string into Go struct field/,
    ],
    ['no object', maps, '[]', 400, 'BadRequest', /not a JSON object/],
    ['no JSON', maps, '{"a":', 400, 'BadRequest', /json parse error: .*JSON/],
    ['prototype', maps, '{"metadata":{"name":"p"},"__proto__":{"a":1}}', 400, 'BadRequest', /__proto__/],
    ['too deep', maps, `${'['.repeat(5000)}${']'.repeat(5000)}`, 400, 'BadRequest', /levels deep/],
    [
      'unknown resource',
      '/api/v1/namespaces/default/nonsense',
      {},
      404,
      'NotFound',
      /^the server could not find the requested resource$/,
    ],
    [
      'unknown group',
      '/apis/none.example/v1/things',
      {},
      404,
      'NotFound',
      /^the server could not find the requested resource$/,
    ],
    ['all namespaces', '/api/v1/configmaps', configMap('a'), 405, 'MethodNotAllowed', /./],
  ]
  for (const [name, path, body, code, reason, message] of rows) {
    const answer = await client.call('POST', path, body)
    assert.equal(answer.code, code, `${name}: ${answer.text}`)
    assert.equal(answer.body.kind, 'Status', name)
    assert.equal(answer.body.reason, reason, name)
    assert.match(answer.body.message, message, name)
  }
})

test('generateName appends five letters to at most 58', async () => {
  const base = 'x'.repeat(80)
  const answer = await client.call('POST', maps, { metadata: { generateName: base }, data: {} })
  assert.equal(answer.code, 201)
  assert.match(answer.body.metadata.name, /^x{58}[bcdfghjklmnpqrstvwxz2456789]{5}$/)
  assert.equal(answer.body.metadata.generateName, base)
})

test('YAML bodies, and the parser’s words for bad ones', async () => {
  const headers = { 'content-type': 'application/yaml' }
  const good = await client.call(
    'POST',
    maps,
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\ndata:\n  a: "1"\n',
    headers,
  )
  assert.equal(good.code, 201)
  assert.deepEqual(good.body.data, { a: '1' })
  const bad = await client.call('POST', maps, 'a: [1\nb: }', headers)
  assert.equal(bad.code, 400)
  assert.match(bad.body.message, /^error converting YAML to JSON: yaml: /)
  const shown = await client.call('GET', `${maps}/yaml`, undefined, { accept: 'application/yaml' })
  assert.match(shown.text, /^apiVersion: v1\n/)
})

test('body limits and media types', async () => {
  const large = await client.call('POST', maps, configMap('large', { a: 'x'.repeat(3 * 1024 * 1024) }))
  assert.equal(large.code, 413)
  assert.equal(large.body.reason, 'RequestEntityTooLarge')
  const type = await client.call('POST', maps, '{}', { 'content-type': 'text/csv' })
  assert.equal(type.code, 415)
  const other = await client.call('PATCH', `${maps}/first`, '{}', { 'content-type': 'application/cbor' })
  assert.equal(other.code, 415)
  assert.match(other.body.message, /strategic-merge-patch\+json, application\/apply-patch\+yaml$/)
  const accept = await client.call('GET', `${maps}/first`, undefined, { accept: 'text/html' })
  assert.equal(accept.code, 406)
  const protobufFirst = await client.call('GET', `${maps}/first`, undefined, {
    accept: 'application/vnd.kubernetes.protobuf,application/json',
  })
  assert.equal(protobufFirst.code, 200)
})

test('fieldValidation refuses, warns about or drops unknown fields', async () => {
  const odd = (name: string) => ({ ...configMap(name), spec: 1, metadata: { name, foo: 'bar' } })
  const strict = await client.call('POST', `${maps}?fieldValidation=Strict`, odd('strict'))
  assert.equal(strict.code, 400)
  assert.match(strict.body.message, /strict decoding error: .*unknown field "spec"/)
  const warned = await client.call('POST', maps, odd('warned'))
  assert.equal(warned.code, 201)
  assert.match(String(warned.headers.warning), /299 - "unknown field \\"spec\\""/)
  assert.equal(warned.body.spec, undefined)
  assert.equal(warned.body.metadata.foo, undefined)
  const ignored = await client.call('POST', `${maps}?fieldValidation=Ignore`, odd('ignored'))
  assert.equal(ignored.code, 201)
  assert.equal(ignored.headers.warning, undefined)
  const unknown = await client.call('POST', `${maps}?fieldValidation=Maybe`, odd('maybe'))
  assert.equal(unknown.code, 422)
})

test('update: stale versions and wrong uids conflict, no-ops keep the version', async () => {
  const { body } = await client.call('POST', maps, configMap('updated', { a: '1' }))
  const path = `${maps}/updated`
  const second = await client.call('PUT', path, { ...body, data: { a: '2' } })
  assert.equal(second.code, 200)
  assert.ok(Number(second.body.metadata.resourceVersion) > Number(body.metadata.resourceVersion))
  const stale = await client.call('PUT', path, { ...body, data: { a: '3' } })
  assert.equal(stale.code, 409)
  assert.equal(stale.body.reason, 'Conflict')
  assert.match(
    stale.body.message,
    /^Operation cannot be fulfilled on configmaps "updated": the object has been modified/,
  )
  const unconditional = await client.call('PUT', path, configMap('updated', { a: '2' }))
  assert.equal(unconditional.body.metadata.resourceVersion, second.body.metadata.resourceVersion)
  assert.equal(unconditional.body.metadata.uid, body.metadata.uid)
  const uid = await client.call('PUT', path, { ...configMap('updated'), metadata: { name: 'updated', uid: 'other' } })
  assert.equal(uid.code, 409)
  assert.match(uid.body.message, /Precondition failed: UID in precondition: other/)
  const name = await client.call('PUT', path, configMap('another'))
  assert.equal(name.code, 400)
  assert.match(name.body.message, /the name of the object \(another\) does not match the name on the URL \(updated\)/)
  const missing = await client.call('PUT', `${maps}/missing`, configMap('missing'))
  assert.equal(missing.code, 404)
  assert.match(missing.body.message, /^configmaps "missing" not found$/)
})

test('patches of the three kinds', async () => {
  await client.call('POST', maps, configMap('patched', { a: '1', b: '2' }))
  const path = `${maps}/patched`
  const merge = await client.call('PATCH', path, { data: { a: null, c: '3' } })
  assert.deepEqual(merge.body.data, { b: '2', c: '3' })
  const json = (operations: unknown) =>
    client.call('PATCH', path, operations, { 'content-type': 'application/json-patch+json' })
  const added = await json([
    { op: 'test', path: '/data/b', value: '2' },
    { op: 'add', path: '/data/d', value: '4' },
    { op: 'add', path: '/metadata/annotations', value: { 'x.io/y': '1' } },
    { op: 'replace', path: '/metadata/annotations/x.io~1y', value: '2' },
    { op: 'remove', path: '/data/c' },
  ])
  assert.deepEqual(added.body.data, { b: '2', d: '4' })
  assert.deepEqual(added.body.metadata.annotations, { 'x.io/y': '2' })
  const failed = await json([{ op: 'test', path: '/data/b', value: 'x' }])
  assert.equal(failed.code, 422)
  assert.equal(failed.body.reason, 'Invalid')
  const malformed = await json([{ op: 'add', path: 'data' }])
  assert.equal(malformed.code, 400)
  const stale = await client.call('PATCH', path, { metadata: { resourceVersion: '1' } })
  assert.equal(stale.code, 409)
  const strategic = await client.call(
    'PATCH',
    path,
    { data: { b: null } },
    { 'content-type': 'application/strategic-merge-patch+json' },
  )
  assert.deepEqual(strategic.body.data, { d: '4' })
  const noop = await client.call('PATCH', path, { data: { d: '4' } })
  assert.equal(noop.body.metadata.resourceVersion, strategic.body.metadata.resourceVersion)
  const strict = await client.call('PATCH', `${path}?fieldValidation=Strict`, { nonsense: 1 })
  assert.equal(strict.code, 422)
  assert.match(strict.body.message, /patch: Invalid value: .*strict decoding error: unknown field "nonsense"/)
})

test('a JSON patch cannot grow a document without bound', async () => {
  await client.call('POST', maps, configMap('bomb', { a: 'x'.repeat(1000) }))
  const operations = Array.from({ length: 60 }, (_, i) => ({
    op: 'copy',
    from: '/metadata/annotations',
    path: `/metadata/annotations/k${i}`,
  }))
  const first = { op: 'add', path: '/metadata/annotations', value: { a: 'x'.repeat(1000) } }
  const answer = await client.call('PATCH', `${maps}/bomb`, [first, ...operations], {
    'content-type': 'application/json-patch+json',
  })
  assert.equal(answer.code, 413)
})

test('dryRun=All answers as the write would, and stores nothing', async () => {
  const before = context.server.revision
  const created = await client.call('POST', `${maps}?dryRun=All`, configMap('dry'))
  assert.equal(created.code, 201)
  assert.ok(created.body.metadata.uid)
  assert.equal(created.body.metadata.resourceVersion, undefined)
  assert.equal((await client.call('GET', `${maps}/dry`)).code, 404)
  const patched = await client.call('PATCH', `${maps}/first?dryRun=All`, { data: { dry: 'run' } })
  assert.equal(patched.body.data.dry, 'run')
  const deleted = await client.call('DELETE', `${maps}/first?dryRun=All`)
  assert.equal(deleted.code, 200)
  const service = { metadata: { name: 'dry' }, spec: { ports: [{ port: 80 }], clusterIP: '10.96.0.77' } }
  const services = '/api/v1/namespaces/default/services'
  assert.equal((await client.call('POST', `${services}?dryRun=All`, service)).code, 201)
  assert.equal((await client.call('POST', `${services}?dryRun=All`, service)).code, 201, 'a dry run keeps no address')
  assert.equal((await client.call('GET', `${maps}/first`)).body.data.dry, undefined)
  assert.equal(context.server.revision, before)
  assert.equal((await client.call('POST', `${maps}?dryRun=Some`, configMap('dry'))).code, 422)
})

test('who asks: a certificate or nobody', async () => {
  const anonymous = openClient(client.port, context.certificates, true)
  try {
    const refused = await anonymous.call('GET', maps)
    assert.equal(refused.code, 401)
    assert.deepEqual([refused.body.kind, refused.body.reason], ['Status', 'Unauthorized'])
    for (const path of ['/healthz', '/livez', '/readyz', '/version', '/readyz/ping']) {
      assert.equal((await anonymous.call('GET', path)).code, 200, path)
    }
  } finally {
    anonymous.close()
  }
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
  const me = await client.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', review)
  assert.deepEqual(me.body.status.userInfo, { username: 'admin', groups: ['system:masters', 'system:authenticated'] })
  const access = { spec: { resourceAttributes: { verb: 'get', resource: 'pods' } } }
  const allowed = await client.call('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', access)
  assert.equal(allowed.body.status.allowed, true)
})

test('wrong verbs and paths', async () => {
  const rows: [string, string, number][] = [
    ['PUT', maps, 405],
    ['POST', `${maps}/first`, 405],
    ['POST', '/version', 405],
    ['GET', '/api/v1/namespaces/default/namespaces', 404],
    ['GET', '/api/v1/namespaces/default/nodes', 404],
    ['GET', '/api/v1/configmaps/first', 404],
    ['GET', `${maps}/first/status`, 404],
    ['GET', '/nothing', 404],
    ['GET', '/api/v1/namespaces/%zz', 400],
    ['GET', `/api/v1/${'a'.repeat(9000)}`, 400],
  ]
  for (const [method, path, code] of rows) {
    const answer = await client.call(method, path)
    assert.equal(answer.code, code, `${method} ${path.slice(0, 80)}: ${answer.text}`)
    assert.equal(answer.body.kind, 'Status')
  }
})

test('status and scale are written apart', async () => {
  const deployments = '/apis/apps/v1/namespaces/default/deployments'
  const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'i' }] } }
  const object = {
    metadata: { name: 'web' },
    spec: { replicas: 2, selector: { matchLabels: { app: 'a' } }, template },
    status: { replicas: 9 },
  }
  const created = await client.call('POST', deployments, object)
  assert.equal(created.code, 201, created.text)
  assert.notEqual(created.body.status?.replicas, 9)
  const path = `${deployments}/web`
  const status = await client.call('PATCH', `${path}/status`, { status: { replicas: 1 }, spec: { replicas: 7 } })
  assert.deepEqual([status.body.status.replicas, status.body.spec.replicas], [1, 2])
  const plain = await client.call('PATCH', path, { status: { replicas: 5 } })
  assert.equal(plain.body.status.replicas, 1)
  const scale = await client.call('GET', `${path}/scale`)
  assert.deepEqual(
    [scale.body.kind, scale.body.spec.replicas, scale.body.status],
    ['Scale', 2, { replicas: 1, selector: 'app=a' }],
  )
  const scaled = await client.call('PATCH', `${path}/scale`, { spec: { replicas: 4 } })
  assert.equal(scaled.body.spec.replicas, 4)
  const put = await client.call('PUT', `${path}/scale`, { ...scale.body, spec: { replicas: 3 } })
  assert.equal(put.code, 409, 'a stale Scale conflicts')
  const generation = (await client.call('GET', path)).body.metadata.generation
  assert.equal(generation, 2)
  assert.equal((await client.call('PATCH', `${path}/scale`, { spec: { replicas: -1 } })).code, 422)
})

test('who gives a Lease up writes an empty holder, as client-go does', async () => {
  const { client } = context
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases'
  const spec = { holderIdentity: 'one', leaseDurationSeconds: 15, leaseTransitions: 1 }
  const held = await client.call('POST', leases, { metadata: { name: 'released' }, spec })
  assert.equal(held.code, 201, held.text)
  const given = { ...held.body, spec: { ...spec, holderIdentity: '', leaseDurationSeconds: 1 } }
  const { code, body } = await client.call('PUT', `${leases}/released`, given)
  assert.deepEqual([code, body.spec.holderIdentity], [200, ''])
  const never = await client.call('PUT', `${leases}/released`, { ...body, spec: { leaseDurationSeconds: 0 } })
  assert.match(never.body.message, /spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0/)
})
