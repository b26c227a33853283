import assert from 'node:assert/strict'
import { request } from 'node:https'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import WebSocket from 'ws'
import { configMap, startTestServer, type TestClient, type TestServer } from './server.fixture.ts'

const maps = '/api/v1/namespaces/default/configmaps'
let context: TestServer
let client: TestClient

before(async () => {
  context = await startTestServer()
  client = context.client
  for (let i = 0; i < 25; i++) {
    const name = `c${String(i).padStart(2, '0')}`
    await client.call('POST', maps, configMap(name, {}, { parity: i % 2 === 0 ? 'even' : 'odd', n: String(i) }))
  }
})
after(() => context[Symbol.asyncDispose]())

const names = (body: { items: { metadata: { name: string } }[] }) => body.items.map((item) => item.metadata.name)
const query = (parameters: Record<string, string>) => new URLSearchParams(parameters).toString()

test('pages show one state: all at the first page’s resourceVersion, with what remains', async () => {
  const first = await client.call('GET', `${maps}?limit=10`)
  assert.deepEqual(
    names(first.body),
    Array.from({ length: 10 }, (_, i) => `c0${i}`),
  )
  assert.equal(first.body.kind, 'ConfigMapList')
  assert.equal(first.body.metadata.remainingItemCount, 15)
  const token = JSON.parse(Buffer.from(first.body.metadata.continue, 'base64').toString())
  assert.deepEqual(token, { v: 'meta.k8s.io/v1', rv: Number(first.body.metadata.resourceVersion), start: 'c09\0' })
  await client.call('POST', maps, configMap('c105'))
  await client.call('DELETE', `${maps}/c12`)
  await client.call('PATCH', `${maps}/c13`, { data: { changed: 'yes' } })
  const second = await client.call('GET', `${maps}?limit=10&continue=${first.body.metadata.continue}`)
  assert.deepEqual(
    names(second.body),
    Array.from({ length: 10 }, (_, i) => `c1${i}`),
  )
  assert.equal(second.body.items[3].data?.changed, undefined, 'the change came after the first page')
  assert.equal(second.body.metadata.resourceVersion, first.body.metadata.resourceVersion)
  const third = await client.call('GET', `${maps}?limit=10&continue=${second.body.metadata.continue}`)
  assert.deepEqual([names(third.body).length, third.body.metadata.continue], [5, undefined])
  const exact = await client.call(
    'GET',
    `${maps}?${query({ resourceVersion: first.body.metadata.resourceVersion, resourceVersionMatch: 'Exact' })}`,
  )
  assert.equal(names(exact.body).length, 25)
  await client.call('DELETE', `${maps}/c105`)
  await client.call('POST', maps, configMap('c12', {}, { parity: 'even', n: '12' }))
})

test('what a list refuses', async () => {
  const rows: [Record<string, string>, number, RegExp][] = [
    [{ resourceVersion: '999999' }, 504, /Too large resource version: 999999, current: \d+/],
    [{ resourceVersion: 'x' }, 400, /Invalid value: "x"/],
    [{ resourceVersionMatch: 'Exact' }, 422, /forbidden unless resourceVersion is provided/],
    [{ resourceVersionMatch: 'Odd', resourceVersion: '1' }, 422, /supported values: "Exact", "NotOlderThan"/],
    [{ continue: 'nonsense' }, 400, /continue key is not valid/],
    [
      { continue: Buffer.from('{"v":"meta.k8s.io/v1","rv":-1,"start":"a"}').toString('base64') },
      400,
      /continue key is not valid/,
    ],
    [{ limit: '-1' }, 400, /limit/],
    [{ labelSelector: 'a in (b' }, 400, /^unable to parse requirement: found '', expected: ',' or '\)'$/],
    [{ labelSelector: 'a=b=c' }, 400, /^found '=', expected: ',' or 'end of string'$/],
    [{ labelSelector: '-a' }, 400, /name part must consist of alphanumeric characters/],
    [
      { fieldSelector: 'data.a=b' },
      400,
      /"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"/,
    ],
    [{ fieldSelector: 'metadata.name' }, 400, /^invalid selector: 'metadata.name'; can't understand 'metadata.name'$/],
  ]
  for (const [parameters, code, message] of rows) {
    const answer = await client.call('GET', `${maps}?${query(parameters)}`)
    assert.equal(answer.code, code, `${JSON.stringify(parameters)}: ${answer.text}`)
    assert.match(answer.body.message, message)
  }
  const future = await client.call('GET', `${maps}?resourceVersion=999999`)
  assert.deepEqual(future.body.details, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  })
  assert.equal(future.headers['retry-after'], '1')
})

