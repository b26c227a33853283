import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, createServer, type Server as NetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Client, credentials, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js'
import { WebSocket, WebSocketServer } from 'ws'
import { host, type Station } from '../agent/rig.fixture.ts'
import type { KubeObject } from '../objects/index.ts'
import { gatewayClass, gatewayOf, routeOf, serviceOf, sliceOf, to } from './gateway-objects.fixture.ts'
import { GatewayRig, tlsSecret } from './rig.fixture.ts'

let gateway: GatewayRig
let directory: string
const servers: NetServer[] = []
const http = { name: 'http', port: 80, protocol: 'HTTP' }
const grpc = new Server()
const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value }
const method = (path: string, responseStream: boolean) => ({
  path,
  requestStream: false,
  responseStream,
  requestSerialize: bytes.serialize,
  requestDeserialize: bytes.deserialize,
  responseSerialize: bytes.serialize,
  responseDeserialize: bytes.deserialize,
})

function listen(server: NetServer, { namespace, addresses }: Station, port: number): void {
  server.listen({ fd: host.listenTcp(namespace, addresses[4], port).fd })
  servers.push(server)
}

before(async () => {
  gateway = new GatewayRig()
  directory = mkdtempSync(join(tmpdir(), 'plumb-protocols-'))
  const [one, two] = gateway.rig.backends
  gateway.serve(one, 8001)
  gateway.serve(two, 8001)
  grpc.addService(
    {
      Say: method('/test.Echo/Say', false),
      Count: method('/test.Echo/Count', true),
      Fail: method('/test.Echo/Fail', false),
    },
    {
      Say: (call: { request: Buffer }, done: (error: null, value: Buffer) => void) => done(null, call.request),
      Count: (call: { write(value: Buffer): void; end(): void }) => {
        for (const text of ['1', '2', '3']) call.write(Buffer.from(text))
        call.end()
      },
      Fail: (_: unknown, done: (error: object) => void) => done({ code: status.DATA_LOSS, details: 'as told' }),
    },
  )
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure())
  listen(
    createServer((socket) => injector.injectConnection(socket)),
    one,
    8002,
  )
  const sockets = createHttpServer()
  new WebSocketServer({ server: sockets }).on('connection', (socket) =>
    socket.on('message', (data) => socket.send(`pod ${data}`)),
  )
  listen(sockets, one, 8003)
  await gateway.change([
    gatewayClass,
    ...gatewayOf('gw', [http]),
    serviceOf('web'),
    sliceOf('web', 8001, one, two),
    serviceOf('grpc', 'kubernetes.io/h2c'),
    sliceOf('grpc', 8002, one),
    serviceOf('ws', 'kubernetes.io/ws'),
    sliceOf('ws', 8003, one),
  ])
})
after(async () => {
  grpc.forceShutdown()
  for (const server of servers) server.close()
  rmSync(directory, { recursive: true })
  await gateway.close()
})

