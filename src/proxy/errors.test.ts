import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { host, type Station } from '../agent/rig.fixture.ts'
import { parseStat } from '../haproxy/index.ts'
import type { HttpFlow } from './flows.ts'
import { gatewayClass, gatewayOf, routeOf, serviceOf, sliceOf, to } from './gateway-objects.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'
import { askHaproxy } from './socket.ts'

let gateway: GatewayRig
const servers: Server[] = []
const http = { name: 'http', port: 80, protocol: 'HTTP' }

/** A server that does something else than to answer. */
function misbehave(station: Station, port: number, act: (socket: Socket) => void): void {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => act(socket))
  })
  server.listen({ fd: host.listenTcp(station.namespace, station.addresses[4], port).fd })
  servers.push(server)
}

before(async () => {
  gateway = new GatewayRig()
  const [one] = gateway.rig.backends
  gateway.serve(one, 8001)
  misbehave(one, 8002, (socket) => socket.end())
  misbehave(one, 8003, () => {})
  misbehave(one, 8004, (socket) => socket.end('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'))
  misbehave(one, 8005, (socket) => socket.end('what?\r\n\r\n'))
  const ports = { good: 8001, closing: 8002, slow: 8003, busy: 8004, junk: 8005, refusing: 8999 }
  const path = (name: string) => [{ path: { type: 'PathPrefix', value: `/${name}` } }]
  const services = Object.entries(ports).flatMap(([name, port]) => [serviceOf(name), sliceOf(name, port, one)])
  const rules = [...Object.keys(ports), 'gone', 'empty'].map((name) => ({
    matches: path(name),
    backendRefs: [to(name)],
    ...(name === 'slow' && { timeouts: { request: '300ms' } }),
  }))
  await gateway.change([gatewayClass, ...gatewayOf('gw', [http]), ...services, serviceOf('empty'), sliceOf('empty', 1)])
  await gateway.change([routeOf('HTTPRoute', 'errors', rules)])
})
after(async () => {
  for (const server of servers) server.close()
  await gateway.close()
})

/** The flow of the request with this id, when the gateway has told it. */
async function flowOf(id: string): Promise<HttpFlow> {
  for (;;) {
    const found = gateway.module.flows({}).flows.find((one) => one.id === id)
    if (found !== undefined) return found
    await setImmediate()
  }
}

test('each error says who made it, in the answer and in the log', { timeout: 60_000 }, async () => {
  const cases: [path: string, status: number, error: string, state: string][] = [
    ['gone', 500, 'proxy_configuration_error', 'LR'],
    ['empty', 503, 'destination_unavailable', 'SC'],
    ['refusing', 503, 'destination_unavailable', 'SC'],
    ['closing', 502, 'connection_terminated', 'SH'],
    ['junk', 502, 'connection_terminated', 'PH'],
    ['slow', 504, 'http_response_timeout', 'sH'],
    ['none', 404, 'destination_not_found', 'LR'],
  ]
  for (const [path, status, error, state] of cases) {
    const said = await gateway.curl('-i', '-H', `x-request-id: id-${path}`, `http://203.0.113.1:20080/${path}`)
    assert.match(said, new RegExp(`^HTTP/1.1 ${status} `), path)
    assert.match(said, new RegExp(`proxy-status: plumb; error=${error}`, 'i'), path)
    assert.match(said, new RegExp(`x-request-id: id-${path}`, 'i'), path)
    const flow = await flowOf(`id-${path}`)
    assert.deepEqual([flow.status, flow.state, flow.path, flow.method], [status, state, `/${path}`, 'GET'])
    assert.notEqual(flow.by, 'nobody', path)
    if (path !== 'none') assert.match(flow.route, /^httproute\/ns\/errors\/\d$/, path)
  }
})

test('an error of the pod is its own', async () => {
  const said = await gateway.curl('-i', '-H', 'x-request-id: own', 'http://203.0.113.1:20080/busy')
  assert.match(said, /^HTTP\/1.1 503 Busy/)
  assert.doesNotMatch(said, /proxy-status/i)
  const flow = await flowOf('own')
  assert.deepEqual([flow.status, flow.by, flow.server], [503, 'nobody', '10.244.2.2:8004'])
})

test('a request is told with its route, pod and times, whatever is in it, and after a reload too', async () => {
  const odd = '/good/"quoted"\\%7Bx%7D'
  await gateway.curl(
    '--path-as-is',
    '-H',
    'x-request-id: odd',
    '-H',
    'host: Odd.Example',
    `http://203.0.113.1:20080${odd}`,
  )
  const flow = await flowOf('odd')
  assert.equal(flow.path, odd)
  assert.deepEqual(
    [flow.host, flow.backend, flow.server, flow.pod, flow.client, flow.entrance],
    ['odd.example', 'ns:good:80', '10.244.2.2:8001', 'ns/good-0', '203.0.113.2', 'ns:gw:80'],
  )
  assert.ok(flow.totalMs >= 0 && flow.connectMs >= 0 && flow.firstByteMs >= 0 && flow.time > 1.6e12)
  const { reloads } = gateway.module
  await gateway.change([
    serviceOf('new'),
    routeOf('HTTPRoute', 'more', [{ backendRefs: [to('new')], sessionPersistence: { sessionName: 's' } }]),
  ])
  assert.equal(gateway.module.reloads, reloads + 1)
  await gateway.curl('-H', 'x-request-id: later', 'http://203.0.113.1:20080/good')
  const { next, flows } = gateway.module.flows({ after: flow.sequence })
  assert.ok(next >= flow.sequence && flows.every(({ sequence }) => sequence > flow.sequence))
  await flowOf('later')
  assert.deepEqual(gateway.module.flows({ namespace: 'other' }).flows, [])
})

