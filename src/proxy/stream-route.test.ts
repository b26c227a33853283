import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:net'
import { after, before, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { host, type Station } from '../agent/rig.fixture.ts'
import { gatewayClass, gatewayOf, routeOf, serviceOf, sliceOf, to } from './gateway-objects.fixture.ts'
import { GatewayRig, tlsSecret } from './rig.fixture.ts'

let gateway: GatewayRig
const servers: Server[] = []
const certificateOf = (name: string) => ({ certificateRefs: [{ name }] })
const listeners = [
  { name: 'tcp', port: 90, protocol: 'TCP' },
  { name: 'pass', port: 443, protocol: 'TLS', hostname: '*.pass.example', tls: { mode: 'Passthrough' } },
  {
    name: 'bytes',
    port: 443,
    protocol: 'TLS',
    hostname: 'bytes.example',
    tls: { mode: 'Terminate', ...certificateOf('bytes') },
  },
  { name: 'web', port: 443, protocol: 'HTTPS', hostname: 'web.example', tls: certificateOf('web') },
]

/** Greets each connection with the station's name and whom it is from, without waiting for anything. */
function greet(station: Station, port: number): void {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.end(`${station.name}:${port}\n`)
  })
  server.listen({ fd: host.listenTcp(station.namespace, station.addresses[4], port).fd })
  servers.push(server)
}

before(async () => {
  gateway = new GatewayRig()
  const [one, two] = gateway.rig.backends
  greet(one, 8001)
  greet(two, 8001)
  gateway.serve(one, 8002)
  const secret = tlsSecret('inner', 'inner', 'a.pass.example')
  const [key, cert] = ['tls.key', 'tls.crt'].map((name) => Buffer.from(secret.data[name]!, 'base64'))
  const inner = createTlsServer({ key: key!, cert: cert! }, (socket) => socket.end(`inner ${socket.servername}\n`))
  inner.on('tlsClientError', () => {})
  inner.listen({ fd: host.listenTcp(one.namespace, one.addresses[4], 8003).fd })
  servers.push(inner)
  const ports = { bytes: 8001, web: 8002, inner: 8003 }
  await gateway.change([
    gatewayClass,
    ...gatewayOf('gw', listeners),
    ...Object.entries(ports).flatMap(([name, port]) => [serviceOf(name), sliceOf(name, port, one)]),
    serviceOf('other'),
    sliceOf('other', 8001, two),
    tlsSecret('bytes', 'bytes', 'bytes.example'),
    tlsSecret('web', 'web', 'web.example'),
  ])
})
after(async () => {
  for (const server of servers) server.close()
  await gateway.close()
})

/** What the real openssl gets from port 443 for a name. */
function shake(name: string | undefined): Promise<string> {
  const sni = name === undefined ? ['-noservername'] : ['-servername', name]
  return gateway.run('openssl', 's_client', '-connect', '203.0.113.1:20443', ...sni, '-ign_eof')
}

const trouble = (): string => JSON.stringify(gateway.module.findings)

test('TCP goes by its port, shared by weights; without a route it is closed', async () => {
  const ask = () => gateway.run('curl', '-s', '-m', '5', '--http0.9', 'telnet://203.0.113.1:20090')
  assert.equal(await ask(), '', trouble())
  await gateway.change([
    routeOf('TCPRoute', 'tcp', [{ backendRefs: [to('bytes')] }], { parent: { sectionName: 'tcp' } }),
  ])
  assert.equal(await ask(), 'backend-1:8001\n', trouble())
  const both = [{ backendRefs: [to('bytes', { weight: 1 }), to('other', { weight: 1 }), to('web', { weight: 0 })] }]
  await gateway.change([routeOf('TCPRoute', 'tcp', both, { parent: { sectionName: 'tcp' } })])
  const from = new Set<string>()
  for (let at = 0; at < 60 && from.size < 2; at++) from.add(await ask())
  assert.deepEqual([...from].sort(), ['backend-1:8001\n', 'backend-2:8001\n'])
})

test('on one port TLS passes through, or ends and becomes bytes or requests, each by its name', async () => {
  await gateway.change([
    routeOf('TLSRoute', 'pass', [{ backendRefs: [to('inner')] }], { hostnames: ['a.pass.example'] }),
    routeOf('TLSRoute', 'bytes', [{ backendRefs: [to('bytes')] }], { hostnames: ['bytes.example'] }),
    routeOf('HTTPRoute', 'web', [{ backendRefs: [to('web')] }]),
  ])
  assert.match(await shake('a.pass.example'), /subject=CN = inner[\s\S]*inner a.pass.example/, trouble())
  assert.match(await shake('bytes.example'), /subject=CN = bytes[\s\S]*backend-1:8001/)
  const web = await gateway.curl('-kv', '--stderr', '-', '--connect-to', '::203.0.113.1:20443', 'https://web.example/')
  assert.match(web, /subject: CN=web[\s\S]*HTTP\/2 200[\s\S]*backend-1:8002/)
  const { headers } = JSON.parse(/^\{"from.*?\}\}/m.exec(web)?.[0] ?? '') as { headers: Record<string, string> }
  assert.equal(headers['x-forwarded-for'], '203.0.113.2', 'the client’s address survives the inner socket')
  assert.equal(headers['x-forwarded-port'], '443')
})

test('a name of nobody, none at all, a name without a route or with one to nowhere come to nothing', async () => {
  await gateway.change([
    routeOf('TLSRoute', 'gone', [{ backendRefs: [to('gone')] }], { hostnames: ['gone.pass.example'] }),
  ])
  for (const name of ['b.pass.example', 'gone.pass.example', 'no.example', undefined]) {
    const said = await shake(name)
    assert.doesNotMatch(said, /subject=|inner|backend/, name ?? 'no name')
    assert.match(said, /read 0 bytes/, name ?? 'no name')
  }
})

test('a ClientHello in many pieces is read whole', async () => {
  const pieces = await gateway.run(
    'openssl',
    's_client',
    '-connect',
    '203.0.113.1:20443',
    '-servername',
    'a.pass.example',
    '-ign_eof',
    '-maxfraglen',
    '512',
    '-alpn',
    Array.from({ length: 200 }, (_, at) => `protocol-${at}`).join(','),
  )
  assert.match(pieces, /inner a.pass.example/)
})
