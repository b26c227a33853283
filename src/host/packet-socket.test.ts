import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import {
  allNodes,
  broadcastMac,
  decodeArp,
  decodeNeighbourFrame,
  encodeArp,
  encodeNeighbourFrame,
  multicastMac,
  solicitedNodeGroup,
  zeroMac,
} from '../netlink/index.ts'
import type { FrameSocket, Namespace } from './contract.ts'
import { makePair, type Pair, until } from './testing.ts'

const virtual = { 4: parseAddress('192.0.2.100'), 6: parseAddress('2001:db8::100') }

function open(
  t: TestContext,
  namespace: Namespace,
  kind: 'arp' | 'neighbour-discovery',
): { socket: FrameSocket; frames: Uint8Array[]; downs: string[]; mac: string } {
  const link = namespace.network.findLink('eth0')!
  const frames: Uint8Array[] = []
  const downs: string[] = []
  const socket = namespace.network.openFrames(
    link,
    kind,
    (frame) => frames.push(frame),
    (reason) => downs.push(reason),
  )
  t.after(() => socket.close())
  return { socket, frames, downs, mac: link.mac! }
}

function stirUp({ host, left }: Pair, family: 4 | 6): void {
  const { fd } = host.connectTcp(left, virtual[family], 9)
  import('node:net').then(({ Socket }) => new Socket({ fd }).on('error', () => {}).unref())
}

function neighbour({ left }: Pair, family: 4 | 6): string | undefined {
  return left.network.neighbours().find(({ address }) => address === virtual[family])?.mac
}

test('a request for an address that no link has is seen, and the answer makes a neighbour', {
  timeout: 20_000,
}, async (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const { socket, frames, mac } = open(t, pair.right, 'arp')
  stirUp(pair, 4)
  const request = await until(() => frames.map(decodeArp).find((frame) => frame?.target === virtual[4]))
  assert.equal(request.sender, pair.leftAddress[4])
  socket.send(
    encodeArp({
      etherSource: mac,
      etherDestination: request.senderMac,
      operation: 'reply',
      senderMac: mac,
      sender: virtual[4],
      targetMac: request.senderMac,
      target: request.sender,
    }),
  )
  assert.equal(await until(() => neighbour(pair, 4)), mac)
})

test('a solicitation for a joined group is seen, nothing else of IPv6 is, and the answer makes a neighbour', {
  timeout: 20_000,
}, async (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const { socket, frames, mac } = open(t, pair.right, 'neighbour-discovery')
  socket.join(solicitedNodeGroup(virtual[6]))
  stirUp(pair, 6)
  const decoded = () => frames.map(decodeNeighbourFrame)
  const request = await until(() => decoded().find((frame) => frame?.target === virtual[6]))
  assert.equal(request.message.kind, 'solicitation')
  socket.send(
    encodeNeighbourFrame({
      etherSource: mac,
      etherDestination: request.etherSource,
      source: virtual[6],
      destination: request.source,
      target: virtual[6],
      message: { kind: 'advertisement', targetMac: mac, router: false, solicited: true, override: true },
    }),
  )
  assert.equal(await until(() => neighbour(pair, 6)), mac)
  assert.ok(
    decoded().every((frame) => frame !== undefined),
    'the filter lets in neighbour messages alone',
  )
})

test('gratuitous frames in every form move a neighbour that is known', { timeout: 20_000 }, async (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const { socket, mac } = open(t, pair.right, 'arp')
  const nd = open(t, pair.right, 'neighbour-discovery')
  const old = '02:00:00:00:00:99'
  const frames = {
    request: { operation: 'request' as const, targetMac: zeroMac },
    reply: { operation: 'reply' as const, targetMac: mac },
  }
  for (const frame of Object.values(frames)) {
    pair.left.network.setNeighbour({ address: virtual[4], link: 'eth0', mac: old, state: 'stale' })
    const both = {
      etherSource: mac,
      etherDestination: broadcastMac,
      senderMac: mac,
      sender: virtual[4],
      target: virtual[4],
    }
    socket.send(encodeArp({ ...both, ...frame }))
    await until(() => neighbour(pair, 4) === mac)
  }
  pair.left.network.setNeighbour({ address: virtual[6], link: 'eth0', mac: old, state: 'stale' })
  nd.socket.send(
    encodeNeighbourFrame({
      etherSource: mac,
      etherDestination: multicastMac(allNodes),
      source: virtual[6],
      destination: allNodes,
      target: virtual[6],
      message: { kind: 'advertisement', targetMac: mac, router: false, solicited: false, override: true },
    }),
  )
  await until(() => neighbour(pair, 6) === mac)
})

test('a link that goes down says so once, and can be opened again', { timeout: 20_000 }, async (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const first = open(t, pair.right, 'arp')
  pair.right.network.setLink('eth0', { up: false })
  await until(() => first.downs.length > 0)
  assert.deepEqual([first.downs.length, /ENETDOWN/.test(first.downs[0] ?? '')], [1, true])
  assert.throws(() => first.socket.send(new Uint8Array(60)), { errno: 'EBADF' })
  pair.right.network.setLink('eth0', { up: true })
  const second = open(t, pair.right, 'arp')
  stirUp(pair, 4)
  await until(() => second.frames.length > 0)
})
