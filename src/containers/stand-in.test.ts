import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { parseAddress } from '../addr/index.ts'
import { createAuthority, issueCertificate } from '../apiserver/index.ts'
import { type Host, HostError, type Namespace, openHost } from '../host/index.ts'
import { checkHealth, runProbe } from '../kubelet/index.ts'
import type { Container, Probe } from '../objects/index.ts'
import { StandIn } from './stand-in.ts'
import { setCertificateSource } from './stand-in-tls.ts'

const loopback = parseAddress('127.0.0.1')
const identity = {
  pod: 'web-1',
  namespace: 'shop',
  node: 'node-1',
  container: 'c',
  image: 'nginx',
  addresses: ['127.0.0.1'],
}
const port = 8080
let host: Host
let namespace: Namespace
let standIn: StandIn

before(async () => {
  host = openHost()
  namespace = host.createNamespace()
  const ports = [{ protocol: 'TCP', port } as const, { protocol: 'UDP', port: 53 } as const]
  standIn = await StandIn.start(host, namespace, identity, ports)
  setCertificateSource(async () => {
    const authority = await createAuthority('test')
    return issueCertificate(authority, { commonName: 'stand-in', usages: ['server'], dnsNames: ['stand-in'] })
  })
})

after(async () => {
  standIn.stop(0)
  await standIn.exited
  namespace.close()
})

function dial(): Socket {
  return new Socket({ fd: host.connectTcp(namespace, loopback, port).fd })
}

/** What the stand-in answers until it closes, or until `until` is seen. */
function talk(socket: NodeJS.ReadWriteStream, send: string | Buffer, until: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (until.test(text)) resolve(text)
    })
    socket.on('error', reject)
    socket.on('end', () => resolve(text))
    if (send.length > 0) socket.write(send)
  })
}

test('HTTP/1.1 says who answers and what it saw, as text or as JSON', async () => {
  const text = dial()
  const plain = await talk(text, 'GET /a?b HTTP/1.1\r\nhost: web\r\n\r\n', /user-agent|host: web\n {2}host/)
  assert.match(plain, /pod: web-1\n[\s\S]*path: \/a\?b\n/)
  text.destroy()
  const json = dial()
  const ask =
    'POST / HTTP/1.1\r\nhost: web\r\naccept: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi'
  const body = JSON.parse((await talk(json, ask, /\}\n/)).split('\r\n').find((line) => line.startsWith('{')) ?? '')
  assert.equal(body.namespace, 'shop')
  assert.equal(body.client, '127.0.0.1')
  assert.equal(body.request.method, 'POST')
  json.destroy()
})

test('a client may ask for a failure', async () => {
  const socket = dial()
  assert.match(await talk(socket, 'GET /status/503 HTTP/1.1\r\nhost: web\r\n\r\n', /\r\n\r\n/), /^HTTP\/1\.1 503 /)
  socket.destroy()
})

test('HTTP/2 with prior knowledge, plain and gRPC, on the same port', async () => {
  const session = connectHttp2('http://web', { createConnection: dial })
  const read = (headers: Record<string, string>, body: Buffer, staysOpen = false) =>
    new Promise<{ head: Record<string, unknown>; trailers: Record<string, unknown>; bytes: Buffer }>(
      (resolve, reject) => {
        const stream = session.request({ ':path': '/x', ...headers }, { endStream: body.length === 0 })
        const chunks: Buffer[] = []
        let head: Record<string, unknown> = {}
        let trailers: Record<string, unknown> = {}
        stream.on('response', (seen) => {
          head = seen
        })
        stream.on('trailers', (seen) => {
          trailers = seen
        })
        stream.on('data', (chunk: Buffer) => chunks.push(chunk))
        stream.on('end', () => resolve({ head, trailers, bytes: Buffer.concat(chunks) }))
        stream.on('error', reject)
        if (staysOpen) stream.write(body)
        else if (body.length > 0) stream.end(body)
      },
    )
  const plain = await read({ ':method': 'GET' }, Buffer.alloc(0))
  assert.match(plain.bytes.toString(), /protocol: HTTP\/2\n/)
  const grpc = { ':method': 'POST', 'content-type': 'application/grpc' }
  const message = Buffer.from([0, 0, 0, 0, 0])
  const unary = await read({ ...grpc, ':path': '/shop.Cart/Get' }, message)
  assert.equal(unary.trailers['grpc-status'], '0')
  assert.equal(unary.head['x-pod'], 'web-1')
  assert.deepEqual(unary.bytes, message)
  const reflection = await read(
    { ...grpc, ':path': '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo' },
    message,
    true,
  )
  assert.equal(reflection.trailers['grpc-status'], '12')
  session.destroy()
  assert.equal(await checkHealth(dial(), 'web', ''), 'SERVING')
})

