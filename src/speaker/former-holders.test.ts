import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { makePair, until } from '../host/testing.ts'
import { FormerHolders } from './former-holders.ts'

test('a former holder that fell silent is led to while its kernel answers as a neighbour, flows of datagrams too', {
  timeout: 60_000,
}, async (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const { host, left, right, rightAddress } = pair
  const [address, client, endpoint] = ['192.0.2.100', '192.0.2.50', '10.244.0.7'].map(parseAddress)
  assert.ok(address && client && endpoint)
  const former = new FormerHolders(left.network, 'left')
  t.after(() => former.close())
  former.setMembers([{ name: 'right', addresses: [rightAddress[4]] }])
  assert.equal(await former.answers('right', 4), false, 'it has never been heard')
  const rightMac = right.network.findLink('eth0')?.mac ?? ''
  left.network.setNeighbour({ address: rightAddress[4], link: 'eth0', mac: rightMac, state: 'stale' })
  assert.equal(await former.answers('right', 4), true)
  const set = { name: 'former', key: ['ipv4_addr'], value: ['mark'], flags: ['timeout'] } as const
  const led = async (): Promise<number> => (await left.network.elements('ip', 'plumb-moved', set)).length
  await former.lead(address, 'right', 'while it is reachable')
  assert.equal(await led(), 1)
  const flow = {
    protocol: 17,
    client,
    clientPort: 1001,
    address,
    port: 53,
    endpoint,
    endpointPort: 5353,
    sourcePort: 7,
  }
  former.leadFlows('right', [{ ...flow, timeoutSeconds: 30 }])
  // The client's datagrams come in by the same wire, and go out by it.
  left.network.setSysctl('net.ipv4.ip_forward', 1)
  right.network.addAddress('eth0', client, 24)
  const mac = left.network.findLink('eth0')?.mac ?? ''
  right.network.setNeighbour({ address, link: 'eth0', mac, state: 'permanent' })
  const nft = (...words: string[]): string => right.run(() => spawnSync('nft', words, { encoding: 'utf8' })).stdout
  const rule = `ip saddr ${client} ip daddr ${address} udp dport 53 counter`
  nft(`table ip count { chain in { type filter hook prerouting priority -300; ${rule}; }; }`)
  const socket = createSocket('udp4')
  socket.bind({ fd: host.bindUdp(right, client, 1001).fd })
  await new Promise((resolve) => socket.send('x', 53, address, resolve))
  socket.close()
  await until(() => nft('list', 'table', 'ip', 'count').includes('packets 1 '))
  left.network.setNeighbour({ address: rightAddress[4], link: 'eth0', state: 'failed' })
  while ((await led()) > 0) await new Promise((resolve) => setTimeout(resolve, 50))
  await until(() => left.network.connections({ protocol: 17 }).every(({ mark }) => mark === 0))
})