test('selectors', async () => {
  const rows: [Record<string, string>, number][] = [
    [{ labelSelector: 'parity=even' }, 13],
    [{ labelSelector: 'parity==odd,n notin (1,3)' }, 10],
    [{ labelSelector: 'parity!=odd' }, 13],
    [{ labelSelector: 'n in (1,2,3)' }, 3],
    [{ labelSelector: '!parity' }, 0],
    [{ labelSelector: 'parity,n>20' }, 4],
    [{ labelSelector: 'n<3' }, 3],
    [{ fieldSelector: 'metadata.name=c03' }, 1],
    [{ fieldSelector: 'metadata.name!=c03,metadata.namespace=default' }, 24],
    [{ fieldSelector: 'metadata.name=c03', labelSelector: 'parity=even' }, 0],
  ]
  for (const [parameters, count] of rows) {
    const answer = await client.call('GET', `${maps}?${query(parameters)}`)
    assert.equal(names(answer.body).length, count, JSON.stringify(parameters))
  }
  const page = await client.call('GET', `${maps}?${query({ labelSelector: 'parity=even', limit: '5' })}`)
  assert.equal(page.body.metadata.remainingItemCount, undefined)
  const rest = await client.call(
    'GET',
    `${maps}?${query({ labelSelector: 'parity=even', limit: '100', continue: page.body.metadata.continue })}`,
  )
  assert.equal(names(page.body).length + names(rest.body).length, 13)
})

test('Table and PartialObjectMetadataList', async () => {
  const table = await client.call('GET', `${maps}?limit=2`, undefined, {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  })
  assert.deepEqual([table.body.kind, table.body.apiVersion, table.body.rows.length], ['Table', 'meta.k8s.io/v1', 2])
  assert.equal(table.body.columnDefinitions[0].name.toUpperCase(), 'NAME')
  assert.equal(table.body.rows[0].cells[0], 'c00')
  assert.equal(table.body.rows[0].object.kind, 'PartialObjectMetadata')
  assert.equal(table.body.metadata.remainingItemCount, 23)
  const whole = await client.call('GET', `${maps}/c00?includeObject=Object`, undefined, {
    accept: 'application/json;as=Table;v=v1beta1;g=meta.k8s.io',
  })
  assert.deepEqual([whole.body.apiVersion, whole.body.rows[0].object.kind], ['meta.k8s.io/v1beta1', 'ConfigMap'])
  const partial = await client.call('GET', maps, undefined, {
    accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  })
  assert.equal(partial.body.kind, 'PartialObjectMetadataList')
  assert.deepEqual(Object.keys(partial.body.items[0]), ['kind', 'apiVersion', 'metadata'])
})

test('large answers are compressed for those who ask', async () => {
  await client.call('POST', '/api/v1/namespaces/kube-public/configmaps', configMap('big', { a: 'x'.repeat(200_000) }))
  const body = await new Promise<Buffer>((resolve, reject) => {
    const { authority, admin } = context.certificates
    const path = '/api/v1/namespaces/kube-public/configmaps/big'
    const options = {
      host: '127.0.0.1',
      port: client.port,
      path,
      ca: authority.cert,
      key: admin.key,
      cert: admin.cert,
      headers: { 'accept-encoding': 'gzip' },
    }
    request(options, async (response) => {
      assert.equal(response.headers['content-encoding'], 'gzip')
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk as Buffer)
      resolve(Buffer.concat(chunks))
    })
      .on('error', reject)
      .end()
  })
  assert.ok(body.length < 10_000)
  assert.equal(JSON.parse(gunzipSync(body).toString()).data.a.length, 200_000)
})

test('a watch replays from its resourceVersion, then follows', async () => {
  const { body } = await client.call('GET', `${maps}?limit=1`)
  await client.call('POST', maps, configMap('w1', {}, { watched: 'yes' }))
  const watch = await client.watch(`${maps}?watch=true&resourceVersion=${body.metadata.resourceVersion}`)
  assert.equal(watch.code, 200)
  assert.deepEqual(shape(await watch.next()), ['ADDED', 'w1'])
  await client.call('PATCH', `${maps}/w1`, { data: { a: '1' } })
  await client.call('DELETE', `${maps}/w1`)
  assert.deepEqual(shape(await watch.next()), ['MODIFIED', 'w1'])
  const gone = await watch.next()
  assert.deepEqual([...shape(gone), gone.object.data], ['DELETED', 'w1', { a: '1' }])
  assert.equal(gone.object.metadata.resourceVersion, String(context.server.revision))
  watch.close()
})

test('an object that enters or leaves a selector is ADDED or DELETED', async () => {
  const watch = await client.watch(
    `${maps}?${query({ watch: '1', labelSelector: 'color=red', resourceVersion: String(context.server.revision) })}`,
  )
  await client.call('POST', maps, configMap('s1', {}, { color: 'blue' }))
  await client.call('PATCH', `${maps}/s1`, { metadata: { labels: { color: 'red' } } })
  await client.call('PATCH', `${maps}/s1`, { data: { a: '1' } })
  const left = await client.call('PATCH', `${maps}/s1`, { metadata: { labels: { color: 'blue' } } })
  await client.call('DELETE', `${maps}/s1`)
  await client.call('POST', maps, configMap('s2', {}, { color: 'red' }))
  assert.deepEqual(shape(await watch.next()), ['ADDED', 's1'])
  assert.deepEqual(shape(await watch.next()), ['MODIFIED', 's1'])
  const event = await watch.next()
  assert.deepEqual(shape(event), ['DELETED', 's1'])
  assert.deepEqual(
    [event.object.metadata.labels.color, event.object.metadata.resourceVersion],
    ['red', left.body.metadata.resourceVersion],
  )
  assert.deepEqual(shape(await watch.next()), ['ADDED', 's2'])
  watch.close()
})

