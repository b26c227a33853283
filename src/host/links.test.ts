import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { makeNamespaces, makePair } from './testing.ts'

test('both ends of a veth have what was asked for', (t) => {
  const made = makeNamespaces(t, 2)
  if (made === undefined) return
  const [a, b] = made.namespaces
  assert(a !== undefined && b !== undefined)
  a.network.addVeth({
    name: 'pod0',
    peerName: 'eth0',
    peerNamespace: b,
    mtu: 1400,
    mac: '02:00:00:00:00:01',
    peerMac: '02:00:00:00:00:02',
    alias: 'pod default/web-0',
  })
  const near = a.network.findLink('pod0')
  const far = b.network.findLink('eth0')
  assert.deepEqual(near, {
    index: near?.index,
    name: 'pod0',
    kind: 'veth',
    mtu: 1400,
    mac: '02:00:00:00:00:01',
    up: false,
    carrier: false,
    peerIndex: far?.index,
    alias: 'pod default/web-0',
  })
  assert.deepEqual([far?.mtu, far?.mac, far?.peerIndex], [1400, '02:00:00:00:00:02', near?.index])
  a.network.deleteLink('pod0')
  assert.equal(b.network.findLink('eth0'), undefined)
})

test('links change, move and join bridges', (t) => {
  const made = makeNamespaces(t, 2)
  if (made === undefined) return
  const [a, b] = made.namespaces
  assert(a !== undefined && b !== undefined)
  a.network.addBridge('br0')
  a.network.addVeth({ name: 'p0', peerName: 'p1' })
  a.network.setLink('br0', { up: true, mac: '02:00:00:00:00:09' })
  a.network.setLink('p0', { master: 'br0', up: true })
  assert.equal(a.network.findLink('p0')?.master, a.network.findLink('br0')?.index)
  a.network.setLink('p0', { master: null })
  assert.equal(a.network.findLink('p0')?.master, undefined)
  a.network.setLink('p0', { up: false, rename: 'port0', alias: 'spare', mtu: 1300 })
  assert.deepEqual(
    [a.network.findLink('p0'), a.network.findLink('port0')?.alias, a.network.findLink('port0')?.mtu],
    [undefined, 'spare', 1300],
  )
  a.network.setLink('p1', { namespace: b })
  assert.equal(a.network.findLink('p1'), undefined)
  assert.equal(b.network.findLink('p1')?.kind, 'veth')
})

test('refusals name the step and say what kind they are', (t) => {
  const made = makeNamespaces(t, 1)
  const network = made?.namespaces[0]?.network
  if (network === undefined) return
  network.addVeth({ name: 'a', peerName: 'b' })
  assert.throws(() => network.addVeth({ name: 'a', peerName: 'c' }), {
    name: 'HostError',
    code: 'exists',
    errno: 'EEXIST',
    step: 'add veth a with peer c',
  })
  assert.equal(network.findLink('c'), undefined)
  assert.throws(() => network.addVeth({ name: 'x', peerName: 'y', alias: 'z'.repeat(300) }), { code: 'invalid' })
  assert.equal(network.findLink('x'), undefined)
  assert.throws(() => network.deleteLink('none'), { code: 'missing', step: 'delete link none' })
  assert.throws(() => network.setLink('a', { master: 'none' }), { code: 'missing', message: /no link none/ })
  assert.throws(() => network.addAddress('none', parseAddress('192.0.2.1'), 24), {
    code: 'missing',
    step: 'add address 192.0.2.1/24 to link none',
  })
  assert.throws(() => network.setLink('a', { mtu: 10 }), { code: 'invalid', message: /mtu/ })
  assert.throws(() => network.setLink('a', { mac: 'ff:ff:ff:ff:ff:ff' }), { code: 'missing', errno: 'EADDRNOTAVAIL' })
})

