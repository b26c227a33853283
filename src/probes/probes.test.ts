import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { type Address, parseAddress } from '../addr/index.ts'
import type { Outcome, Place, Probe, Speech } from '../doctor/index.ts'
import type { Protocol } from '../explain/index.ts'
import { type Namespace, openHost } from '../host/index.ts'
import { runControl } from './control.ts'
import { followPacket } from './follow.ts'
import { parsePacket } from './packet.ts'
import { runProbes } from './run.ts'
import { readAnswer } from './speak.ts'

const host = openHost()
const [left, right] = [parseAddress('10.0.0.1'), parseAddress('10.0.0.2')]
let client: Namespace
let server: Namespace
const servers: Server[] = []

before(() => {
  client = host.createNamespace()
  server = host.createNamespace()
  client.network.addVeth({ name: 'a', peerName: 'b', peerNamespace: server })
  for (const [namespace, link, address] of [
    [client, 'a', left],
    [server, 'b', right],
  ] as const) {
    namespace.network.setLink('lo', { up: true })
    namespace.network.setLink(link, { up: true })
    namespace.network.addAddress(link, address, 24)
  }
  const walls = `table ip walls { chain in { type filter hook input priority 0
    tcp dport 12 drop
    tcp dport 13 reject with icmp type admin-prohibited
    udp dport 14 reject
  }
  }
`
  const { status, stderr } = server.run(() => spawnSync('nft', ['-f', '-'], { input: walls, encoding: 'utf8' }))
  assert.equal(status, 0, stderr)
  serve(1, (socket) => socket.end('HTTP/1.1 200 OK\r\nServer: mine\r\n\r\nhello'))
  serve(2, (socket) => socket.once('data', () => socket.end()))
  serve(3, (socket) => socket.resume())
  serve(4, (socket) => socket.end(Buffer.from([0x15, 3, 1, 0, 2, 2, 70])))
  serve(5, (socket) => socket.once('data', () => socket.resetAndDestroy()))
  serve(6, (socket) => socket.end('SSH-2.0-x\r\n'))
  serve(7, (socket) => socket.end('HTTP/1.1 502 Bad Gateway\r\nProxy-Status: x; error=connection_refused\r\n\r\n'))
})

after(() => {
  for (const one of servers) one.close()
  client.close()
  server.close()
})

function serve(port: number, answer: (socket: Socket) => void): void {
  const one = createServer((socket) => {
    socket.on('error', () => undefined)
    answer(socket)
  })
  one.listen({ fd: host.listenTcp(server, right, port).fd })
  servers.push(one)
}

async function ask(port: number, speech: Speech = { kind: 'http', host: 'x', path: '/' }, address: Address = right) {
  const probe: Probe = {
    id: `${port}`,
    rung: 'pod',
    from: { kind: 'node', name: 'x' },
    address,
    port,
    transport: speech.kind === 'datagram' ? 'udp' : 'tcp',
    speech,
    tries: 1,
  }
  const [result] = await runProbes(host, [probe], async () => host.openNamespace(client.path))
  return result!.tries[0]!
}

const http: readonly { port: number; says: string; outcome: Partial<Outcome> & Record<string, unknown> }[] = [
  { port: 1, says: 'an answer', outcome: { kind: 'answered', says: 'HTTP 200' } },
  { port: 2, says: 'an end before an answer', outcome: { kind: 'closed', how: 'end' } },
  { port: 3, says: 'no answer', outcome: { kind: 'stalled' } },
  { port: 4, says: 'a TLS alert', outcome: { kind: 'garbled', speaks: 'tls' } },
  { port: 5, says: 'a reset before an answer', outcome: { kind: 'closed', how: 'reset' } },
  { port: 6, says: 'another protocol', outcome: { kind: 'garbled', speaks: 'other' } },
  { port: 7, says: 'an error with a header that says whose', outcome: { kind: 'answered', says: 'HTTP 502' } },
  { port: 11, says: 'nobody listens', outcome: { kind: 'refused', by: 'reset', from: right } },
  { port: 12, says: 'a firewall drops', outcome: { kind: 'silence' } },
  { port: 13, says: 'a firewall refuses', outcome: { kind: 'refused', by: 'icmp', from: right } },
]
for (const { port, says, outcome } of http) {
  test(`told apart on the wire: ${says}`, async () => {
    const { outcome: found } = await ask(port)
    for (const [key, value] of Object.entries(outcome))
      assert.equal((found as Record<string, unknown>)[key], value, JSON.stringify(found))
  })
}

