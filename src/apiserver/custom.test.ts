import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestServer, type TestServer } from './server.fixture.ts'

let context: TestServer
before(async () => {
  context = await startTestServer()
})
after(() => context[Symbol.asyncDispose]())

const definitionsPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const tabs = '/apis/stable.example.com/v1/namespaces/default/crontabs'

const spec = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['cronSpec'],
      properties: {
        cronSpec: { type: 'string', pattern: '^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$' },
        image: { type: 'string', default: 'busybox' },
        replicas: { type: 'integer', minimum: 1, maximum: 10, default: 1 },
        limit: { type: 'integer' },
        mode: { type: 'string', enum: ['Fast', 'Slow'] },
        target: { 'x-kubernetes-int-or-string': true },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['port'],
          items: {
            type: 'object',
            required: ['port'],
            properties: { port: { type: 'integer' }, protocol: { type: 'string', default: 'TCP' } },
          },
        },
      },
      'x-kubernetes-validations': [
        { rule: '!has(self.limit) || self.replicas <= self.limit', message: 'replicas must not be above limit' },
        { rule: '!has(oldSelf.mode) || self.mode == oldSelf.mode', message: 'mode is immutable' },
      ],
    },
    status: {
      type: 'object',
      properties: { replicas: { type: 'integer' }, selector: { type: 'string' } },
    },
  },
}

function definition(kind: string, plural: string, more: object = {}) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.stable.example.com` },
    spec: {
      group: 'stable.example.com',
      scope: 'Namespaced',
      names: { kind, plural, shortNames: [kind.toLowerCase().slice(0, 2)] },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: spec },
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.replicas',
              statusReplicasPath: '.status.replicas',
              labelSelectorPath: '.status.selector',
            },
          },
          additionalPrinterColumns: [
            { name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec' },
            { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' },
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
        },
      ],
      ...more,
    },
  }
}

function tab(name: string, own: object = {}) {
  return {
    apiVersion: 'stable.example.com/v1',
    kind: 'CronTab',
    metadata: { name },
    spec: { cronSpec: '* * * * */5', ...own },
  }
}

test('a definition is served at once: names, conditions, discovery in three forms, OpenAPI', async () => {
  const { client } = context
  const made = await client.call('POST', definitionsPath, definition('CronTab', 'crontabs'))
  assert.equal(made.code, 201, made.text)
  const { conditions, acceptedNames, storedVersions } = made.body.status
  assert.deepEqual(
    conditions.map(({ type, status }: { type: string; status: string }) => `${type}=${status}`),
    ['NamesAccepted=True', 'Established=True'],
  )
  assert.deepEqual([acceptedNames.listKind, acceptedNames.singular, storedVersions], ['CronTabList', 'crontab', ['v1']])
  const legacy = await client.call('GET', '/apis/stable.example.com/v1')
  assert.deepEqual(
    legacy.body.resources.map(({ name }: { name: string }) => name),
    ['crontabs', 'crontabs/status', 'crontabs/scale'],
  )
  for (const version of ['v2', 'v2beta1']) {
    const accept = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`
    const { body } = await client.call('GET', '/apis', undefined, { accept })
    const group = body.items.find((item: { metadata: { name: string } }) => item.metadata.name === 'stable.example.com')
    assert.equal(group.versions[0].resources[0].responseKind.kind, 'CronTab')
  }
  const index = await client.call('GET', '/openapi/v3')
  const { serverRelativeURL } = index.body.paths['apis/stable.example.com/v1']
  const document = await client.call('GET', serverRelativeURL)
  const schema = document.body.components.schemas['com.example.stable.v1.CronTab']
  assert.equal(schema.properties.spec.properties.replicas.maximum, 10)
  assert.deepEqual(schema['x-kubernetes-group-version-kind'], [
    { group: 'stable.example.com', kind: 'CronTab', version: 'v1' },
  ])
  const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1'
  const { schemas } = document.body.components
  assert.deepEqual(schema.properties.metadata.allOf, [{ $ref: `#/components/schemas/${meta}.ObjectMeta` }])
  assert.equal(schemas[`${meta}.ObjectMeta`].properties.labels.type, 'object')
  // Whatever is referred to is in the document.
  for (const [, name] of JSON.stringify(document.body).matchAll(/"#\/components\/schemas\/([^"]+)"/g))
    assert.ok(name! in schemas, name)
  // By these kubectl apply chooses how it patches: there is no strategic merge of custom resources.
  const { patch } = (await client.call('GET', '/openapi/v3/apis/stable.example.com/v1')).body.paths[
    '/apis/stable.example.com/v1/namespaces/{namespace}/crontabs/{name}'
  ]
  assert.deepEqual(Object.keys(patch.requestBody.content), [
    'application/apply-patch+yaml',
    'application/json-patch+json',
    'application/merge-patch+json',
  ])
})