test('a VXLAN link takes its options and forwarding entries', (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const { left, leftAddress, rightAddress } = pair
  left.network.addVxlan({ name: 'vx4', id: 42, local: leftAddress[4], port: 4789, link: 'eth0', mtu: 1450 })
  left.network.addVxlan({ name: 'vx6', id: 43, local: leftAddress[6], port: 4790 })
  assert.deepEqual(
    ['vx4', 'vx6'].map((name) => left.network.findLink(name)?.kind),
    ['vxlan', 'vxlan'],
  )
  assert.equal(left.network.findLink('vx4')?.mtu, 1450)
  const [pod, flood] = ['02:00:00:00:00:05', '00:00:00:00:00:00']
  const third = parseAddress('192.0.2.9')
  left.network.setForwarding('vx4', pod, rightAddress[4])
  left.network.setForwarding('vx4', pod, third)
  left.network.setForwarding('vx4', flood, rightAddress[4])
  left.network.setForwarding('vx4', flood, third)
  left.network.setForwarding('vx6', pod, rightAddress[6])
  const entries = () => left.network.forwardings('vx4').map(({ mac, destination }) => `${mac} ${destination}`)
  assert.deepEqual(entries().sort(), [`${flood} ${rightAddress[4]}`, `${flood} ${third}`, `${pod} ${third}`])
  left.network.deleteForwarding('vx4', flood, third)
  left.network.deleteForwarding('vx4', pod, third)
  assert.deepEqual(entries(), [`${flood} ${rightAddress[4]}`])
  assert.deepEqual(left.network.forwardings('vx6'), [{ mac: pod, destination: rightAddress[6] }])
  assert.throws(() => left.network.addVxlan({ name: 'vx5', id: 42, local: leftAddress[4], port: 4789 }), {
    code: 'exists',
  })
})

test('addresses are listed, also of IPv6 at once, without duplicate address detection', (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const { network } = pair.left
  const listed = network.addresses().filter(({ link, address }) => link === 'eth0' && !address.startsWith('fe80'))
  assert.deepEqual(listed, [
    { address: '192.0.2.1', prefixLength: 24, link: 'eth0' },
    { address: '2001:db8::1', prefixLength: 64, link: 'eth0' },
  ])
  network.addAddress('eth0', parseAddress('2001:db8::7'), 64, { detectDuplicates: true })
  assert.equal(network.addresses().find(({ address }) => address === '2001:db8::7')?.tentative, true)
  assert.throws(() => network.addAddress('eth0', pair.leftAddress[4], 24), { code: 'exists' })
  network.deleteAddress('eth0', pair.leftAddress[4], 24)
  assert.throws(() => network.deleteAddress('eth0', pair.leftAddress[4], 24), { code: 'missing' })
})

test('frames cross a VXLAN link between namespaces', { timeout: 10_000 }, async (t) => {
  const pair = makePair(t)
  if (pair === undefined) return
  const ends = [
    { end: pair.left, local: pair.leftAddress[4], remote: pair.rightAddress[4], inner: parseAddress('10.7.0.1') },
    { end: pair.right, local: pair.rightAddress[4], remote: pair.leftAddress[4], inner: parseAddress('10.7.0.2') },
  ]
  for (const { end, local, remote, inner } of ends) {
    end.network.addVxlan({ name: 'vx', id: 7, local, port: 8472, link: 'eth0' })
    end.network.setLink('vx', { up: true })
    end.network.addAddress('vx', inner, 24)
    end.network.setForwarding('vx', '00:00:00:00:00:00', remote)
  }
  const server = net.createServer((socket) => socket.end(`to ${socket.remoteAddress}`))
  const { fd, port } = pair.host.listenTcp(pair.right, parseAddress('10.7.0.2'), 0)
  server.listen({ fd })
  t.after(() => server.close())
  const socket = new net.Socket({ fd: pair.host.connectTcp(pair.left, parseAddress('10.7.0.2'), port).fd })
  const [text] = await once(socket, 'data')
  assert.equal(String(text), 'to 10.7.0.1')
  socket.destroy()
})

test('a bridge carries frames between namespaces', { timeout: 10_000 }, async (t) => {
  const made = makeNamespaces(t, 3)
  if (made === undefined) return
  const { host, namespaces } = made
  const [rack, a, b] = namespaces
  assert(rack !== undefined && a !== undefined && b !== undefined)
  rack.network.addBridge('br0')
  rack.network.setLink('br0', { up: true })
  for (const [index, node] of [a, b].entries()) {
    rack.network.addVeth({ name: `port${index}`, peerName: 'eth0', peerNamespace: node })
    rack.network.setLink(`port${index}`, { master: 'br0', up: true })
    node.network.setLink('eth0', { up: true })
    node.network.addAddress('eth0', parseAddress(`10.8.0.${index + 1}`), 24)
  }
  const { fd, port } = host.listenTcp(b, parseAddress('10.8.0.2'), 0)
  const server = net.createServer((socket) => socket.end(`to ${socket.remoteAddress}`)).listen({ fd })
  t.after(() => server.close())
  const socket = new net.Socket({ fd: host.connectTcp(a, parseAddress('10.8.0.2'), port).fd })
  const [text] = await once(socket, 'data')
  assert.equal(String(text), 'to 10.8.0.1')
  socket.destroy()
})
