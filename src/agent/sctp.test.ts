import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { type Address, parseAddress } from '../addr/index.ts'
import { type Namespace, spawnIn } from '../host/index.ts'
import type { EndpointSlice } from '../objects/index.ts'
import type { Agent } from './index.ts'
import {
  buildRig,
  nodeObject,
  Objects,
  quietLog,
  type Rig,
  serviceObject,
  sliceObject,
  startOnRig,
} from './rig.fixture.ts'

const vip = parseAddress('10.96.0.1')
const sctp = 132
const icmp = 1
const koffi = createRequire(import.meta.url).resolve('koffi')
const children: ChildProcess[] = []
let rig: Rig
let objects: Objects
let agent: Agent

before(async () => {
  rig = buildRig()
  objects = new Objects()
  objects.put(nodeObject('node-1', rig))
  agent = await startOnRig(rig, objects, quietLog())
  await agent.ready
})
after(async () => {
  for (const child of children) child.kill()
  await agent.stop()
  rig.close()
})

/** What raw sockets of the C library can be asked. */
const raw = `
  const koffi = require(${JSON.stringify(koffi)})
  const c = koffi.load('libc.so.6')
  const socket = c.func('int socket(int, int, int)')
  const recv = c.func('long recv(int, _Out_ void *, size_t, int)')
  const sendto = c.func('long sendto(int, void *, size_t, int, void *, int)')`

/** Packets of a protocol that a namespace gets, IP header included, as they come. */
function listen(namespace: Namespace, protocol: number): AsyncIterator<Buffer> {
  const script = `${raw}
    const fd = socket(2, 3, ${protocol})
    console.log('ready')
    const buffer = Buffer.alloc(2048)
    for (;;) console.log(buffer.subarray(0, Number(recv(fd, buffer, 2048, 0))).toString('hex'))`
  const child = spawnIn(namespace, process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  return {
    async next() {
      const { value } = (await lines.next()) as { value: string }
      return { value: Buffer.from(value === 'ready' ? '' : value, 'hex'), done: false }
    },
  }
}

/** Sends the INIT of an association (RFC 9260, 3.3.2) every 50 ms: a kernel without SCTP sockets forwards it all the same. */
function associate(namespace: Namespace, to: Address, port: number): void {
  const packet = Buffer.alloc(12 + 20)
  packet.writeUInt16BE(40_000, 0)
  packet.writeUInt16BE(port, 2)
  packet.writeUInt8(1, 12)
  packet.writeUInt16BE(20, 14)
  packet.writeUInt32BE(0x1234, 16)
  packet.writeUInt32BE(65_535, 20)
  packet.writeUInt16BE(1, 24)
  packet.writeUInt16BE(1, 26)
  packet.writeUInt32BE(7, 28)
  packet.writeUInt32LE(crc32c(packet), 8)
  const script = `${raw}
    const fd = socket(2, 3, ${sctp})
    const packet = Buffer.from('${packet.toString('hex')}', 'hex')
    const address = Buffer.from([2, 0, 0, 0, ${to.split('.').join(', ')}, 0, 0, 0, 0, 0, 0, 0, 0])
    setInterval(() => sendto(fd, packet, packet.length, 0, address, 16), 50)`
  children.push(spawnIn(namespace, process.execPath, ['-e', script], { stdio: 'inherit' }))
}

/** The checksum of SCTP (RFC 9260, appendix A), which connection tracking examines. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

const ipOf = (packet: Buffer, at: number): string => [...packet.subarray(at, at + 4)].join('.')

test('the first chunk of an SCTP association reaches an endpoint, translated, under the pod’s address', async () => {
  objects.put(serviceObject('web', [vip], { ports: [{ name: 'sctp', port: 9, protocol: 'SCTP' }] }))
  const slice = sliceObject('web', 4, [rig.backends[0].addresses[4]])
  objects.put({ ...slice, ports: [{ name: 'sctp', port: 9999, protocol: 'SCTP' }] } as EndpointSlice)
  await agent.settled()
  const arrives = listen(rig.backends[0].namespace, sctp)
  await arrives.next()
  associate(rig.client.namespace, vip, 9)
  const { value: packet } = (await arrives.next()) as { value: Buffer }
  const body = packet.subarray((packet[0]! & 15) * 4)
  assert.deepEqual(
    [ipOf(packet, 12), ipOf(packet, 16), body.readUInt16BE(0), body.readUInt16BE(2), body[12]],
    [rig.client.addresses[4], rig.backends[0].addresses[4], 40_000, 9999, 1],
  )
  const sum = body.readUInt32LE(8)
  body.writeUInt32LE(0, 8)
  assert.equal(sum, crc32c(body), 'the checksum is made anew')
  const [entry] = rig.node.network.connections({ protocol: sctp })
  assert.deepEqual(
    [entry?.original.destination, entry?.original.destinationPort, entry?.reply.source, entry?.reply.sourcePort],
    [vip, 9, rig.backends[0].addresses[4], 9999],
  )
})

test('a port of SCTP that nobody serves is refused', async () => {
  const hears = listen(rig.client.namespace, icmp)
  await hears.next()
  associate(rig.client.namespace, vip, 10)
  const { value: packet } = (await hears.next()) as { value: Buffer }
  const body = packet.subarray((packet[0]! & 15) * 4)
  assert.deepEqual([body[0], body[1]], [3, 3], 'ICMP port unreachable')
})
