import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { configMap, startTestServer, type TestAnswer, type TestClient, type TestServer } from './server.fixture.ts'

const maps = '/api/v1/namespaces/default/configmaps'
const deployments = '/apis/apps/v1/namespaces/default/deployments'
const services = '/api/v1/namespaces/default/services'
let context: TestServer
let client: TestClient

before(async () => {
  context = await startTestServer()
  client = context.client
})
after(() => context[Symbol.asyncDispose]())

/** Whatever is sent: an answer, never a failure of the server's own, and one that clients can read. */
function sound(answer: TestAnswer, what: unknown): void {
  assert.ok(
    answer.code < 500 || answer.body?.reason === 'Timeout',
    `${JSON.stringify(what)}: ${answer.code} ${answer.text}`,
  )
  if (answer.code >= 400) assert.equal(answer.body.kind, 'Status')
}

const runs = { numRuns: 150 }
const word = fc.constantFrom(
  'metadata',
  'spec',
  'data',
  'name',
  'labels',
  'finalizers',
  'containers',
  'template',
  'ports',
  'selector',
  '$patch',
  '$retainKeys',
  '$setElementOrder/containers',
  '$setElementOrder/ports',
  '$deleteFromPrimitiveList/finalizers',
  'constructor',
  '__proto__',
  'a',
  '',
  '-',
  '0',
)
const leaf = fc.oneof(
  fc.constantFrom(null, true, 0, -1, 1e20, 80, '', 'a', 'replace', 'delete', 'merge', '10.96.0.5', 'None', 'NodePort'),
  fc.string(),
)
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(word, tie('value'), { maxKeys: 4 }),
  ),
})).value
const pointer = fc
  .array(word, { maxLength: 4 })
  .map((words) => words.map((item) => `/${item.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''))
const operation = fc.record({
  op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'x'),
  path: pointer,
  from: pointer,
  value,
})

const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'c', image: 'i' }] } }
const bases: [string, object][] = [
  [deployments, { metadata: { name: 'fuzz' }, spec: { selector: { matchLabels: { app: 'a' } }, template } }],
  [services, { metadata: { name: 'fuzz' }, spec: { ports: [{ port: 80 }] } }],
  [maps, { metadata: { name: 'fuzz' }, data: { a: '1' } }],
]

test('patches of all kinds', async () => {
  const types = [
    'application/json-patch+json',
    'application/merge-patch+json',
    'application/strategic-merge-patch+json',
    'application/apply-patch+yaml',
  ]
  const patch = fc.oneof(fc.array(operation, { maxLength: 5 }), value)
  await fc.assert(
    fc.asyncProperty(
      patch,
      fc.constantFrom(...types),
      fc.constantFrom(...bases),
      fc.boolean(),
      async (body, type, [path, base], status) => {
        const created = await client.call('POST', path, base)
        assert.ok(created.code === 201 || created.code === 409, created.text)
        const target = `${path}/fuzz${status && path !== maps ? '/status' : ''}`
        const { apiVersion, kind } = (await client.call('GET', `${path}/fuzz`)).body
        const whole = type.includes('apply') ? { apiVersion, kind } : {}
        const text =
          Array.isArray(body) || type.includes('json-patch') ? body : { spec: body, metadata: body, ...whole }
        const query = type.includes('apply') ? '?fieldManager=fuzz&force=true' : ''
        sound(await client.call('PATCH', `${target}${query}`, JSON.stringify(text), { 'content-type': type }), {
          type,
          target,
          text,
        })
        const read = await client.call('GET', `${path}/fuzz`)
        assert.ok(read.code === 200 || read.code === 404)
        if (read.code === 200) assert.equal(read.body.metadata.name, 'fuzz')
      },
    ),
    runs,
  )
})

test('objects', async () => {
  await fc.assert(
    fc.asyncProperty(value, value, fc.constantFrom(...bases), async (spec, metadata, [path]) => {
      sound(await client.call('POST', path, JSON.stringify({ metadata, spec, data: spec })), { metadata, spec })
      sound(await client.call('PUT', `${path}/fuzz`, JSON.stringify({ metadata, spec, data: spec })), {
        metadata,
        spec,
      })
    }),
    runs,
  )
})

test('selectors', async () => {
  const part = fc.constantFrom(
    'a',
    'b/c',
    '=',
    '==',
    '!=',
    '!',
    ' in ',
    ' notin ',
    '(',
    ')',
    ',',
    '>',
    '<',
    '1',
    ' ',
    'metadata.name',
    '\\',
    '-',
    'x'.repeat(70),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.array(part, { maxLength: 8 }).map((parts) => parts.join('')),
        fc.string(),
      ),
      async (text) => {
        for (const name of ['labelSelector', 'fieldSelector']) {
          const answer = await client.call('GET', `${maps}?${new URLSearchParams({ [name]: text })}`)
          assert.ok(answer.code === 200 || answer.code === 400, `${name}=${text}: ${answer.text}`)
        }
      },
    ),
    runs,
  )
})

test('continue tokens', async () => {
  await client.call('POST', maps, configMap('one'))
  const token = fc.oneof(
    fc.base64String(),
    fc.string(),
    fc
      .record({
        v: fc.constantFrom('meta.k8s.io/v1', 'x', null),
        rv: fc.oneof(fc.integer(), leaf),
        start: fc.oneof(fc.string(), leaf),
      })
      .map((item) => Buffer.from(JSON.stringify(item)).toString('base64url')),
  )
  await fc.assert(
    fc.asyncProperty(token, fc.constantFrom('', '1', '-1', 'x', '99999999999999999999'), async (text, limit) => {
      const answer = await client.call('GET', `${maps}?${new URLSearchParams({ continue: text, limit })}`)
      assert.ok([200, 400, 410].includes(answer.code), `${text}: ${answer.text}`)
    }),
    runs,
  )
})

test('paths, verbs and queries', async () => {
  const segment = fc.oneof(
    fc.constantFrom(
      'api',
      'apis',
      'v1',
      'apps',
      'namespaces',
      'default',
      'pods',
      'deployments',
      'services',
      'configmaps',
      'watch',
      'status',
      'scale',
      'finalize',
      'log',
      'exec',
      'binding',
      'bindings',
      'openapi',
      'v3',
      'healthz',
      '..',
      '.',
      '%2f',
      '%00',
      '%zz',
      'constructor',
      '__proto__',
    ),
    fc.string({ maxLength: 5 }).map(encodeURIComponent),
  )
  const parameter = fc.tuple(
    fc.constantFrom(
      'limit',
      'resourceVersion',
      'timeoutSeconds',
      'dryRun',
      'fieldValidation',
      'container',
      'gracePeriodSeconds',
      'propagationPolicy',
    ),
    fc.constantFrom('', '1', '-1', 'All', 'x', 'true'),
  )
  const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS')
  await fc.assert(
    fc.asyncProperty(
      method,
      fc.array(segment, { maxLength: 7 }),
      fc.array(parameter, { maxLength: 3 }),
      async (verb, segments, parameters) => {
        const path = `/${segments.join('/')}?${new URLSearchParams([['timeoutSeconds', '1'], ...parameters])}`
        const answer = await client.call(verb, path, verb === 'GET' || verb === 'HEAD' ? undefined : '{}')
        assert.ok(answer.code < 500 || answer.code === 504, `${verb} ${path}: ${answer.code} ${answer.text}`)
      },
    ),
    { numRuns: 400 },
  )
})
