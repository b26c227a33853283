import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { configMap, startTestServer, type TestAnswer, type TestClient, type TestServer } from './server.fixture.ts'

const maps = '/api/v1/namespaces/default/configmaps'
const deployments = '/apis/apps/v1/namespaces/default/deployments'
let context: TestServer
let client: TestClient

before(async () => {
  context = await startTestServer()
  client = context.client
})
after(() => context[Symbol.asyncDispose]())

function apply(path: string, body: unknown, query = 'fieldManager=me'): Promise<TestAnswer> {
  return client.call('PATCH', `${path}?${query}`, body, { 'content-type': 'application/apply-patch+yaml' })
}

const deployment = (spec: object) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'c', image: 'nginx' }] },
    },
    ...spec,
  },
})

test('apply creates with 201, is a no-op the second time, and gives up what it leaves out', async () => {
  const created = await apply(`${maps}/a`, configMap('a', { x: '1', y: '2' }))
  assert.equal(created.code, 201)
  const [entry, ...others] = created.body.metadata.managedFields
  assert.deepEqual(others, [])
  assert.match(entry.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  const { time: _, ...rest } = entry
  assert.deepEqual(rest, {
    manager: 'me',
    operation: 'Apply',
    apiVersion: 'v1',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:data': { 'f:x': {}, 'f:y': {} } },
  })
  const again = await apply(`${maps}/a`, configMap('a', { x: '1', y: '2' }))
  assert.equal(again.code, 200)
  assert.deepEqual(again.body, created.body)
  const less = await apply(`${maps}/a`, configMap('a', { x: '1' }))
  assert.deepEqual(less.body.data, { x: '1' })
})

test('a plain write takes ownership by fieldManager or user agent; apply meets a conflict, force takes over', async () => {
  await client.call('POST', maps, configMap('b', { x: '1' }), { 'user-agent': 'tool/1.2 (linux)' })
  const conflict = await apply(`${maps}/b`, configMap('b', { x: '2' }))
  assert.equal(conflict.code, 409)
  assert.equal(conflict.body.reason, 'Conflict')
  assert.equal(conflict.body.message, 'Apply failed with 1 conflict: conflict with "tool" using v1: .data.x')
  assert.deepEqual(conflict.body.details.causes, [
    { reason: 'FieldManagerConflict', message: 'conflict with "tool" using v1', field: '.data.x' },
  ])
  const forced = await apply(`${maps}/b`, configMap('b', { x: '2' }), 'fieldManager=me&force=true')
  assert.deepEqual(forced.body.data, { x: '2' })
  const patched = await client.call('PATCH', `${maps}/b?fieldManager=third`, { data: { z: '1' } })
  const owners = patched.body.metadata.managedFields.map((item: { manager: string; operation: string }) => [
    item.manager,
    item.operation,
  ])
  // Updates are in the order of their seconds, and these may be one or two.
  assert.deepEqual(owners.sort(), [
    ['me', 'Apply'],
    ['third', 'Update'],
    ['tool', 'Update'],
  ])
})

test('refusals of apply', async () => {
  const rows: [string, string, unknown, string, number, RegExp][] = [
    [
      'no manager',
      'c',
      configMap('c'),
      '',
      422,
      /^PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch$/,
    ],
    [
      'managedFields',
      'c',
      { ...configMap('c'), metadata: { name: 'c', managedFields: [{}] } },
      'fieldManager=me',
      400,
      /^metadata.managedFields must be nil$/,
    ],
    [
      'version',
      'c',
      { ...configMap('c'), apiVersion: 'v2' },
      'fieldManager=me',
      400,
      /^Incorrect version specified in apply patch. Specified patch version: v2, expected: v1$/,
    ],
    [
      'kind',
      'c',
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'c' } },
      'fieldManager=me',
      400,
      /invalid object type/,
    ],
    ['name', 'c', configMap('d'), 'fieldManager=me', 400, /does not match the name on the URL/],
    ['no object', 'c', '[1]', 'fieldManager=me', 400, /error decoding YAML/],
    ['no YAML', 'c', '{', 'fieldManager=me', 400, /error converting YAML to JSON/],
    [
      'unknown field',
      'c',
      { ...configMap('c'), dota: {} },
      'fieldManager=me',
      400,
      /^failed to create typed patch object \(\/c; v1, Kind=ConfigMap\): .dota: field not declared in schema$/,
    ],
    ['uid', 'c', { ...configMap('c'), metadata: { name: 'c', uid: 'u' } }, 'fieldManager=me', 409, /uid mismatch/],
    ['type', 'c', { ...configMap('c'), data: { x: 1 } }, 'fieldManager=me', 400, /cannot unmarshal number/],
  ]
  for (const [what, name, body, query, code, message] of rows) {
    const answer = await apply(`${maps}/${name}`, body, query)
    assert.equal(answer.code, code, `${what}: ${answer.text}`)
    assert.match(answer.body.message, message, what)
  }
  const forced = await client.call('PATCH', `${maps}/c?force=true`, {})
  assert.match(forced.body.message, /force: Forbidden: may not be specified for non-apply patch/)
  const long = await apply(`${maps}/c`, configMap('c'), `fieldManager=${'m'.repeat(129)}`)
  assert.match(long.body.message, /fieldManager: Too long: may not be more than 128 bytes/)
})

test('a dry run shows the result and stores nothing; YAML bodies are read', async () => {
  const answer = await apply(
    `${maps}/dry`,
    'apiVersion: v1\nkind: ConfigMap\ndata: {a: "1"}\n',
    'fieldManager=me&dryRun=All',
  )
  assert.equal(answer.code, 201)
  assert.deepEqual(answer.body.data, { a: '1' })
  assert.equal((await client.call('GET', `${maps}/dry`)).code, 404)
})