test('initial events with and without an end mark', async () => {
  const path = '/api/v1/namespaces/kube-system/configmaps'
  for (const name of ['a', 'b']) await client.call('POST', path, configMap(name))
  for (const parameters of [{}, { resourceVersion: '0' }] as Record<string, string>[]) {
    const watch = await client.watch(`${path}?${query({ watch: 'true', ...parameters })}`)
    assert.deepEqual(
      [shape(await watch.next()), shape(await watch.next())],
      [
        ['ADDED', 'a'],
        ['ADDED', 'b'],
      ],
    )
    watch.close()
  }
  const streamed = {
    watch: 'true',
    sendInitialEvents: 'true',
    resourceVersionMatch: 'NotOlderThan',
    allowWatchBookmarks: 'true',
  }
  const watch = await client.watch(`${path}?${query(streamed)}`)
  assert.deepEqual(
    [shape(await watch.next()), shape(await watch.next())],
    [
      ['ADDED', 'a'],
      ['ADDED', 'b'],
    ],
  )
  const mark = await watch.next()
  assert.equal(mark.type, 'BOOKMARK')
  assert.equal(mark.object.metadata.annotations['k8s.io/initial-events-end'], 'true')
  assert.equal(mark.object.metadata.resourceVersion, String(context.server.revision))
  watch.close()
  const bad = await client.call('GET', `${path}?watch=true&sendInitialEvents=true`)
  assert.equal(bad.code, 422)
})

test('timeoutSeconds ends a watch, with a last bookmark for those who allow it', async () => {
  const watch = await client.watch(
    `${maps}?${query({ watch: 'true', resourceVersion: String(context.server.revision), timeoutSeconds: '1', allowWatchBookmarks: 'true' })}`,
  )
  const events = await watch.ended()
  assert.deepEqual(
    events.map((event) => event.type),
    ['BOOKMARK'],
  )
  assert.equal(events[0].object.metadata.resourceVersion, String(context.server.revision))
})

test('a watch as Table: columns in the first event only', async () => {
  const path = '/api/v1/namespaces/kube-system/configmaps'
  const watch = await client.watch(`${path}?watch=true`, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
  const [first, second] = [await watch.next(), await watch.next()]
  assert.deepEqual([first.type, first.object.kind, first.object.rows[0].cells[0]], ['ADDED', 'Table', 'a'])
  assert.ok(first.object.columnDefinitions.length > 0)
  assert.equal(second.object.columnDefinitions, null)
  watch.close()
})

test('a watch over WebSocket: one text frame per event', async () => {
  const { authority, admin } = context.certificates
  const path = `${maps}?watch=true&resourceVersion=${context.server.revision}`
  const socket = new WebSocket(`wss://127.0.0.1:${client.port}${path}`, {
    ca: authority.cert,
    key: admin.key,
    cert: admin.cert,
  })
  const frame = new Promise<string>((resolve, reject) => {
    socket.on('message', (data) => resolve(data.toString()))
    socket.on('error', reject)
  })
  await new Promise((resolve) => socket.on('open', resolve))
  await client.call('POST', maps, configMap('ws'))
  assert.deepEqual(shape(JSON.parse(await frame)), ['ADDED', 'ws'])
  socket.close()
  const refused = new WebSocket(`wss://127.0.0.1:${client.port}/api/v1/nothing?watch=true`, {
    ca: authority.cert,
    key: admin.key,
    cert: admin.cert,
  })
  const code = await new Promise((resolve) => {
    refused.on('unexpected-response', (_, response) => resolve(response.statusCode))
    refused.on('error', () => undefined)
  })
  assert.equal(code, 404)
})

test('history that is gone: 410 as an ERROR event and for pages', async () => {
  await using small = await startTestServer({ historyEvents: 40 })
  const { client } = small
  for (const name of ['a', 'b']) await client.call('POST', maps, configMap(name))
  const page = await client.call('GET', `${maps}?limit=1`)
  for (let i = 0; i < 60; i++) await client.call('PATCH', `${maps}/a`, { data: { n: String(i) } })
  const watch = await client.watch(`${maps}?watch=true&resourceVersion=2`)
  assert.equal(watch.code, 200)
  const [error] = await watch.ended()
  assert.equal(error.type, 'ERROR')
  assert.deepEqual([error.object.kind, error.object.code, error.object.reason], ['Status', 410, 'Expired'])
  assert.match(error.object.message, /^too old resource version: 2 \(\d+\)$/)
  const next = await client.call('GET', `${maps}?limit=1&continue=${page.body.metadata.continue}`)
  assert.deepEqual([next.code, next.body.reason], [410, 'Expired'])
})

function shape(event: { type: string; object: { metadata: { name: string } } }) {
  return [event.type, event.object.metadata.name]
}