test('TLS on the same port, with ALPN', async () => {
  const socket = connectTls({
    socket: dial(),
    rejectUnauthorized: false,
    servername: 'stand-in',
    ALPNProtocols: ['http/1.1'],
  })
  assert.match(await talk(socket, 'GET / HTTP/1.1\r\nhost: web\r\n\r\n', /tls: true/), /^HTTP\/1\.1 200 /)
  assert.equal(socket.alpnProtocol, 'http/1.1')
  socket.destroy()
})

test('HTTP/2 inside TLS, also for a client that takes its time', async () => {
  const tls = connectTls({ socket: dial(), rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  await once(tls, 'secureConnect')
  // Longer than a silent client waits for a server that speaks first.
  await delay(400)
  const session = connectHttp2('https://stand-in', { createConnection: () => tls })
  const stream = session.request({ ':path': '/hello' })
  const [head] = (await once(stream, 'response')) as [{ ':status': number; 'x-pod': string }]
  assert.deepEqual([head[':status'], head['x-pod']], [200, 'web-1'])
  assert.match(await talk(stream, '', /tls: true/), /protocol: HTTP\/2\n/)
  session.destroy()
})

const line = /^pod shop\/web-1 node node-1 container c image nginx address 127\.0\.0\.1:8080 client 127\.0\.0\.1:\d+\n$/

test('other protocols, silent clients and Redis', async () => {
  const other = dial()
  assert.match(await talk(other, Buffer.from([0, 1, 2, 3]), /\n/), line)
  other.destroy()
  const silent = dial()
  assert.match(await talk(silent, '', /\n/), line)
  silent.destroy()
  const redis = dial()
  assert.equal(await talk(redis, '*1\r\n$4\r\nPING\r\nECHO hi\r\n', /hi\r\n/), '+PONG\r\n$2\r\nhi\r\n')
  redis.destroy()
})

test('UDP answers the sender', async () => {
  const socket = createSocket('udp4')
  const { fd } = host.bindUdp(namespace, loopback, 0)
  const answer = await new Promise<string>((resolve) => {
    socket.once('message', (message) => resolve(message.toString()))
    socket.bind({ fd }, () => socket.send('?', 53, '127.0.0.1'))
  })
  assert.match(answer, /^pod shop\/web-1 .* address 127\.0\.0\.1:53 client 127\.0\.0\.1:\d+\n$/)
  socket.close()
})

test('a taken port is an error that names it, and leaves nothing open', async () => {
  const ports = [{ protocol: 'TCP', port: 81 } as const, { protocol: 'TCP', port } as const]
  await assert.rejects(StandIn.start(host, namespace, identity, ports), (error) => {
    assert(error instanceof HostError)
    assert.equal(error.errno, 'EADDRINUSE')
    return true
  })
  const again = await StandIn.start(host, namespace, identity, [ports[0]!])
  again.stop(0)
  assert.deepEqual(await again.exited, { exitCode: 0 })
})

const container: Container = { name: 'c', ports: [{ name: 'http', containerPort: port }] }
const probes: readonly (readonly [string, Probe, RegExp | undefined])[] = [
  ['httpGet', { httpGet: { port: 'http', path: '/health' } }, undefined],
  ['httpGet over TLS', { httpGet: { port: 'http', scheme: 'HTTPS' } }, undefined],
  ['httpGet with a bad status', { httpGet: { port, path: '/status/500' } }, /^HTTP probe failed with statuscode: 500$/],
  [
    'httpGet on a closed port',
    { httpGet: { port: 1 } },
    /^Get "http:\/\/127\.0\.0\.1:1\/": dial tcp 127\.0\.0\.1:1: connect: connection refused$/,
  ],
  ['tcpSocket', { tcpSocket: { port } }, undefined],
  ['tcpSocket on a closed port', { tcpSocket: { port: 1 } }, /^dial tcp 127\.0\.0\.1:1: connect: connection refused$/],
  ['grpc', { grpc: { port } }, undefined],
  ['a port that nobody names', { tcpSocket: { port: 'none' } }, /couldn't find port "none" in container c/],
  ['exec', { exec: { command: ['true'] } }, /^no$/],
]

for (const [name, probe, failure] of probes) {
  test(`probe: ${name}`, async () => {
    const door = {
      podAddress: loopback,
      connect: (address: typeof loopback, to: number) => new Socket({ fd: host.connectTcp(namespace, address, to).fd }),
      exec: async () => ({ exitCode: 1, output: 'no' }),
    }
    const answer = await runProbe(probe, container, door, 2000)
    if (failure === undefined) assert.deepEqual(answer, { ok: true })
    else assert.match(answer.ok ? 'ok' : answer.message, failure)
  })
}