test('the wire tells who answered first, from how far, and how often the first packet went out', async () => {
  const answered = await ask(1)
  assert.deepEqual(answered.wire, { sent: 1, ttl: 64, from: right, flags: 'SYN-ACK' })
  assert.equal((await ask(11)).wire?.flags, 'RST')
  assert.deepEqual((await ask(12)).wire, { sent: 2 })
  assert.deepEqual((await ask(7)).outcome, {
    kind: 'answered',
    says: 'HTTP 502',
    http: { status: 502, headers: { 'proxy-status': 'x; error=connection_refused' }, body: '' },
  })
})

test('a datagram is refused with ICMP or is not, and an address without a route is neither', async () => {
  assert.equal((await ask(14, { kind: 'datagram' })).outcome.kind, 'refused')
  assert.equal((await ask(3, { kind: 'connect' })).outcome.kind, 'answered')
  assert.equal((await ask(1, { kind: 'connect' }, parseAddress('192.0.2.1'))).outcome.kind, 'unreachable')
})

test('a place that cannot be entered is told by each of its probes', async () => {
  const probe: Probe = {
    id: 'x',
    rung: 'pod',
    from: { kind: 'node', name: 'gone' },
    address: right,
    port: 1,
    transport: 'tcp',
    speech: { kind: 'connect' },
    tries: 2,
  }
  const [result] = await runProbes(host, [probe], () => Promise.reject(new Error('no such node')))
  assert.deepEqual(
    result?.tries.map(({ outcome }) => outcome),
    Array(2).fill({ kind: 'unseen', says: 'node/gone cannot be entered: no such node' }),
  )
})

test('bytes that are no packet and answers that are cut off are read without a complaint', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom(0x45, 0x60, 0x4f, 0), (bytes, first) => {
      parsePacket(Buffer.from([first, ...bytes]))
      readAnswer('http', Buffer.from(bytes), true)
      readAnswer('h2c', Buffer.from(bytes), false)
    }),
    { numRuns: 2000 },
  )
})

const controlled: readonly { port: number; says: string; expect: { status: number; state: string; own: boolean } }[] = [
  { port: 1, says: 'the server’s own answer', expect: { status: 200, state: '--', own: true } },
  { port: 7, says: 'the server’s own error', expect: { status: 502, state: '--', own: true } },
  { port: 2, says: 'an end before an answer', expect: { status: 502, state: 'SH', own: false } },
  { port: 3, says: 'no answer in time', expect: { status: 504, state: 'sH', own: false } },
  { port: 11, says: 'nobody listens', expect: { status: 503, state: 'SC', own: false } },
  { port: 4, says: 'no HTTP', expect: { status: 502, state: 'PH', own: false } },
]
for (const { port, says, expect } of controlled) {
  test(`the control tells whose it is: ${says}`, async () => {
    const plan = {
      place: { kind: 'node', name: 'x' },
      to: 'pods',
      backends: [{ address: right, port }],
      speech: 'http',
      host: 'x',
      path: '/',
      tries: 1,
    } as const
    const { tries, unseen } = await runControl(plan, async () => host.openNamespace(client.path))
    assert.equal(unseen, undefined)
    const { status, state, own, server } = tries[0]!
    assert.deepEqual({ status, state, own }, expect)
    assert.equal(server, `${right}:${port}`)
  })
}

/** nginx says 502 where HAProxy says 503, and why in its log. */
const byNginx: readonly { port: number; says: string; expect: { status: number; own: boolean; why: RegExp } }[] = [
  { port: 1, says: 'the server’s own answer', expect: { status: 200, own: true, why: /the server’s own/ } },
  { port: 7, says: 'the server’s own error', expect: { status: 502, own: true, why: /the server’s own/ } },
  { port: 2, says: 'an end before an answer', expect: { status: 502, own: false, why: /prematurely closed/ } },
  { port: 3, says: 'no answer in time', expect: { status: 504, own: false, why: /timed out/ } },
  { port: 11, says: 'nobody listens', expect: { status: 502, own: false, why: /Connection refused/ } },
]
const nginx = spawnSync('nginx', ['-v']).error === undefined
for (const { port, says, expect } of byNginx) {
  test(`nginx as a second control tells whose it is: ${says}`, {
    skip: nginx ? false : 'nginx is not installed',
  }, async () => {
    const backends = [{ address: right, port }]
    const place = { kind: 'node', name: 'x' } as const
    const plan = { by: 'nginx', place, to: 'pods', backends, speech: 'http', host: 'x', path: '/', tries: 1 } as const
    const { tries, unseen } = await runControl(plan, async () => host.openNamespace(client.path))
    assert.equal(unseen, undefined)
    const [{ status, own, server, says: why } = assert.fail()] = tries
    assert.deepEqual({ status, own, server }, { status: expect.status, own: expect.own, server: `${right}:${port}` })
    assert.match(why, expect.why)
  })
}

