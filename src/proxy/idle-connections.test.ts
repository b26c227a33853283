import assert from 'node:assert/strict'
import { type Agent, request } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { host } from '../agent/rig.fixture.ts'
import { gatewayClass, gatewayOf, routeOf, serviceOf, sliceOf, to } from './gateway-objects.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
let server: Server
const open = new Set<Socket>()
let connections = 0
/** How often a request came on a connection that the server was just about to close. */
let late = 0
const answered = new Map<string, number>()

/** Closes each connection that was used once, as soon as the next request is on its way to it: what a timeout of idle connections does now and then. */
function answerOnce(socket: Socket): void {
  connections++
  open.add(socket)
  let isUsed = false
  socket.on('error', () => {})
  socket.on('data', (data: Buffer) => {
    if (isUsed) {
      late++
      return void socket.resetAndDestroy()
    }
    isUsed = true
    const [method = ''] = data.toString().split(' ')
    answered.set(method, (answered.get(method) ?? 0) + 1)
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}')
  })
}

before(async () => {
  gateway = new GatewayRig()
  const [one] = gateway.rig.backends
  server = createServer(answerOnce)
  server.listen({ fd: host.listenTcp(one.namespace, one.addresses[4], 8001).fd })
  const http = { name: 'http', port: 80, protocol: 'HTTP' }
  await gateway.change([gatewayClass, ...gatewayOf('gw', [http]), serviceOf('web'), sliceOf('web', 8001, one)])
  await gateway.change([routeOf('HTTPRoute', 'web', [{ backendRefs: [to('web')] }])])
})
after(async () => {
  for (const socket of open) socket.destroy()
  server.close()
  await gateway.close()
})

/** The status, or the code of what went wrong. */
function ask(method: string, agent: Agent): Promise<number | string | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | string | undefined>()
  const asked = request({ agent, method, port: 20080, headers: { host: 'web.example' } }, (answer) => {
    answer.resume()
    answer.on('end', () => resolve(answer.statusCode))
  })
  asked.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code))
  asked.end(method === 'PUT' || method === 'POST' ? 'body' : undefined)
  return promise
}

test('a request that meets a connection which its pod just closes is sent again, if it may be', {
  timeout: 60_000,
}, async () => {
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
    const agent = gateway.agent(true)
    const before = late
    for (let at = 0; at < 5; at++) assert.equal(await ask(method, agent), 200, `${method} ${at}`)
    assert.ok(late > before, 'none met a closed connection')
    assert.equal(answered.get(method), 5)
    agent.destroy()
  }
})

test('a POST is never sent twice: its connection is closed, and the client decides', { timeout: 60_000 }, async () => {
  const agent = gateway.agent(true)
  assert.equal(await ask('POST', agent), 200)
  const before = { late, connections }
  assert.equal(await ask('POST', agent), 'ECONNRESET')
  assert.deepEqual({ late, connections }, { late: before.late + 1, connections: before.connections })
  assert.equal(answered.get('POST'), 1)
  // The first request of a client never meets an old connection.
  assert.equal(await ask('POST', gateway.agent(false)), 200)
  agent.destroy()
})
