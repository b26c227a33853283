import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import type { EndpointSlice } from '../objects/index.ts'
import { gatewayClass, gatewayOf, routeOf, serviceOf, sliceOf, to } from './gateway-objects.fixture.ts'
import { exchange, RawClients } from './raw-clients.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'

const edits = Number(process.env.PLUMB_EDITS ?? 60)
const port = 20_080
const drainMs = 1000
/** New backends that need no reload. */
const spares = 100

let gateway: GatewayRig
/** Answers of pods to /held, which wait to be sent. */
const held: ServerResponse[] = []

before(async () => {
  gateway = new GatewayRig(drainMs)
  for (const station of gateway.rig.backends)
    for (const at of [8001, 8002]) {
      const server = gateway.serve(station, at)
      const [answer] = server.listeners('request') as ((...of: unknown[]) => void)[]
      server.removeAllListeners('request')
      server.on('request', (asked, reply: ServerResponse) => {
        if (asked.url !== '/held') answer!(asked, reply)
        else held.push(reply)
      })
    }
  const [one, two] = gateway.rig.backends
  const objects = [...gatewayOf('gw', [{ name: 'http', port: 80, protocol: 'HTTP' }]), serviceOf('a'), serviceOf('b')]
  await gateway.change([gatewayClass, ...objects, sliceOf('a', 8001, one, two), sliceOf('b', 8002, one, two)])
  // Backends that are there without the edited route, whose edits need no reload then.
  await gateway.change([
    route('web', 'web.example', { backendRefs: [to('a')] }),
    route('kept', 'kept.example', { backendRefs: [to('a'), to('b')] }),
  ])
})
after(() => gateway.close())

const everything = { path: { type: 'PathPrefix', value: '/' } }
const route = (name: string, hostname: string, ...rules: object[]) =>
  routeOf(
    'HTTPRoute',
    name,
    rules.map((rule) => ({ matches: [everything], ...rule })),
    { hostnames: [hostname] },
  )

/** A new backend with a session, which HAProxy takes by a reload only. */
const reload = (name: string) => {
  const rule = { backendRefs: [to(name)], sessionPersistence: { sessionName: name } }
  return gateway.change([serviceOf(name), route(name, `${name}.example`, rule)])
}

/** The same route by ever other ways: maps, conditions, weights, filters, expressions. */
const shapes: readonly ((at: number) => object[])[] = [
  () => [{ backendRefs: [to('a')] }],
  (at) => [
    {
      filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'x', value: `${at}` }] } }],
      backendRefs: [to('a')],
    },
  ],
  (at) => [{ backendRefs: [to('a', { weight: 1 + (at % 3) }), to('b', { weight: 2 })] }],
  (at) => [
    { matches: [{ ...everything, headers: [{ name: 'x', value: `${at}` }] }], backendRefs: [to('a')] },
    { backendRefs: [to('b')] },
  ],
  (at) => [
    { matches: [{ path: { type: 'RegularExpression', value: `/(${at})?` } }], backendRefs: [to('b')] },
    { matches: [{ path: { type: 'Exact', value: '/' } }], backendRefs: [to('a')] },
  ],
]

test('edits of a route, pods that move and reloads fail no request of clients that try nothing again', {
  timeout: 900_000,
}, async (t) => {
  const [one, two] = gateway.rig.backends
  const clients = new RawClients(gateway, port, 'web.example')
  clients.start('busy', 'busy', 'idle', 'idle', 'idle', 'idle', 'close', 'close', 'h2', 'h2')
  const { reloads } = gateway.module
  for (let at = 0; at < edits; at++) {
    const pods = at % 3 === 0 ? [one] : at % 3 === 1 ? [two] : [one, two]
    const shape = shapes[at % shapes.length]!(at)
    const edited = [route('web', 'web.example', ...shape), route('other', `n${at}.example`, ...shape)]
    await gateway.change([...edited, sliceOf(at % 2 === 0 ? 'a' : 'b', at % 2 === 0 ? 8001 : 8002, ...pods)])
    if (at % (edits / 10) === 0) await reload(`s${at}`)
  }
  await clients.stop()
  t.diagnostic(`${clients.requests} requests during ${edits} edits and ${gateway.module.reloads - reloads} reloads`)
  assert.equal(gateway.module.reloads - reloads, 10, gateway.log.lines.join('\n'))
  assert.deepEqual([...clients.failures], [], gateway.log.lines.join('\n'))
})

