import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import type { Connection } from './contract.ts'
import { makePair, type Pair, until } from './testing.ts'

/** Conntrack follows connections only where a rule asks for it. */
async function track({ left }: Pair): Promise<void> {
  const where = { family: 'inet', table: 'track' } as const
  const hook = { type: 'filter', hook: 'output', priority: 0, policy: 'accept' } as const
  await left.network.commit([
    { kind: 'add-table', ...where },
    { kind: 'add-chain', ...where, chain: { name: 'output', hook } },
    {
      kind: 'add-rule',
      ...where,
      chain: 'output',
      rule: {
        statements: [
          { kind: 'match', left: { kind: 'ct', key: 'state' }, operator: '==', right: 'invalid' },
          { kind: 'verdict', verdict: { kind: 'drop' } },
        ],
      },
    },
  ])
}

function connect(t: TestContext, pair: Pair, family: 4 | 6): { socket: net.Socket; port: number } {
  const listening = pair.host.listenTcp(pair.right, pair.rightAddress[family], 0)
  const server = net.createServer((peer) => {
    t.after(() => peer.destroy())
    peer.on('error', () => {})
    peer.pipe(peer)
  })
  server.listen({ fd: listening.fd })
  const { fd } = pair.host.connectTcp(pair.left, pair.rightAddress[family], listening.port)
  const socket = new net.Socket({ fd })
  t.after(() => {
    socket.destroy()
    server.close()
  })
  return { socket, port: listening.port }
}

for (const family of [4, 6] as const) {
  test(`a real IPv${family} connection is listed, watched and deleted`, { timeout: 10_000 }, async (t) => {
    const pair = makePair(t)
    if (pair === undefined) return
    await track(pair)
    const { network } = pair.left
    const events: { event: string; connection: Connection }[] = []
    const watch = network.watchConnections((event, connection) => events.push({ event, connection }))
    t.after(() => watch.close())
    const { socket, port } = connect(t, pair, family)
    socket.write('hello')
    await once(socket, 'data')
    const listed = network.connections({ protocol: 6, family })
    assert.equal(listed.length, 1)
    const [connection] = listed
    assert(connection !== undefined)
    const { original, reply } = connection
    const ends = { source: pair.leftAddress[family], destination: pair.rightAddress[family], destinationPort: port }
    assert.deepEqual(original, { ...ends, sourcePort: original.sourcePort })
    assert.deepEqual(reply, {
      source: original.destination,
      destination: original.source,
      sourcePort: original.destinationPort,
      destinationPort: original.sourcePort,
    })
    assert.deepEqual([connection.tcpState, connection.mark], ['ESTABLISHED', 0])
    assert.equal(network.connections({ protocol: 17 }).length, 0)
    assert.equal(network.connections({ mark: 7 }).length, 0)
    assert.equal(network.connections({ family: family === 4 ? 6 : 4, protocol: 6 }).length, 0)

    network.deleteConnection(connection)
    assert.deepEqual(network.connections({ protocol: 6 }), [])
    assert.throws(() => network.deleteConnection(connection), {
      code: 'missing',
      step: /^delete connection protocol 6 /,
    })
    const ofPort = () => events.filter((entry) => entry.connection.original.destinationPort === port)
    await until(() => ofPort().some(({ event }) => event === 'destroy'))
    const words = ofPort().map(({ event }) => event)
    assert.deepEqual([words[0], words.at(-1)], ['new', 'destroy'])
    assert(words.includes('update'))
  })
}

test('a watch that falls behind says so and goes on', { timeout: 20_000 }, async (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const { network } = pair.left
  const seen = new Set<string>()
  const watch = network.watchNetwork((what) => seen.add(what))
  t.after(() => watch.close())
  // Without returning to the event loop, more messages than 16 MB of receive buffer hold.
  for (let i = 0; i < 15_000; i++) network.setLink('eth0', { up: i % 2 === 1, mtu: 1400 + (i % 2) })
  await until(() => seen.has('neighbour') && seen.has('address'))
  seen.clear()
  network.setLink('eth0', { mtu: 1399 })
  await until(() => seen.has('link'))
})

test('changes of the network are told by name, until the watch is closed', { timeout: 10_000 }, async (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const { network } = pair.left
  const descriptors = () => readdirSync('/proc/self/fd').length
  network.links()
  const before = descriptors()
  const seen = new Set<string>()
  const watch = network.watchNetwork((what) => seen.add(what))
  assert.equal(descriptors(), before + 1)
  const address = parseAddress('192.0.2.50')
  network.addVeth({ name: 'a', peerName: 'b' })
  await until(() => seen.has('link'))
  network.addAddress('eth0', address, 32)
  await until(() => seen.has('address') && seen.has('route'))
  network.setNeighbour({
    address: parseAddress('192.0.2.60'),
    link: 'eth0',
    mac: '02:00:00:00:00:01',
    state: 'permanent',
  })
  await until(() => seen.has('neighbour'))
  watch.close()
  seen.clear()
  network.deleteAddress('eth0', address, 32)
  await until(() => descriptors() === before)
  assert.equal(seen.size, 0)
})
