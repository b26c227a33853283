import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesOf, parseAddress } from '../addr/index.ts'
import {
  AttributeWriter,
  decodeIpPacket,
  decodeLoggedPacket,
  NFNL_SUBSYS_ULOG,
  nfnetlinkType,
  readMessages,
  writeNetfilterHeader,
} from './index.ts'

const [a, b] = [parseAddress('2001:db8::1'), parseAddress('2001:db8::2')]

function v6(next: number, ...rest: readonly (readonly number[])[]): Buffer {
  const head = Buffer.alloc(8)
  head[0] = 0x60
  head[6] = next
  return Buffer.concat([head, bytesOf(a), bytesOf(b), ...rest.map((part) => Buffer.from(part))])
}

const ports = [0x12, 0x34, 0x00, 0x35]

test('IPv6: ports come after whatever headers there are, and later fragments have none', () => {
  const options = (next: number): number[] => [next, 0, 0, 0, 0, 0, 0, 0]
  const fragment = (next: number, offset: number): number[] => [next, 0, offset >> 5, (offset << 3) & 255, 0, 0, 0, 1]
  const cases = [
    [v6(17, ports), 17, 53],
    [v6(0, options(60), options(17), ports), 17, 53],
    [v6(44, fragment(6, 0), ports), 6, 53],
    [v6(44, fragment(6, 100), ports), 6, undefined],
    [v6(58, ports), 58, undefined],
    [v6(132, ports), 132, 53],
    [v6(17, ports.slice(0, 3)), 17, undefined],
  ] as const
  for (const [bytes, protocol, port] of cases) {
    const packet = decodeIpPacket(6, bytes)
    assert.deepEqual([packet?.source, packet?.destination], [a, b])
    assert.deepEqual([packet?.protocol, packet?.destinationPort], [protocol, port])
  }
})

test('no bytes make the decoder throw or read beyond them', () => {
  fc.assert(
    fc.property(fc.constantFrom(4 as const, 6 as const), fc.uint8Array({ maxLength: 120 }), (family, bytes) => {
      const buffer = Buffer.from(bytes)
      if (buffer.length > 0) buffer[0] = (family << 4) | (buffer[0]! & 15)
      const packet = decodeIpPacket(family, buffer)
      assert.ok(packet === undefined || buffer.length >= (family === 4 ? 20 : 40))
    }),
  )
})

test('a logged packet is its prefix and its bytes; other messages are none', () => {
  const encode = (type: number): Buffer => {
    const writer = new AttributeWriter(64)
    const start = writer.beginMessage(type, 0, 0)
    writeNetfilterHeader(writer, 10, 80)
    writer.bytes(10, Buffer.from('denied\0'))
    writer.bytes(9, v6(17, ports))
    writer.endMessage(start)
    return writer.result()
  }
  const [message] = [...readMessages(encode(nfnetlinkType(NFNL_SUBSYS_ULOG, 0)))]
  const decoded = decodeLoggedPacket(message!)
  assert.deepEqual([decoded?.family, decoded?.prefix, decoded?.bytes.length], [6, 'denied', 44])
  const [other] = [...readMessages(encode(nfnetlinkType(NFNL_SUBSYS_ULOG, 1)))]
  assert.equal(decodeLoggedPacket(other!), undefined)
})