test('without nginx the second control says so', async () => {
  const { PATH } = process.env
  // Debian has it in /usr/sbin.
  process.env.PATH = '/usr/bin:/bin'
  const place = { kind: 'node', name: 'x' } as const
  const backends = [{ address: right, port: 1 }]
  const plan = { by: 'nginx', place, to: 'pods', backends, speech: 'http', host: 'x', path: '/', tries: 1 } as const
  const { unseen } = await runControl(plan, async () => host.openNamespace(client.path)).finally(() => {
    process.env.PATH = PATH
  })
  assert.equal(unseen, 'the control: nginx is not installed here')
})

test('the control goes round all backends, and leaves nothing behind', async () => {
  const backends = [1, 7].map((port) => ({ address: right, port }))
  const plan = {
    place: { kind: 'node', name: 'x' },
    to: 'pods',
    backends,
    speech: 'http',
    host: 'x',
    path: '/',
    tries: 4,
  } as const
  const left = () => readdirSync(tmpdir()).filter((name) => name.startsWith('plumb-control-'))
  const { tries } = await runControl(plan, async () => host.openNamespace(client.path))
  assert.deepEqual(tries.map(({ status }) => status).sort(), [200, 200, 502, 502])
  const gone = await runControl(plan, () => Promise.reject(new Error('no such node')))
  assert.equal(gone.unseen, 'the control: no such node')
  assert.deepEqual(left(), [])
})

const followed = async (port: number, address: Address = right, transport: Protocol = 'tcp') => {
  const open = async (place: Place) => {
    if (place.kind === 'node' && place.name === 'gone') throw new Error('no such node')
    return host.openNamespace(place.kind === 'outside' ? client.path : server.path)
  }
  const places = ['b', 'gone'].map((name): Place => ({ kind: 'node', name }))
  const seen = await followPacket(
    host,
    { from: { kind: 'outside' }, address, port, transport, endpoints: [] },
    places,
    open,
  )
  assert.deepEqual(seen.blind, ['node/gone'])
  return { ...seen, sightings: seen.sightings.map(({ place, way, packet }) => `${place} ${way} ${packet}`) }
}

test('a packet is followed from place to place: answered, refused, and swallowed', async () => {
  const answered = await followed(1)
  assert.equal(answered.connected, true)
  assert.deepEqual(answered.sightings, [
    'outside request SYN',
    'outside answer SYN-ACK',
    'node/b request SYN',
    'node/b answer SYN-ACK',
  ])
  const refused = await followed(11)
  assert.deepEqual(refused.sightings, [
    'outside request SYN',
    'outside answer RST',
    'node/b request SYN',
    'node/b answer RST',
  ])
  const swallowed = await followed(12)
  assert.equal(swallowed.connected, false)
  assert.deepEqual(swallowed.sightings, ['outside request SYN', 'node/b request SYN'])
  const datagram = await followed(14, right, 'udp')
  assert.deepEqual(
    datagram.sightings.map((one) => one.split(' ').slice(0, 3).join(' ')),
    ['outside request datagram', 'outside answer ICMP', 'node/b request datagram', 'node/b answer ICMP'],
  )
  assert.deepEqual((await followed(1, parseAddress('192.0.2.1'))).sightings, [])
})

test('an echo and an INIT are followed as packets of connections are', async () => {
  const ping = await followed(0, right, 'icmp')
  assert.equal(ping.connected, true)
  assert.deepEqual(ping.sightings, [
    'outside request echo request',
    'outside answer echo reply',
    'node/b request echo request',
    'node/b answer echo reply',
  ])
  // Whether the kernel of the server speaks SCTP or not: nobody listens there.
  const init = await followed(9, right, 'sctp')
  assert.equal(init.connected, false)
  assert.equal(init.outcome, 'refused')
  assert.match(init.sightings.join('; '), /node\/b request INIT; node\/b answer (ABORT|ICMP protocol unreachable)/)
})