test('custom objects: defaults, pruning with warnings, watch, status and scale', async () => {
  const { client } = context
  const watch = await client.watch(`${tabs}?watch=true`)
  const made = await client.call('POST', tabs, {
    ...tab('one', { unknown: 1, limit: null, image: null, free: { any: { thing: 1 } }, ports: [{ port: 80 }] }),
    status: { replicas: 9 },
  })
  assert.equal(made.code, 201, made.text)
  assert.match(String(made.headers.warning), /unknown field \\"spec.unknown\\"/)
  assert.deepEqual(made.body.spec, {
    cronSpec: '* * * * */5',
    free: { any: { thing: 1 } },
    ports: [{ port: 80, protocol: 'TCP' }],
    image: 'busybox',
    replicas: 1,
  })
  assert.deepEqual([made.body.status, made.body.metadata.generation], [undefined, 1])
  assert.equal((await watch.next()).object.metadata.name, 'one')
  const status = await client.call('PATCH', `${tabs}/one/status`, {
    status: { replicas: 3, selector: 'app=x' },
    spec: { replicas: 7 },
  })
  assert.deepEqual([status.body.status.replicas, status.body.spec.replicas, status.body.metadata.generation], [3, 1, 1])
  const scaled = await client.call('PATCH', `${tabs}/one/scale`, { spec: { replicas: 4 } })
  assert.deepEqual([scaled.body.spec, scaled.body.status], [{ replicas: 4 }, { replicas: 3, selector: 'app=x' }])
  assert.equal((await client.call('GET', `${tabs}/one`)).body.metadata.generation, 2)
  const strict = await client.call('POST', `${tabs}?fieldValidation=Strict`, tab('two', { unknown: 1 }))
  assert.equal(strict.code, 400)
  assert.match(strict.body.message, /strict decoding error: unknown field "spec.unknown"/)
  const patched = await client.call(
    'PATCH',
    `${tabs}/one`,
    {},
    { 'content-type': 'application/strategic-merge-patch+json' },
  )
  assert.equal(patched.code, 415)
  watch.close()
})

const refused: [string, object, string, string][] = [
  [
    'a wrong type',
    { replicas: 'two' },
    'spec.replicas',
    'Invalid value: "string": spec.replicas in body must be of type integer: "string"',
  ],
  [
    'a number above its maximum',
    { replicas: 11 },
    'spec.replicas',
    'Invalid value: 11: spec.replicas in body should be less than or equal to 10',
  ],
  [
    'a number below its minimum',
    { replicas: 0 },
    'spec.replicas',
    'Invalid value: 0: spec.replicas in body should be greater than or equal to 1',
  ],
  [
    'a text that does not match',
    { cronSpec: 'often' },
    'spec.cronSpec',
    'Invalid value: "often": spec.cronSpec in body should match \'^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$\'',
  ],
  [
    'a value out of an enumeration',
    { mode: 'Odd' },
    'spec.mode',
    'Unsupported value: "Odd": supported values: "Fast", "Slow"',
  ],
  ['a missing field', { cronSpec: undefined }, 'spec.cronSpec', 'Required value'],
  [
    'neither integer nor text',
    { target: true },
    'spec.target',
    'Invalid value: "boolean": spec.target in body must be of type integer,string: "boolean"',
  ],
  ['a double key', { ports: [{ port: 1 }, { port: 1 }] }, 'spec.ports[1]', 'Duplicate value: {"port":1}'],
  ['a rule', { replicas: 5, limit: 4 }, 'spec', 'Invalid value: "object": replicas must not be above limit'],
]
for (const [what, own, field, message] of refused) {
  test(`validation refuses ${what}`, async () => {
    const { code, body, text } = await context.client.call('POST', tabs, tab('bad', own))
    assert.equal(code, 422, text)
    assert.deepEqual(
      body.details.causes.map((cause: { field: string; message: string }) => [cause.field, cause.message]),
      [[field, message]],
    )
    assert.match(body.message, /^CronTab.stable.example.com "bad" is invalid: /)
  })
}

test('a transition rule compares with the old object', async () => {
  const { client } = context
  assert.equal((await client.call('POST', tabs, tab('moded', { mode: 'Fast' }))).code, 201)
  const changed = await client.call('PATCH', `${tabs}/moded`, { spec: { mode: 'Slow' } })
  assert.equal(changed.code, 422)
  assert.match(changed.body.message, /spec: Invalid value: "object": mode is immutable/)
  assert.equal((await client.call('PATCH', `${tabs}/moded`, { spec: { replicas: 2 } })).code, 200)
})

test('printer columns by JSONPath', async () => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
  const { body } = await context.client.call('GET', `${tabs}/moded`, undefined, { accept })
  assert.deepEqual(
    body.columnDefinitions.map(({ name }: { name: string }) => name),
    ['Name', 'Spec', 'Replicas', 'Age'],
  )
  assert.deepEqual(body.rows[0].cells.slice(0, 3), ['moded', '* * * * */5', 2])
})

