import assert from 'node:assert/strict'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import dnsPacket from 'dns-packet'
import { parseAddress } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import { answerPacket, compileZone } from '../dns/index.ts'
import { HostError, openHost } from '../host/index.ts'
import type { KubeObject } from '../objects/index.ts'
import { openForwarder } from './dns-forward.ts'
import { type DnsServer, serveDns } from './dns-server.ts'

const endpoints = Array.from({ length: 300 }, (_, i) => ({ addresses: [`10.244.${i >> 8}.${i & 255}`] }))
const objects = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name: 'web' },
    spec: { clusterIP: '10.96.0.5', ports: [{ name: 'http', port: 80 }] },
  },
  { apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'shop', name: 'big' }, spec: { clusterIP: 'None' } },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name: 'out' },
    spec: { type: 'ExternalName', externalName: 'www.example.com' },
  },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'shop', name: 'big-1', labels: { 'kubernetes.io/service-name': 'big' } },
    addressType: 'IPv4',
    endpoints,
    ports: [],
  },
] as unknown as KubeObject[]

const host = openHost()
const loopback = parseAddress('127.0.0.1')
const zone = compileZone(snapshotOf(objects))
let server: DnsServer
let port: number
let upstream: UdpSocket
let forwarder: ReturnType<typeof openForwarder>
let upstreamMode: 'answer' | 'silent' | 'forged' = 'answer'

before(async () => {
  upstream = createSocket('udp4')
  upstream.on('message', (bytes, { port: clientPort, address }) => {
    const query = dnsPacket.decode(bytes)
    const id = (query.id ?? 0) ^ (upstreamMode === 'forged' ? 1 : 0)
    if (upstreamMode === 'silent') return
    const name = query.questions?.[0]?.name ?? ''
    const reply = dnsPacket.encode({
      type: 'response',
      id,
      questions: query.questions ?? [],
      answers: [{ type: 'A', name, ttl: 9, data: '192.0.2.53' }],
    })
    upstream.send(reply, clientPort, address)
  })
  upstream.bind(0, '127.0.0.1')
  await once(upstream, 'listening')
  forwarder = openForwarder({
    udpFd: host.bindUdp(host.own, loopback, 0).fd,
    servers: [{ address: '127.0.0.1', port: upstream.address().port }],
    timeoutMs: 200,
  })
  const sockets = bindBoth()
  port = sockets.port
  server = await serveDns({
    udpFd: sockets.udpFd,
    tcpFd: sockets.tcpFd,
    answer: (bytes, transport) => answerPacket(zone, bytes, transport, { upstream: true }),
    forward: (query) => forwarder.forward(query),
    idleMs: 300,
    maxConnections: 3,
  })
})

after(async () => {
  await server.close()
  forwarder.close()
  upstream.close()
})

/** One port of loopback for both transports; a free one for TCP may be taken for UDP, so several are tried. */
function bindBoth(tries = 20): { port: number; udpFd: number; tcpFd: number } {
  const tcp = host.listenTcp(host.own, loopback, 0)
  try {
    return { port: tcp.port, tcpFd: tcp.fd, udpFd: host.bindUdp(host.own, loopback, tcp.port).fd }
  } catch (error) {
    closeSync(tcp.fd)
    if (tries === 0 || !(error instanceof HostError) || error.code !== 'exists') throw error
    return bindBoth(tries - 1)
  }
}

function resolver(): Resolver {
  const made = new Resolver({ timeout: 2000, tries: 1 })
  made.setServers([`127.0.0.1:${port}`])
  return made
}

test('a real resolver gets addresses, services, names and refusals', async () => {
  const dns = resolver()
  assert.deepEqual(await dns.resolve4('web.shop.svc.cluster.local', { ttl: true }), [{ address: '10.96.0.5', ttl: 5 }])
  const services = await dns.resolveSrv('_http._tcp.web.shop.svc.cluster.local')
  assert.deepEqual(
    services.map(({ name, port, priority, weight }) => ({ name, port, priority, weight })),
    [{ name: 'web.shop.svc.cluster.local', port: 80, priority: 0, weight: 100 }],
  )
  assert.deepEqual(await dns.reverse('10.96.0.5'), ['web.shop.svc.cluster.local'])
  assert.equal((await dns.resolveSoa('cluster.local')).minttl, 5)
  await assert.rejects(dns.resolve4('none.shop.svc.cluster.local'), { code: 'ENOTFOUND' })
  await assert.rejects(dns.resolve6('web.shop.svc.cluster.local'), { code: 'ENODATA' })
})

test('an answer that is too large for UDP comes over TCP', async () => {
  assert.equal((await resolver().resolve4('big.shop.svc.cluster.local')).length, 300)
})

test('names outside come from the upstream; forged replies and silence do not count', async () => {
  upstreamMode = 'answer'
  assert.deepEqual(await resolver().resolve4('www.example.com'), ['192.0.2.53'])
  assert.deepEqual(await resolver().resolve4('out.shop.svc.cluster.local'), ['192.0.2.53'])
  for (const mode of ['silent', 'forged'] as const) {
    upstreamMode = mode
    await assert.rejects(resolver().resolve4('www.example.com'), { code: 'ESERVFAIL' })
  }
})

function framed(id: number, name: string): Buffer {
  return dnsPacket.streamEncode({ type: 'query', id, questions: [{ type: 'A', name }] })
}

test('TCP: many queries on one connection, in pieces of any size; answers after the client has ended', async () => {
  const socket = connect(port, '127.0.0.1')
  const bytes = Buffer.concat(Array.from({ length: 200 }, (_, id) => framed(id, 'web.shop.svc.cluster.local')))
  for (let at = 0; at < bytes.length; at += 37) socket.write(bytes.subarray(at, at + 37))
  socket.end()
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  let rest = Buffer.concat(chunks)
  const ids = new Set<number>()
  while (rest.length > 0) {
    const length = rest.readUInt16BE(0)
    ids.add(dnsPacket.decode(rest.subarray(2, 2 + length)).id ?? -1)
    rest = rest.subarray(2 + length)
  }
  assert.equal(ids.size, 200)
})

test('TCP: connections that say nothing, or nothing sensible, are closed; too many make room', async () => {
  const silent = connect(port, '127.0.0.1')
  const odd = connect(port, '127.0.0.1')
  odd.on('error', () => {})
  odd.write(Buffer.from([0, 3, 1, 2, 3]))
  silent.resume()
  odd.resume()
  await Promise.all([once(silent, 'close'), once(odd, 'close')])
  const many = Array.from({ length: 5 }, () =>
    connect(port, '127.0.0.1')
      .on('error', () => {})
      .resume(),
  )
  await Promise.all(many.map((socket) => once(socket, 'close')))
})

test('a flood of junk leaves it serving', async () => {
  const client = createSocket('udp4')
  for (let i = 0; i < 500; i++) client.send(Buffer.alloc(i % 64, i), port, '127.0.0.1')
  assert.deepEqual(await resolver().resolve4('web.shop.svc.cluster.local'), ['10.96.0.5'])
  client.close()
})
