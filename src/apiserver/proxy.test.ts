import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { after, before, test } from 'node:test'
import WebSocket, { WebSocketServer } from 'ws'
import { startTestServer, type TestClient, type TestServer } from './server.fixture.ts'

const pods = '/api/v1/namespaces/default/pods'
const services = '/api/v1/namespaces/default/services'
let context: TestServer
let client: TestClient
let backend: Server
let port: number
const headOfAnswer = { 'access-control-allow-origin': '*', 'content-type': 'application/json', 'x-own': 'yes' }
const page = `<a class=x href="/a?b=1">/a</a><img src='/i.png'><a href=rel><a href="//else/x"><script>x = "/a"</script>ü`
// Loopback is no address of a pod; any other one of this machine's will do.
const own = Object.values(networkInterfaces())
  .flat()
  .find((item) => item?.family === 'IPv4' && !item.internal)?.address
assert.ok(own, 'this machine has no IPv4 address beside loopback')
const host = own

before(async () => {
  context = await startTestServer()
  client = context.client
  backend = createServer((request, response) => {
    if (request.url === '/moved') return void response.writeHead(302, { location: '/there?x=1' }).end()
    if (request.url === '/away') return void response.writeHead(302, { location: 'http://example.org/' }).end()
    if (request.url === '/page')
      return void response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page)
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method, url, headers } = request
      response.writeHead(request.url === '/teapot' ? 418 : 200, headOfAnswer)
      response.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() }))
    })
  })
  const sockets = new WebSocketServer({ server: backend })
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`echo ${data}`)))
  await new Promise<void>((resolve) => backend.listen(0, host, resolve))
  port = (backend.address() as AddressInfo).port
  const spec = { containers: [{ name: 'a', image: 'i', ports: [{ name: 'web', containerPort: port }] }] }
  await client.call('POST', pods, { metadata: { name: 'one' }, spec })
  await client.call('POST', pods, { metadata: { name: 'sly' }, spec })
  for (const [name, podIP] of [
    ['one', host],
    ['sly', '127.0.0.1'],
  ]) {
    const status = { phase: 'Running', podIP, podIPs: [{ ip: podIP }] }
    const patched = await client.call('PATCH', `${pods}/${name}/status`, JSON.stringify({ status }), {
      'content-type': 'application/merge-patch+json',
    })
    assert.equal(patched.code, 200, patched.text)
  }
  for (const name of ['web', 'empty']) {
    const ports = [{ name: 'http', port: 80, targetPort: 'web' }]
    await client.call('POST', services, { metadata: { name }, spec: { ports } })
  }
  const slice = await client.call('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port, protocol: 'TCP' }],
    endpoints: [{ addresses: [host], conditions: { ready: true } }],
  })
  assert.equal(slice.code, 201, slice.text)
})
after(async () => {
  backend.closeAllConnections()
  backend.close()
  await context[Symbol.asyncDispose]()
})

test('a pod, by its only port, by name and by number, and a Service are reached', async () => {
  const rows = [`${pods}/one`, `${pods}/one:web`, `${pods}/http:one:${port}`]
  rows.push(`${services}/web`, `${services}/web:http`, `${services}/http:web:80`)
  for (const place of rows) {
    const answer = await client.call('GET', `${place}/proxy/a%2Fb/c/?q=1%202`)
    assert.deepEqual([answer.code, answer.body.method, answer.body.url], [200, 'GET', '/a%2Fb/c/?q=1%202'], place)
    assert.equal(answer.headers['x-own'], 'yes')
    assert.equal(answer.headers['access-control-allow-origin'], undefined)
  }
})

test('methods, bodies and answers pass; credentials do not', async () => {
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    const answer = await client.call(method, `${pods}/one/proxy/x`, 'a body', {
      authorization: 'Basic c2VjcmV0',
      'x-kept': '1',
    })
    assert.deepEqual([answer.code, answer.body.method, answer.body.body], [200, method, 'a body'])
    assert.deepEqual([answer.body.headers.authorization, answer.body.headers['x-kept']], [undefined, '1'])
  }
  assert.equal((await client.call('GET', `${pods}/one/proxy/teapot`)).code, 418)
})

test('redirections lead through the proxy again, others stay', async () => {
  const location = async (path: string) => (await client.call('GET', path)).headers.location
  assert.equal(await location(`${pods}/one/proxy?x=1`), `${pods}/one/proxy/?x=1`)
  assert.equal(await location(`${pods}/one/proxy/moved`), `${pods}/one/proxy/there?x=1`)
  assert.equal(await location(`${pods}/one/proxy/away`), 'http://example.org/')
})

test('links of a page lead through the proxy', async () => {
  const answer = await client.call('GET', `${pods}/one/proxy/page`)
  const base = `${pods}/one/proxy`
  const expected = `<a class=x href="${base}/a?b=1">/a</a><img src='${base}/i.png'><a href=rel><a href="//else/x"><script>x = "/a"</script>ü`
  assert.equal(answer.text, expected)
})

test('a WebSocket passes', async () => {
  const { authority, admin } = context.certificates
  const url = `wss://127.0.0.1:${client.port}${services}/web:http/proxy/ws`
  const socket = new WebSocket(url, { ca: authority.cert, cert: admin.cert, key: admin.key })
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
  socket.send('hello')
  assert.equal(String(await new Promise((resolve) => socket.on('message', resolve))), 'echo hello')
  socket.terminate()
})

test('what cannot be reached is told in upstream’s words', async () => {
  const rows: [string, number, RegExp][] = [
    [`${pods}/none/proxy/`, 404, /pods "none" not found/],
    [`${pods}/sly/proxy/`, 400, /address not allowed/],
    [`${pods}/one:1/proxy/`, 503, /error trying to reach service: dial tcp .*:1: connect: connection refused/],
    [`${pods}/one:nope/proxy/`, 400, /invalid port "nope"/],
    [`${pods}/ftp:one:1/proxy/`, 400, /invalid pod request "ftp:one:1"/],
    [`${services}/web:81/proxy/`, 503, /no service port "81" found for service "web"/],
    [`${services}/empty:http/proxy/`, 503, /no endpoints available for service "empty"/],
  ]
  for (const [path, code, message] of rows) {
    const answer = await client.call('GET', path)
    assert.equal(answer.code, code, `${path}: ${answer.text}`)
    assert.match(answer.body.message, message)
  }
})