test('gRPC: unary, streams, trailers and metadata; a method of nobody is unimplemented', async () => {
  const matches = [
    { method: { service: 'test.Echo', method: 'Count' } },
    { method: { service: 'test.Echo', method: 'Fail' } },
    { method: { service: 'test.Echo', method: 'Say' }, headers: [{ name: 'tier', value: 'gold' }] },
  ]
  await gateway.change([routeOf('GRPCRoute', 'grpc', [{ matches, backendRefs: [to('grpc')] }])])
  const relay = createServer((socket) => {
    const upstream = gateway.connect(20_080)
    for (const one of [socket, upstream]) one.on('error', () => {})
    socket.pipe(upstream).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(relay, 'listening')
  const client = new Client(`127.0.0.1:${(relay.address() as AddressInfo).port}`, credentials.createInsecure())
  const { serialize, deserialize } = bytes
  const say = (tier: string): Promise<string> =>
    new Promise((resolve) => {
      const metadata = new Metadata()
      metadata.set('tier', tier)
      client.makeUnaryRequest(
        '/test.Echo/Say',
        serialize,
        deserialize,
        Buffer.from('hello'),
        metadata,
        (error, value) => resolve(error === null ? String(value) : String(status[error.code])),
      )
    })
  assert.equal(await say('gold'), 'hello', gateway.log.lines.join())
  assert.equal(await say('tin'), 'UNIMPLEMENTED')
  const stream = client.makeServerStreamRequest('/test.Echo/Count', serialize, deserialize, Buffer.alloc(0))
  const got: string[] = []
  for await (const value of stream) got.push(String(value))
  assert.deepEqual(got, ['1', '2', '3'])
  const failed = await new Promise((resolve) =>
    client.makeUnaryRequest('/test.Echo/Fail', serialize, deserialize, Buffer.alloc(0), (error) => resolve(error)),
  )
  assert.deepEqual(
    [(failed as { code: number }).code, (failed as { details: string }).details],
    [status.DATA_LOSS, 'as told'],
  )
  client.close()
  relay.close()
})

test('a WebSocket goes through, with filters of its rule', async () => {
  const filters = [
    { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } } },
  ]
  const matches = [{ path: { type: 'PathPrefix', value: '/socket' } }]
  await gateway.change([routeOf('HTTPRoute', 'ws', [{ matches, filters, backendRefs: [to('ws')] }])])
  const socket = new WebSocket('ws://ws.example/socket/x', {
    createConnection: () => gateway.connect(20_080),
  } as object)
  await once(socket, 'open')
  socket.send('hello')
  assert.equal(String((await once(socket, 'message'))[0]), 'pod hello')
  socket.close()
})

/** A masked frame of text, as clients send it (RFC 6455, 5.2). */
function textFrame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])
}

test('WebSockets over HTTP/2 (RFC 8441): several on one connection', async () => {
  await gateway.change([routeOf('HTTPRoute', 'ws', [{ backendRefs: [to('ws')] }])])
  const session = connectHttp2('http://ws.example', { createConnection: () => gateway.connect(20_080) })
  try {
    const [settings] = await once(session, 'remoteSettings')
    assert.equal(settings.enableConnectProtocol, true)
    const request = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', 'sec-websocket-version': '13' }
    const said = ['one', 'two'].map(async (word) => {
      const stream = session.request(request, { endStream: false })
      const [headers] = await once(stream, 'response')
      assert.equal(headers[':status'], 200, gateway.log.lines.join('\n'))
      stream.write(textFrame(word))
      const [data] = (await once(stream, 'data')) as [Buffer]
      stream.close()
      return data.subarray(2).toString()
    })
    assert.deepEqual(await Promise.all(said), ['pod one', 'pod two'])
  } finally {
    session.destroy()
  }
})

test('a session keeps its pod by cookie, and gets another one when that is gone', async () => {
  const session = { sessionName: 'who', type: 'Cookie' }
  await gateway.change([routeOf('HTTPRoute', 'web', [{ backendRefs: [to('web')], sessionPersistence: session }])])
  const jar = join(directory, 'jar')
  const ask = async (): Promise<string> =>
    JSON.parse(await gateway.curl('-b', jar, '-c', jar, 'http://203.0.113.1:20080/')).from as string
  const first = await ask()
  for (let at = 0; at < 10; at++) assert.equal(await ask(), first)
  const [one, two] = gateway.rig.backends
  const other = first.startsWith('backend-1') ? two : one
  await gateway.change([sliceOf('web', 8001, other)])
  assert.equal(await ask(), `${other.name}:8001`)
  await gateway.change([sliceOf('web', 8001, one, two)])
})

test('a request is tried again when the pod answers with a code of the list', async () => {
  let asked = 0
  const [one] = gateway.rig.backends
  listen(
    createHttpServer((_, answer) => answer.writeHead(++asked < 3 ? 503 : 200).end(String(asked))),
    one,
    8004,
  )
  const retry = (codes: number[], attempts: number) => [{ backendRefs: [to('flaky')], retry: { codes, attempts } }]
  await gateway.change([serviceOf('flaky'), sliceOf('flaky', 8004, one), routeOf('HTTPRoute', 'web', retry([503], 3))])
  assert.equal(await gateway.curl('http://203.0.113.1:20080/'), '3')
  asked = 0
  await gateway.change([routeOf('HTTPRoute', 'web', retry([500], 3))])
  assert.equal(await gateway.curl('-w', ' %{http_code}', 'http://203.0.113.1:20080/'), '1 503')
})

