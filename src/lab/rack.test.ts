import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, Socket } from 'node:net'
import { test } from 'node:test'
import { type Address, parseAddress } from '../addr/index.ts'
import { openHost } from '../host/index.ts'
import { defaultNetwork } from './config.ts'
import { buildRack } from './rack.ts'

test('the outside client reaches a node through the router, nodes each other; the host sees nothing of it', async (t) => {
  const host = openHost()
  const before = host.own.network.links().map(({ name }) => name)
  const forwarding = host.own.network.sysctl('net.ipv4.ip_forward')
  const rack = buildRack(host, defaultNetwork, 2)
  t.after(() => {
    const machines = [rack.control, rack.outside, ...rack.nodes].map(({ namespace }) => namespace)
    for (const namespace of [...machines, rack.router, rack.switches]) namespace.close()
  })
  assert.deepEqual(
    rack.nodes.map(({ addresses }) => addresses),
    [
      ['172.30.0.11', 'fd00:30::11'],
      ['172.30.0.12', 'fd00:30::12'],
    ],
  )
  const [first, second] = rack.nodes
  for (const wildcard of ['0.0.0.0', '::']) {
    const { fd } = host.listenTcp(first!.namespace, wildcard as Address, 80)
    const server = createServer((socket) => socket.end(`${socket.remoteAddress}`)).listen({ fd })
    t.after(() => void server.close())
  }
  const paths = [
    [rack.outside, '203.0.113.10', '2001:db8:113::10'],
    [second!, '172.30.0.12', 'fd00:30::12'],
    [rack.control, '172.30.0.2', 'fd00:30::2'],
  ] as const
  for (const [machine, ...sources] of paths) {
    for (const [i, target] of ['172.30.0.11', 'fd00:30::11'].entries()) {
      const socket = new Socket({ fd: host.connectTcp(machine.namespace, parseAddress(target), 80).fd })
      const [seen] = await once(socket, 'data')
      assert.equal(String(seen), sources[i], `${machine.name} to ${target}`)
      socket.destroy()
    }
  }
  assert.deepEqual(
    host.own.network.links().map(({ name }) => name),
    before,
  )
  assert.equal(host.own.network.sysctl('net.ipv4.ip_forward'), forwarding)
})

test('nodes on two segments reach one another, the control plane and the client outside through the router', async (t) => {
  const host = openHost()
  const rack = buildRack(host, defaultNetwork, 3, 2)
  t.after(() => {
    const machines = [rack.control, rack.outside, ...rack.nodes].map(({ namespace }) => namespace)
    for (const namespace of [...machines, rack.router, rack.switches]) namespace.close()
  })
  const [first, second, third] = rack.nodes
  assert.deepEqual(
    rack.nodes.map(({ addresses }) => addresses.join()),
    ['172.30.0.11,fd00:30::11', '172.30.1.12,fd00:30:0:1::12', '172.30.0.13,fd00:30::13'],
  )
  for (const machine of [first!, rack.control]) {
    for (const wildcard of ['0.0.0.0', '::']) {
      const { fd } = host.listenTcp(machine.namespace, wildcard as Address, 80)
      const server = createServer((socket) => socket.end(`${socket.remoteAddress}`)).listen({ fd })
      t.after(() => void server.close())
    }
  }
  for (const from of [second!, third!, rack.outside])
    for (const to of [first!, rack.control])
      for (const [i, target] of to.addresses.entries()) {
        const socket = new Socket({ fd: host.connectTcp(from.namespace, target, 80).fd })
        const [seen] = await once(socket, 'data')
        assert.equal(String(seen), from.addresses[i], `${from.name} to ${target}`)
        socket.destroy()
      }
})
