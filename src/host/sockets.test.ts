import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import { families, parseAddress, parsePrefix } from '../addr/index.ts'
import type { Namespace } from './contract.ts'
import { makePair, type Pair } from './testing.ts'

function serve(t: TestContext, pair: Pair, family: 4 | 6, namespace: Namespace = pair.right): number {
  const { fd, port } = pair.host.listenTcp(namespace, pair.rightAddress[family], 0)
  const server = net.createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => socket.end(`${socket.remoteAddress} said ${chunk}`))
  })
  server.listen({ fd })
  t.after(() => server.close())
  return port
}

async function ask(socket: net.Socket, text: string): Promise<string> {
  socket.write(text)
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

for (const family of families) {
  test(`TCP between namespaces over IPv${family}`, { timeout: 10_000 }, async (t) => {
    const pair = makePair(t)
    if (pair === undefined) return
    const port = serve(t, pair, family)
    const { fd } = pair.host.connectTcp(pair.left, pair.rightAddress[family], port)
    assert.equal(await ask(new net.Socket({ fd }), 'hello'), `${pair.leftAddress[family]} said hello`)
  })

  test(`UDP between namespaces over IPv${family}`, { timeout: 10_000 }, async (t) => {
    const pair = makePair(t)
    if (pair === undefined) return
    const type = family === 4 ? 'udp4' : 'udp6'
    const open = (namespace: Namespace, address: Pair['leftAddress']) => {
      const { fd, port } = pair.host.bindUdp(namespace, address[family], 0)
      const socket = dgram.createSocket(type)
      t.after(() => socket.close())
      socket.bind({ fd })
      return { socket, port }
    }
    const server = open(pair.right, pair.rightAddress)
    const client = open(pair.left, pair.leftAddress)
    server.socket.on('message', (text, from) =>
      server.socket.send(`${from.address} said ${text}`, from.port, from.address),
    )
    client.socket.send('hello', server.port, pair.rightAddress[family])
    const [answer] = await once(client.socket, 'message')
    assert.equal(String(answer), `${pair.leftAddress[family]} said hello`)
  })
}

test('the chosen source is used', { timeout: 10_000 }, async (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const source = parseAddress('198.51.100.7')
  pair.left.network.addAddress('lo', source, 32)
  pair.right.network.setRoute({ destination: parsePrefix('198.51.100.7/32'), gateway: pair.leftAddress[4] })
  const port = serve(t, pair, 4)
  const { fd } = pair.host.connectTcp(pair.left, pair.rightAddress[4], port, { source })
  assert.equal(await ask(new net.Socket({ fd }), 'hello'), `${source} said hello`)
})

test('refusal, a missing route and a foreign source are different errors', { timeout: 10_000 }, async (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const { fd } = pair.host.connectTcp(pair.left, pair.rightAddress[4], 9)
  const socket = new net.Socket({ fd })
  socket.write('x')
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNREFUSED')
  assert.throws(() => pair.host.connectTcp(pair.left, parseAddress('10.9.9.9'), 9), {
    code: 'missing',
    errno: 'ENETUNREACH',
    step: 'connect tcp 10.9.9.9:9',
  })
  const foreign = { source: pair.rightAddress[4] }
  assert.throws(() => pair.host.connectTcp(pair.left, pair.rightAddress[4], 9, foreign), { errno: 'EADDRNOTAVAIL' })
})

test('a taken port is refused by name; the same port is free in another namespace and family', (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const port = serve(t, pair, 6)
  const address = pair.rightAddress[6]
  assert.throws(() => pair.host.listenTcp(pair.right, address, port), {
    code: 'exists',
    errno: 'EADDRINUSE',
    step: `listen on tcp [${address}]:${port}`,
  })
  const others = [
    pair.host.listenTcp(pair.right, parseAddress('0.0.0.0'), port),
    pair.host.listenTcp(pair.left, parseAddress('::'), port),
  ]
  for (const { fd, port: got } of others) {
    assert.equal(got, port)
    const server = net.createServer().listen({ fd })
    t.after(() => server.close())
  }
})

test('listeners are found with address and port, and gone when closed', { timeout: 10_000 }, async (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const { host, right, rightAddress } = pair
  assert.deepEqual(right.network.listeners(), [])
  const tcp = host.listenTcp(right, rightAddress[6], 0)
  const udp = host.bindUdp(right, rightAddress[4], 0)
  const server = net.createServer().listen({ fd: tcp.fd })
  const datagrams = dgram.createSocket('udp4').bind({ fd: udp.fd })
  assert.deepEqual(right.network.listeners(), [
    { protocol: 'tcp', address: rightAddress[6], port: tcp.port, family: 6 },
    { protocol: 'udp', address: rightAddress[4], port: udp.port, family: 4 },
  ])
  assert.deepEqual(pair.left.network.listeners(), [])
  await new Promise((resolve) => server.close(resolve))
  await new Promise<void>((resolve) => datagrams.close(() => resolve()))
  assert.deepEqual(right.network.listeners(), [])
})

test('a dual-stack listener counts for both families', (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  // Without an address Node makes the socket at once, hence inside.
  const server = pair.right.run(() => net.createServer().listen(0))
  t.after(() => server.close())
  const { port } = server.address() as net.AddressInfo
  const listed = pair.right.network.listeners().filter((listener) => listener.port === port)
  assert.deepEqual(
    listed.map(({ address, family }) => [address, family]),
    [
      ['::', 6],
      ['0.0.0.0', 4],
    ],
  )
})