test('new Services need no reload as long as there are spares, and nobody sees one', async () => {
  const [one, two] = gateway.rig.backends
  const { reloads, log } = { reloads: gateway.module.reloads, log: gateway.log.lines }
  const ask = async (name: string): Promise<string> => {
    const { status, from } = await gateway.ask(`${name}.example`, '/', undefined, port)
    return status === 200 ? from : String(status)
  }
  const flowsOf = (name: string) => gateway.module.flows({}).flows.filter(({ host }) => host === `${name}.example`)
  const fresh = (name: string) => [
    serviceOf(name),
    sliceOf(name, 8001, one),
    route(name, `${name}.example`, { backendRefs: [to(name)] }),
  ]
  await gateway.change(fresh('n0'))
  assert.equal(await ask('n0'), 'backend-1:8001', log.join('\n'))
  await gateway.change([sliceOf('n0', 8001, two)])
  assert.equal(await ask('n0'), 'backend-2:8001')
  while (flowsOf('n0').length < 2) await new Promise(setImmediate)
  assert.deepEqual(
    flowsOf('n0').map(({ backend, route, server }) => [backend, route, server]),
    [one, two].map(({ addresses }) => ['ns:n0:80', 'httproute/ns/n0/0', `${addresses[4]}:8001`]),
  )
  const asked = { backend: 'ns:n0:80', address: two.addresses[4], port: 8001 }
  assert.deepEqual(await gateway.module.server(asked), { status: 'no check', requests: 1, errors: 0 })
  // One that was there before has another spare, without the pods of then.
  await gateway.change([], fresh('n0'))
  await gateway.change([serviceOf('n0'), route('n0', 'n0.example', { backendRefs: [to('n0')] })])
  assert.equal(await ask('n0'), '503')
  await gateway.change([sliceOf('n0', 8001, one)])
  assert.equal(await ask('n0'), 'backend-1:8001')
  assert.equal(gateway.module.reloads, reloads, log.join('\n'))
  // What it restarts from has spares as well.
  process.kill(gateway.module.pid!, 'SIGKILL')
  while ((await ask('n0').catch(() => '')) !== 'backend-1:8001') await new Promise(setImmediate)
  while (gateway.module.reloads === reloads) await new Promise(setImmediate)
  await gateway.module.settled()
  const before = gateway.module.reloads
  await gateway.change(Array.from({ length: spares }, (_, at) => fresh(`m${at}`)).flat())
  assert.equal(gateway.module.reloads, before)
  assert.deepEqual([await ask('n0'), await ask(`m${spares - 1}`)], ['backend-1:8001', 'backend-1:8001'])
  await gateway.change(fresh('n1'))
  assert.equal(gateway.module.reloads, before + 1, 'nothing is left')
  for (const name of ['n0', 'n1', 'm0']) assert.equal(await ask(name), 'backend-1:8001')
  await gateway.change([fresh('n0'), fresh('n1'), fresh('n2')].flat())
  assert.equal(await ask('n2'), 'backend-1:8001')
  assert.equal(gateway.module.reloads, before + 1)
  while (flowsOf('n2').length < 1) await new Promise(setImmediate)
  const told = ['n0', 'n1', 'n2'].flatMap((name) => flowsOf(name).map(({ backend }) => backend))
  assert.deepEqual([...new Set(told)], ['ns:n0:80', 'ns:n1:80', 'ns:n2:80'])
  await gateway.change([], Array.from({ length: spares }, (_, at) => fresh(`m${at}`)).flat())
})

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: web.example\r\n\r\n`

test('a connection of before a reload has one more answer, though a pod is gone meanwhile', async () => {
  const [one, two] = gateway.rig.backends
  const server = gateway.serve(one, 8003)
  gateway.serve(two, 8003)
  await gateway.change([
    serviceOf('c'),
    sliceOf('c', 8003, one, two),
    route('web', 'web.example', { backendRefs: [to('c')] }),
  ])
  const sockets = Array.from({ length: 4 }, () => gateway.connect(port))
  for (const socket of sockets) assert.equal((await exchange(socket, get('/'))).status, 200)
  await reload('moved')
  server.closeAllConnections()
  server.close()
  await gateway.change([sliceOf('c', 8003, two)])
  for (const socket of sockets) {
    const last = await exchange(socket, get('/'))
    assert.equal(last.isLast, true)
    assert.match(last.body ?? '', /backend-2:8003/)
    await once(socket, 'close')
  }
  await gateway.change([route('web', 'web.example', { backendRefs: [to('a')] })])
})

/** A WebSocket's connection that is open, and what echoes on it. */
async function upgrade(): Promise<{ socket: Socket; echo(word: string): Promise<string> }> {
  const socket = gateway.connect(port)
  socket.on('error', () => {})
  const data = async (): Promise<string> => String((await once(socket, 'data'))[0])
  socket.write('GET /ws HTTP/1.1\r\nHost: web.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n')
  socket.write('Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
  assert.match(await data(), /^HTTP\/1.1 101 /)
  return {
    socket,
    echo(word) {
      socket.write(word)
      return data()
    },
  }
}

async function untilHeld(): Promise<ServerResponse> {
  for (;;) {
    const found = held.shift()
    if (found !== undefined) return found
    await new Promise(setImmediate)
  }
}

test('a pod that terminates gets nothing new, and finishes what it has: requests, and WebSockets', async () => {
  const [one, two] = gateway.rig.backends
  await gateway.change([sliceOf('a', 8001, one)])
  const slow = exchange(gateway.connect(port), get('/held'))
  const answer = await untilHeld()
  const webSocket = await upgrade()
  assert.equal(await webSocket.echo('before'), 'before')

  const slice: EndpointSlice = sliceOf('a', 8001, one, two)
  slice.endpoints![0]!.conditions = { ready: false, serving: true, terminating: true }
  await gateway.change([slice])
  for (let n = 0; n < 4; n++)
    assert.equal((await gateway.ask('web.example', '/', undefined, port)).from, 'backend-2:8001')
  assert.equal(await webSocket.echo('meanwhile'), 'meanwhile')
  // Gone from the slice, not yet from the world.
  await gateway.change([sliceOf('a', 8001, two)])
  await reload('while-terminating')
  assert.equal(await webSocket.echo('after'), 'after')
  answer.end('{"from":"backend-1, at last"}')
  assert.match((await slow).body ?? '', /backend-1, at last/)
  webSocket.socket.destroy()
})

test('a gateway that ends accepts nothing, finishes its requests, and cuts tunnels when their grace is over', async (t) => {
  const slow = exchange(gateway.connect(port), get('/held'))
  const answer = await untilHeld()
  const webSocket = await upgrade()
  const begun = performance.now()
  const closing = gateway.module.close()
  for (;;) {
    const { failure } = await exchange(gateway.connect(port), get('/'))
    if (failure === 'ECONNREFUSED') break
    await new Promise(setImmediate)
  }
  assert.equal(await webSocket.echo('still'), 'still')
  answer.end('{"from":"backend-2, at last"}')
  const last = await slow
  assert.deepEqual([last.status, last.isLast], [200, true])
  assert.match(last.body ?? '', /backend-2, at last/)
  const cut = once(webSocket.socket, 'close')
  await Promise.all([closing, cut])
  t.diagnostic(`ended ${Math.round(performance.now() - begun)} ms after it was told to, with ${drainMs} ms of grace`)
})