test('server-side apply keeps the items of a map list apart', async () => {
  const { client } = context
  const apply = (manager: string, port: number) =>
    client.call('PATCH', `${tabs}/applied?fieldManager=${manager}`, tab('applied', { ports: [{ port }] }), {
      'content-type': 'application/apply-patch+yaml',
    })
  assert.equal((await apply('one', 80)).code, 201)
  const second = await apply('two', 443)
  assert.equal(second.code, 200, second.text)
  assert.deepEqual(
    second.body.spec.ports.map(({ port }: { port: number }) => port),
    [80, 443],
  )
  assert.deepEqual(
    second.body.metadata.managedFields.map(({ manager }: { manager: string }) => manager),
    ['one', 'two'],
  )
})

test('names of another definition are taken until it is gone', async () => {
  const { client } = context
  const second = definition('CronTab', 'othertabs')
  const made = await client.call('POST', definitionsPath, second)
  assert.deepEqual(
    made.body.status.conditions.map(({ status, reason }: { status: string; reason: string }) => `${status} ${reason}`),
    ['False SingularConflict', 'False NotAccepted'],
  )
  assert.equal((await client.call('GET', '/apis/stable.example.com/v1/namespaces/default/othertabs')).code, 404)
  await client.call('DELETE', `${definitionsPath}/othertabs.stable.example.com`)
})

test('several versions of one object, without conversion', async () => {
  const { client } = context
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  const versions = [
    { name: 'v1beta1', served: true, storage: false, deprecated: true, schema },
    { name: 'v1', served: true, storage: true, schema },
  ]
  const made = await client.call('POST', definitionsPath, {
    ...definition('Gadget', 'gadgets', { versions, scope: 'Cluster' }),
  })
  assert.equal(made.code, 201, made.text)
  const path = (version: string) => `/apis/stable.example.com/${version}/gadgets`
  const old = { apiVersion: 'stable.example.com/v1beta1', kind: 'Gadget', metadata: { name: 'g' }, size: 1 }
  const posted = await client.call('POST', path('v1beta1'), old)
  assert.equal(posted.body.apiVersion, 'stable.example.com/v1beta1')
  assert.match(String(posted.headers.warning), /v1beta1 Gadget is deprecated/)
  const list = await client.call('GET', path('v1'))
  assert.deepEqual(
    list.body.items.map((item: { apiVersion: string; size: number }) => [item.apiVersion, item.size]),
    [['stable.example.com/v1', 1]],
  )
  const patched = await client.call('PATCH', `${path('v1beta1')}/g`, { size: 2 })
  assert.deepEqual([patched.body.apiVersion, patched.body.size], ['stable.example.com/v1beta1', 2])
  const group = await client.call('GET', '/apis/stable.example.com')
  assert.equal(group.body.preferredVersion.version, 'v1')
})

test('deleting a definition deletes its objects; finalizers hold both', async () => {
  const { client } = context
  const held = tab('held')
  await client.call('POST', tabs, { ...held, metadata: { name: 'held', finalizers: ['example.com/hold'] } })
  const deleted = await client.call('DELETE', `${definitionsPath}/crontabs.stable.example.com`)
  assert.equal(deleted.body.kind, 'CustomResourceDefinition')
  const until = async (done: () => Promise<boolean>) => {
    while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await until(async () => (await client.call('GET', tabs)).body.items.length === 1)
  assert.equal((await client.call('POST', tabs, tab('late'))).code, 405)
  const last = await client.call('PATCH', `${tabs}/held`, { metadata: { finalizers: null } })
  assert.equal(last.code, 200)
  await until(async () => (await client.call('GET', `${definitionsPath}/crontabs.stable.example.com`)).code === 404)
  assert.equal((await client.call('GET', tabs)).code, 404)
})

test('definitions that make no sense are refused', async () => {
  const { client } = context
  const bad = definition('Bad', 'bads', {
    versions: [
      {
        name: 'v1',
        served: true,
        storage: false,
        schema: { openAPIV3Schema: { type: 'object', properties: { a: {}, b: { type: 'string', pattern: '(?=a)' } } } },
      },
    ],
  })
  bad.metadata.name = 'wrong.stable.example.com'
  const { code, body } = await client.call('POST', definitionsPath, bad)
  assert.equal(code, 422)
  assert.deepEqual(
    body.details.causes.map(({ field }: { field: string }) => field),
    [
      'metadata.name',
      'spec.versions[0].schema.openAPIV3Schema.properties[a].type',
      'spec.versions[0].schema.openAPIV3Schema.properties[b].pattern',
      'spec.versions',
    ],
  )
})