test('what a client gives itself out for is told as it is, and an id is one', { timeout: 60_000 }, async () => {
  const url = 'http://203.0.113.1:20080/good'
  const ask = async (...headers: string[]): Promise<Record<string, string | string[]>> => {
    const said = await gateway.curl(...headers.flatMap((header) => ['-H', header]), url)
    return JSON.parse(said).headers
  }
  assert.equal((await ask('x-request-id: first', 'x-request-id: second'))['x-request-id'], 'second')
  await flowOf('second')
  const made = new Set<string>()
  for (const given of [[], ['x-request-id: a b'], [`x-request-id: ${'a'.repeat(129)}`], ['x-request-id;']]) {
    const id = (await ask(...given))['x-request-id'] as string
    assert.match(id, /^[0-9A-F]{16}-\d+$/)
    assert.equal((await flowOf(id)).status, 200)
    made.add(id)
  }
  assert.equal(made.size, 4)
  const longest = 'a'.repeat(128)
  assert.equal((await ask(`x-request-id: ${longest}`))['x-request-id'], longest)
  const forwarded = await ask(
    'x-forwarded-for: 1.2.3.4',
    'x-forwarded-for: 5.6.7.8',
    'forwarded: for=1.2.3.4',
    'host: A.example:80',
  )
  const {
    'x-forwarded-for': source,
    'x-forwarded-host': host,
    'x-forwarded-proto': scheme,
    'x-forwarded-port': port,
  } = forwarded
  assert.deepEqual(
    [source, host, scheme, port, forwarded.forwarded],
    ['203.0.113.2', 'A.example:80', 'http', '80', undefined],
  )
  const odd = await gateway.curl('-i', '-H', 'x-request-id: strange', '-H', 'host: a|b {"c}', url)
  assert.match(odd, /^HTTP\/1.1 400 [\s\S]*x-request-id: strange/)
  assert.equal((await flowOf('strange')).host, 'a|b {"c}')
  const long = await gateway.curl('-i', '-H', 'x-request-id: long', '-H', `host: ${'a'.repeat(262)}`, url)
  assert.match(long, /^HTTP\/1.1 400 /)
})

test('while nobody reads the log the gateway serves at no cost of its own, and tells again when somebody does', async () => {
  const runtime = join(gateway.directory, 'runtime.sock')
  const socket = join(gateway.directory, 'flows.sock')
  const tries = async () => {
    const rows = parseStat(await askHaproxy(runtime, 'show stat'))
    return Number(rows.find(({ pxname, svname }) => pxname === 'flows' && svname === 'FRONTEND')?.stot)
  }
  renameSync(socket, `${socket}.away`)
  await askHaproxy(runtime, 'shutdown sessions server flows/agent')
  const before = await tries()
  await setTimeout(3000)
  const made = (await tries()) - before
  assert.ok(made > 0 && made < 12, `${made} connections were tried in three seconds`)
  const url = 'http://203.0.113.1:20080/good'
  assert.match(await gateway.curl('-i', url), /^HTTP\/1.1 200 /)

  renameSync(`${socket}.away`, socket)
  for (let at = 0; !gateway.module.flows({}).flows.some(({ id }) => id.startsWith('heard-')); at += 1) {
    await gateway.curl('-H', `x-request-id: heard-${at}`, url)
    await setTimeout(50)
  }
})

test('a path of 8 KB and 90 headers go through whole, by HTTP/1.1 and HTTP/2', { timeout: 60_000 }, async () => {
  const path = `/good/${'a'.repeat(8000)}`
  const headers = Array.from({ length: 90 }, (_, at) => ['-H', `x-${at}: ${at}`]).flat()
  for (const version of ['--http1.1', '--http2-prior-knowledge']) {
    const id = `big${version}`
    const said = await gateway.curl(version, '-H', `x-request-id: ${id}`, ...headers, `http://203.0.113.1:20080${path}`)
    const got = JSON.parse(said) as { path: string; headers: Record<string, string> }
    assert.equal(got.path, path)
    for (let at = 0; at < 90; at++) assert.equal(got.headers[`x-${at}`], String(at))
    // Of the request line the log tells the beginning.
    const told = (await flowOf(id)).path
    assert.ok(told.length > 900 && path.startsWith(told), told)
  }
})