test('client certificates: without a valid one no request is served, unless that is allowed', async () => {
  const [server, good, bad] = [
    tlsSecret('server', 's', 's.example'),
    tlsSecret('good', 'g', 'g.example'),
    tlsSecret('bad', 'b', 'b.example'),
  ]
  const pem = (secret: typeof good, name: string) => Buffer.from(secret.data[name]!, 'base64').toString()
  for (const secret of [good, bad])
    for (const name of ['tls.crt', 'tls.key'])
      writeFileSync(join(directory, `${secret.metadata.name}.${name}`), pem(secret, name))
  const authority = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'ca', namespace: 'ns' },
    data: { 'ca.crt': pem(good, 'tls.crt') },
  }
  const https = {
    name: 'https',
    port: 443,
    protocol: 'HTTPS',
    hostname: 's.example',
    tls: { certificateRefs: [{ name: 'server' }] },
  }
  const frontend = (mode: string) => ({
    default: { validation: { caCertificateRefs: [{ kind: 'ConfigMap', group: '', name: 'ca' }], mode } },
  })
  const set = (mode: string) => gateway.change([gatewayOf('mtls', [https], { tls: { frontend: frontend(mode) } })[0]!])
  await gateway.change([
    server,
    authority as KubeObject,
    ...gatewayOf('mtls', [https], { tls: { frontend: frontend('AllowValidOnly') } }),
    routeOf('HTTPRoute', 'mtls', [{ backendRefs: [to('web')] }], { parent: { name: 'mtls' } }),
  ])
  const ask = (...shown: readonly string[]) => {
    const words = shown.flatMap((name) => [
      '--cert',
      join(directory, `${name}.tls.crt`),
      '--key',
      join(directory, `${name}.tls.key`),
    ])
    return gateway.curl(
      '-k',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '--connect-to',
      '::203.0.113.1:20443',
      ...words,
      'https://s.example/',
    )
  }
  assert.equal(await ask('good'), '200', gateway.log.lines.join())
  assert.equal(await ask(), '000')
  assert.equal(await ask('bad'), '000')
  await gateway.change([
    ...gatewayOf('open', [{ ...https, port: 8443 }]),
    routeOf('HTTPRoute', 'open', [{ backendRefs: [to('web')] }], { parent: { name: 'open' } }),
  ])
  for (const version of ['tls1_2', 'tls1_3']) {
    const session = join(directory, version)
    const resume = (port: number, way: string) =>
      gateway.run(
        'sh',
        '-c',
        `printf 'GET / HTTP/1.0\\r\\nHost: s.example\\r\\n\\r\\n' |
         timeout 10 openssl s_client -connect 203.0.113.1:${port} -servername s.example -${version} -ign_eof ${way} ${session}`,
      )
    assert.match(await resume(28_443, '-sess_out'), /HTTP\/1.\d 200/, version)
    assert.doesNotMatch(
      await resume(20_443, '-sess_in'),
      /HTTP\/1.\d 200/,
      `${version}: let in by the session of another port`,
    )
  }
  await set('AllowInsecureFallback')
  assert.deepEqual([await ask('good'), await ask(), await ask('bad')], ['200', '200', '200'])
})

test('a request that says its length in two ways is one request to the pod', async () => {
  await gateway.change([routeOf('HTTPRoute', 'web', [{ backendRefs: [to('web')] }])])
  const send = async (text: string): Promise<string> => {
    const socket = gateway.connect(20_080)
    socket.write(text)
    let said = ''
    socket.on('data', (data: Buffer) => {
      said += data.toString()
    })
    await once(socket, 'close')
    return said
  }
  const head = 'POST / HTTP/1.1\r\nHost: s.example\r\nConnection: close\r\n'
  const smuggled = 'GET /admin HTTP/1.1\r\nHost: s.example\r\n\r\n'
  const both = await send(
    `${head}Content-Length: ${5 + smuggled.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  )
  assert.equal(both.match(/HTTP\/1.1 /g)?.length, 1, both)
  assert.doesNotMatch(both, /admin|content-length":/)
  assert.match(await send(`${head}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`), /^HTTP\/1.1 400/)
  assert.match(await send(`${head}Transfer-Encoding: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1.1 4\d\d/)
})
