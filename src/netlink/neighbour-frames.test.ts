import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressFromBytes, parseAddress } from '../addr/index.ts'
import {
  type ArpFrame,
  decodeArp,
  decodeNeighbourFrame,
  encodeArp,
  encodeNeighbourFrame,
  multicastMac,
  type NeighbourFrame,
  renderMac,
  solicitedNodeGroup,
} from './index.ts'

const mac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => renderMac(bytes)!)
const address4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(addressFromBytes)
const address6 = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => addressFromBytes(Uint8Array.from([0xfd, ...bytes.subarray(1)])))

const arp: fc.Arbitrary<ArpFrame> = fc.record({
  etherSource: mac,
  etherDestination: mac,
  operation: fc.constantFrom('request' as const, 'reply' as const),
  senderMac: mac,
  sender: address4,
  targetMac: mac,
  target: address4,
})
const neighbour: fc.Arbitrary<NeighbourFrame> = fc.record({
  etherSource: mac,
  etherDestination: mac,
  source: address6,
  destination: address6,
  target: address6,
  message: fc.oneof(
    fc.record({ kind: fc.constant('solicitation' as const), sourceMac: fc.option(mac, { nil: undefined }) }),
    fc.record({
      kind: fc.constant('advertisement' as const),
      targetMac: fc.option(mac, { nil: undefined }),
      router: fc.boolean(),
      solicited: fc.boolean(),
      override: fc.boolean(),
    }),
  ),
})

const plain = (frame: NeighbourFrame) => ({ ...frame, message: { ...frame.message } })

test('decode is the inverse of encode', () => {
  fc.assert(fc.property(arp, (frame) => assert.deepEqual(decodeArp(encodeArp(frame)), { ...frame })))
  fc.assert(
    fc.property(neighbour, (frame) =>
      assert.deepEqual(decodeNeighbourFrame(encodeNeighbourFrame(frame)), plain(frame)),
    ),
  )
})

test('bytes of a request on the wire', () => {
  const bytes = encodeArp({
    etherSource: '02:00:00:00:00:01',
    etherDestination: 'ff:ff:ff:ff:ff:ff',
    operation: 'request',
    senderMac: '02:00:00:00:00:01',
    sender: parseAddress('192.0.2.1'),
    targetMac: '00:00:00:00:00:00',
    target: parseAddress('192.0.2.2'),
  })
  const expected = 'ffffffffffff02000000000108060001080006040001020000000001c0000201000000000000c0000202'
  assert.equal(bytes.toString('hex'), expected.padEnd(120, '0'))
})

test('groups and their MAC addresses', () => {
  const group = solicitedNodeGroup(parseAddress('2001:db8::1:2345:6789'))
  assert.equal(group, 'ff02::1:ff45:6789')
  assert.equal(multicastMac(group), '33:33:ff:45:67:89')
})

test('whatever arrives is decoded or passed over, never an exception; a changed byte of a neighbour message is seen', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      decodeArp(bytes)
      decodeNeighbourFrame(bytes)
    }),
  )
  fc.assert(
    fc.property(neighbour, fc.nat(), fc.integer({ min: 1, max: 255 }), (frame, where, change) => {
      const bytes = encodeNeighbourFrame(frame)
      // From the ICMPv6 header on, everything is under the checksum.
      const at = 54 + (where % (bytes.length - 54))
      bytes.writeUInt8(bytes.readUInt8(at) ^ change, at)
      assert.equal(decodeNeighbourFrame(bytes), undefined)
      decodeNeighbourFrame(bytes.subarray(0, at))
    }),
  )
})
