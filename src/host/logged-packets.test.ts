import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { type TestContext, test } from 'node:test'
import { decodeIpPacket } from '../netlink/index.ts'
import { HostError } from './contract.ts'
import { makePair, type Pair, until } from './testing.ts'

const group = 80

/** Everything that leaves is logged. */
async function logOutput({ left }: Pair): Promise<void> {
  const where = { family: 'inet', table: 'logs' } as const
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
          { kind: 'match', left: { kind: 'meta', key: 'l4proto' }, operator: '==', right: 'udp' },
          { kind: 'log', prefix: 'here it is', group },
        ],
      },
    },
  ])
}

function openUdp(t: TestContext, pair: Pair, family: 4 | 6): { send(port: number): void } {
  const { fd } = pair.host.bindUdp(pair.left, pair.leftAddress[family], 0)
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
  socket.bind({ fd })
  t.after(() => socket.close())
  return { send: (port) => socket.send('x', port, pair.rightAddress[family]) }
}

for (const family of [4, 6] as const) {
  test(`a logged IPv${family} packet arrives with its prefix and headers`, { timeout: 20_000 }, async (t) => {
    const pair = makePair(t)
    if (pair === undefined) return
    await logOutput(pair)
    const seen: unknown[] = []
    const watch = pair.left.network.watchLoggedPackets(group, 64, ({ family: which, prefix, bytes }) => {
      const packet = decodeIpPacket(which, bytes)
      if (packet === undefined) return
      const { source, destination, protocol, destinationPort } = packet
      seen.push({ prefix, source, destination, protocol, destinationPort })
    })
    t.after(() => watch.close())
    openUdp(t, pair, family).send(4711)
    await until(() => seen.length > 0)
    assert.deepEqual(seen[0], {
      prefix: 'here it is',
      source: pair.leftAddress[family],
      destination: pair.rightAddress[family],
      protocol: 17,
      destinationPort: 4711,
    })
  })
}

test('a group belongs to one socket of a namespace, and is free again when that is closed', {
  timeout: 20_000,
}, (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const first = pair.left.network.watchLoggedPackets(group, 64, () => {})
  assert.throws(
    () => pair.left.network.watchLoggedPackets(group, 64, () => {}),
    (error: unknown) => error instanceof HostError && error.code === 'busy',
  )
  pair.right.network.watchLoggedPackets(group, 64, () => {}).close()
  first.close()
  pair.left.network.watchLoggedPackets(group, 64, () => {}).close()
})
