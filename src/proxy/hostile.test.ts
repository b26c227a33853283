import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { host } from '../agent/rig.fixture.ts'
import { serviceOf, sliceOf } from './gateway-objects.fixture.ts'
import { ingressOf, plumbClass } from './ingress-objects.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
const closers: (() => void)[] = []
/** All that came to the pod. */
let received = ''

before(async () => {
  gateway = new GatewayRig()
  const [one] = gateway.rig.backends
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      received += data.toString('latin1')
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
  }).listen({ fd: host.listenTcp(one.namespace, one.addresses[4], 8001).fd })
  closers.push(() => server.close())
  const to = { service: { name: 'a', port: { number: 80 } } }
  const paths = (path: string) => ({
    rules: [{ host: 'h.example', http: { paths: [{ path, pathType: 'Prefix', backend: to }] } }],
  })
  await gateway.change([plumbClass, serviceOf('a'), sliceOf('a', 8001, one)])
  await gateway.change([
    ingressOf('public', 'h.example', {}, 'a', paths('/public')),
    ingressOf('admin', 'h.example', { 'whitelist-source-range': '192.0.2.1' }, 'a', paths('/admin')),
  ])
})
after(() => {
  for (const close of closers) close()
  return gateway.close()
})
beforeEach(() => {
  received = ''
})

/** What is answered to bytes after which nothing more is sent, until the gateway closes. */
function send(bytes: string | Buffer): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const socket: Socket = gateway.connect(80)
  let text = ''
  socket.setTimeout(10_000, () => socket.destroy())
  socket.on('data', (data: Buffer) => {
    text += data.toString('latin1')
  })
  socket.on('error', () => {})
  socket.on('close', () => resolve(text))
  socket.end(bytes)
  return promise
}

const statuses = (text: string): number[] => [...text.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map(([, one]) => Number(one))
const adminSeen = (): boolean => /(^|\n|ok)[A-Z]+ \S*\/admin/.test(received)
const request = (path: string, ...lines: string[]): string =>
  `GET ${path} HTTP/1.1\r\n${['Host: h.example', ...lines].join('\r\n')}\r\n\r\n`

test('the fence that all this is about holds, and beside it requests pass', async () => {
  assert.deepEqual(statuses(await send(request('/public/x'))), [200])
  assert.deepEqual(statuses(await send(request('/admin/x'))), [403])
})

test('paths that a pod may read otherwise than routes do are refused', async () => {
  const dots = ['..', '%2e%2e', '%2E.', '.%2e', '.', '%2e']
  const ends = ['/', '\\', '%2f', '%2F', '%5c', ';/', ';a=b/', '%3b/', '']
  for (const dot of dots)
    for (const end of ends) {
      const path = `/public/${dot}${end}admin`.replace(/(?<=\.\.|%2e|%2E|\.)admin$/, '')
      assert.deepEqual(statuses(await send(request(path))), [400], path)
    }
  for (const path of ['/public%2f../admin', '/public%5C..%5Cadmin', '/public\\..\\admin'])
    assert.deepEqual(statuses(await send(request(path))), [400], path)
  assert.equal(received, '', 'nothing of it came to the pod')
  for (const path of [
    '/public/a..b',
    '/public/...',
    '/public/.well-known',
    '/public/a%2fb',
    '/public/a;b=c',
    '/public/x..',
  ])
    assert.deepEqual(statuses(await send(request(path))), [200], path)
  assert.match(received, /GET \/public\/a%2fb /, 'an encoded slash stays one')
  for (const path of ['/%61dmin', '//admin', '/Admin', '/admin%20', '/adm%69n/'])
    assert.deepEqual(statuses(await send(request(path))), [404], path)
})

test('hosts: of two, of none, of another than the URI names, and such as cannot be', async () => {
  const get = (line: string, ...hosts: string[]): string =>
    `GET ${line} HTTP/1.1\r\n${hosts.map((one) => `Host: ${one}\r\n`).join('')}\r\n`
  const cases: [string, readonly number[]][] = [
    [get('/public', 'h.example', 'evil.example'), [400]],
    [get('/public'), [400, 404]],
    [get('http://h.example/public', 'h.example'), [200]],
    [get('http://evil.example/public', 'h.example'), [400, 404]],
    [get('http://h.example/admin', 'evil.example'), [400, 403]],
    [get('http://h.example@evil.example/public', 'h.example'), [400, 404]],
    [get('/public', 'H.EXAMPLE.:8080'), [200]],
    [get('/public', 'h.example/public'), [400, 404]],
    [get('/public', 'h.example|http'), [400, 404]],
    [get('/public', 'h.example,evil'), [400, 404]],
    [get('/public', 'h.example evil'), [400, 404]],
    [get('/public', 'user@h.example'), [400, 404]],
    [get('h.example/public', 'h.example'), [400, 404]],
    [get('*', 'h.example'), [400, 404]],
  ]
  for (const [bytes, allowed] of cases) {
    const [status = 0] = statuses(await send(bytes))
    assert.ok(allowed.includes(status), `${status} for ${JSON.stringify(bytes)}`)
  }
})

const smuggled = request('/admin/smuggled')

test('a body whose length may be read in two ways is read in one, or the request is refused', async () => {
  const post = (...lines: string[]): string =>
    `POST /public HTTP/1.1\r\n${['Host: h.example', ...lines].join('\r\n')}\r\n\r\n`
  const chunks = `0\r\n\r\n${smuggled}`
  const bodies: string[] = [
    post(`Content-Length: ${chunks.length}`, 'Transfer-Encoding: chunked') + chunks,
    post('Transfer-Encoding: chunked', `Content-Length: ${chunks.length}`) + chunks,
    `${post('Content-Length: 5', `Content-Length: ${5 + smuggled.length}`)}12345${smuggled}`,
    `${post(`Content-Length: 5, ${5 + smuggled.length}`)}12345${smuggled}`,
    ...['+5', '-5', '0x5', '5 5', '99999999999999999999', '', ' '].map(
      (n) => `${post(`Content-Length: ${n}`)}12345${smuggled}`,
    ),
    ...['xchunked', 'chunked, identity', 'identity', '"chunked"', 'chunked\x0b', 'chunked, chunked', ' \tchunkedx'].map(
      (coding) => `${post(`Transfer-Encoding: ${coding}`, 'Content-Length: 5')}12345${smuggled}`,
    ),
    ...[
      'Transfer-Encoding : chunked',
      ' Transfer-Encoding: chunked',
      'Transfer_Encoding: chunked',
      'X: y\r\n\tTransfer-Encoding: chunked',
      ': x',
      'X\0: y',
    ].map((line) => `${post(line, 'Content-Length: 5')}12345${smuggled}`),
    ...['-1', '0x0', 'g', '0;\n', 'ffffffffffffffffff', '0 ', '00000000000000000000000000000001'].map(
      (size) => `${post('Transfer-Encoding: chunked')}${size}\r\n\r\n${smuggled}`,
    ),
  ]
  for (const bytes of bodies) {
    received = ''
    const said = await send(bytes)
    assert.equal(adminSeen(), false, `${JSON.stringify(bytes)} came to the pod as ${JSON.stringify(received)}`)
    // Whatever follows is a request of its own, which the fence meets.
    for (const status of statuses(said).slice(1)) assert.ok(status >= 400, `${said} for ${JSON.stringify(bytes)}`)
  }
})

test('too much of a head is refused, and odd versions and methods are no way in', async () => {
  const many = Array.from({ length: 200 }, (_, at) => `x-${at}: y`)
  for (const bytes of [
    request('/public', `X: ${'a'.repeat(20_000)}`),
    request(`/public/${'a'.repeat(20_000)}`),
    request('/public', ...many),
    'GET /public\r\n\r\n',
    'GET /public http/1.1\r\nHost: h.example\r\n\r\n',
    'GE T /public HTTP/1.1\r\nHost: h.example\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01',
  ]) {
    const found = statuses(await send(bytes))
    assert.ok(
      found.every((status) => status >= 400),
      `${found} for ${JSON.stringify(bytes.slice(0, 60))}`,
    )
  }
  assert.equal(received, '')
})

/** A HEADERS frame of literals without indexing or Huffman code (RFC 7541, 6.2.2), and one of DATA. */
function http2(headers: readonly (readonly [string, string])[], data?: string): Buffer {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value, 'latin1')
    return Buffer.concat([Buffer.from([bytes.length]), bytes])
  }
  const block = Buffer.concat(headers.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]))
  const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
    const head = Buffer.alloc(9)
    head.writeUIntBE(payload.length, 0, 3)
    head.writeUInt8(type, 3)
    head.writeUInt8(flags, 4)
    head.writeUInt32BE(stream, 5)
    return Buffer.concat([head, payload])
  }
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  const end = data === undefined ? 0x05 : 0x04
  const body = data === undefined ? [] : [frame(0, 0x01, 1, Buffer.from(data))]
  return Buffer.concat([preface, frame(4, 0, 0, Buffer.alloc(0)), frame(1, end, 1, block), ...body])
}