test('list maps are merged by their keys, duplicates are refused', async () => {
  const path = `${deployments}/web`
  assert.equal((await apply(path, deployment({ replicas: 2 }))).code, 201)
  const pod = (containers: object[]) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { template: { spec: { containers } } },
  })
  const sidecar = await apply(path, pod([{ name: 'side', image: 'envoy' }]), 'fieldManager=mesh')
  const names = (answer: TestAnswer) =>
    answer.body.spec.template.spec.containers.map(({ name }: { name: string }) => name)
  assert.deepEqual(names(sidecar), ['c', 'side'])
  assert.deepEqual(names(await apply(path, pod([]), 'fieldManager=mesh')), ['c'])
  const port = { containerPort: 80 }
  const twice = await apply(
    path,
    pod([{ name: 'side', image: 'x', ports: [port, { ...port, protocol: 'TCP' }] } as object]),
    'fieldManager=mesh',
  )
  assert.equal(twice.code, 400)
  assert.match(
    twice.body.message,
    /: \.spec\.template\.spec\.containers\[name="side"\]\.ports: duplicate entries for key \[containerPort=80,protocol="TCP"\]$/,
  )
})

test('scale and status own their fields under their subresource; status does not take part in an apply of the object', async () => {
  const path = `${deployments}/web`
  await client.call('PATCH', `${path}/scale?fieldManager=scaler`, { spec: { replicas: 5 } })
  const status = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, status: { replicas: 4 } }
  const written = await apply(`${path}/status`, status, 'fieldManager=controller')
  assert.equal(written.body.status.replicas, 4)
  const entries = written.body.metadata.managedFields as { manager: string; subresource?: string; fieldsV1: object }[]
  const find = (manager: string) => entries.find((entry) => entry.manager === manager)
  assert.deepEqual(
    [find('scaler')?.subresource, find('scaler')?.fieldsV1],
    ['scale', { 'f:spec': { 'f:replicas': {} } }],
  )
  assert.deepEqual(
    [find('controller')?.subresource, find('controller')?.fieldsV1],
    ['status', { 'f:status': { 'f:replicas': {} } }],
  )
  assert.doesNotMatch(JSON.stringify(find('me')), /f:replicas/)
  const conflict = await apply(path, deployment({ replicas: 1 }))
  assert.equal(
    conflict.body.message,
    'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas',
  )
  const scale = { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'web' }, spec: { replicas: 6 } }
  assert.equal((await apply(`${path}/scale`, scale)).code, 409)
  const forced = await apply(`${path}/scale`, scale, 'fieldManager=me&force=true')
  assert.equal(forced.body.spec.replicas, 6)
  const both = await apply(path, { ...deployment({}), status: { replicas: 9 } })
  assert.equal(both.body.status.replicas, 4)
})

test("objects of Plumb's components are tracked from the first apply on", async () => {
  const created = await client.call('POST', maps, configMap('own', { a: '1' }), { 'user-agent': 'plumb-controllers' })
  assert.equal(created.body.metadata.managedFields, undefined)
  const updated = await client.call('PATCH', `${maps}/own`, { data: { b: '1' } })
  assert.equal(updated.body.metadata.managedFields, undefined)
  const conflict = await apply(`${maps}/own`, configMap('own', { a: '2' }))
  assert.match(conflict.body.message, /conflict with "before-first-apply" using v1: .data.a$/)
  const shared = await apply(`${maps}/own`, configMap('own', { a: '1' }))
  assert.deepEqual(
    shared.body.metadata.managedFields.map((item: { manager: string }) => item.manager),
    ['me', 'before-first-apply'],
  )
})

test('managedFields can be written by clients and reset; garbage is ignored', async () => {
  const created = await apply(`${maps}/mf`, configMap('mf', { a: '1' }))
  const { managedFields } = created.body.metadata
  const put = (metadata: object) =>
    client.call('PUT', `${maps}/mf`, { ...configMap('mf', { a: '1' }), metadata: { name: 'mf', ...metadata } })
  const of = (answer: TestAnswer) => answer.body.metadata.managedFields
  assert.deepEqual(of(await put({})), managedFields)
  assert.deepEqual(of(await put({ managedFields: [{ ...managedFields[0], operation: 'Nonsense' }] })), managedFields)
  assert.equal(of(await put({ managedFields: [{ ...managedFields[0], manager: 'you' }] }))[0].manager, 'you')
  assert.equal(of(await put({ managedFields: [{}] })), undefined)
})

test('custom resources are applied by the list types of their definition', async () => {
  const items = { type: 'object', properties: { name: { type: 'string' }, to: { type: 'string' } }, required: ['name'] }
  const rules = { type: 'array', items, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }
  const schema = {
    openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { rules } } } },
  }
  await client.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'routes.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'routes', kind: 'Route' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  })
  const path = '/apis/example.com/v1/namespaces/default/routes/r'
  const route = (...names: string[]) => ({
    apiVersion: 'example.com/v1',
    kind: 'Route',
    metadata: { name: 'r' },
    spec: { rules: names.map((name) => ({ name, to: name })) },
  })
  assert.equal((await apply(path, route('a'))).code, 201)
  const both = await apply(path, route('b'), 'fieldManager=other')
  assert.deepEqual(both.body.spec, route('a', 'b').spec)
  assert.deepEqual((await apply(path, route())).body.spec, route('b').spec)
  const owners = (await client.call('GET', path)).body.metadata.managedFields
  assert.deepEqual(owners[0].fieldsV1, {
    'f:spec': { 'f:rules': { 'k:{"name":"b"}': { '.': {}, 'f:name': {}, 'f:to': {} } } },
  })
})