test('what HTTP/2 can say and HTTP/1.1 cannot makes no second request of one', async () => {
  const head = (path: string, authority = 'h.example', method = 'GET'): (readonly [string, string])[] => [
    [':method', method],
    [':scheme', 'http'],
    [':authority', authority],
    [':path', path],
  ]
  const post = head('/public', 'h.example', 'POST')
  await send(http2(head('/public/plain')))
  assert.match(received, /^GET \/public\/plain HTTP\/1\.1\r\n/)
  const cases: Buffer[] = [
    http2(head('/public HTTP/1.1\r\nHost: h.example\r\n\r\nGET /admin')),
    http2(head('/public\r\nX: y')),
    http2([...head('/public'), ['x', `y\r\n\r\n${smuggled}`]]),
    http2([...head('/public'), ['x: y\r\nx', 'y']]),
    http2([...head('/public'), ['x', 'y\nTransfer-Encoding: chunked']]),
    http2([...post, ['transfer-encoding', 'chunked']], `0\r\n\r\n${smuggled}`),
    http2([...post, ['content-length', '0']], smuggled),
    http2([...post, ['content-length', '5'], ['content-length', '6']], '12345'),
    http2([...head('/public'), [':path', '/admin']]),
    http2([...head('/public'), ['X-Upper', 'y']]),
    http2([...head('/public'), ['connection', 'close']]),
    http2(head('/public', 'h.example\r\nx: y')),
    http2(head('/public/../admin')),
    http2(head('admin')),
    http2([...head('/public', 'h.example', 'GET /admin HTTP/1.1\r\nHost: h.example\r\n\r\nGET')]),
  ]
  for (const [at, bytes] of cases.entries()) {
    received = ''
    await send(bytes)
    assert.equal(adminSeen(), false, `case ${at} came to the pod as ${JSON.stringify(received)}`)
    assert.ok((received.match(/HTTP\/1\.1\r\n/g) ?? []).length <= 1, `case ${at}: ${JSON.stringify(received)}`)
  }
  received = ''
  await send(http2([...head('/public'), ['host', 'evil.example']]))
  assert.doesNotMatch(received, /evil/, 'the pod is told the host that was routed')
})
