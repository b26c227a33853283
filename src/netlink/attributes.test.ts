import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AttributeWriter, forEachAttribute, NLA_F_NESTED, readAttributes } from './index.ts'

type Value =
  | { kind: 'u8' | 'u16' | 'u16be' | 'u32' | 'u32be'; value: number }
  | { kind: 'u64' | 'u64be'; value: bigint }
  | { kind: 'string'; value: string }
  | { kind: 'bytes'; value: Uint8Array }

const number = (kind: 'u8' | 'u16' | 'u16be' | 'u32' | 'u32be', max: number) =>
  fc.record({ kind: fc.constant(kind), value: fc.nat(max) })
const big = (kind: 'u64' | 'u64be') =>
  fc.record({ kind: fc.constant(kind), value: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }) })
const value: fc.Arbitrary<Value> = fc.oneof(
  number('u8', 0xff),
  number('u16', 0xffff),
  number('u16be', 0xffff),
  number('u32', 0xffffffff),
  number('u32be', 0xffffffff),
  big('u64'),
  big('u64be'),
  fc.record({
    kind: fc.constant('string' as const),
    value: fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0') && text.isWellFormed()),
  }),
  fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 300 }) }),
)

function write(writer: AttributeWriter, type: number, item: Value): void {
  switch (item.kind) {
    case 'string':
      writer.string(type, item.value)
      break
    case 'bytes':
      writer.bytes(type, item.value)
      break
    case 'u64':
    case 'u64be':
      writer[item.kind](type, item.value)
      break
    default:
      writer[item.kind](type, item.value)
  }
}

test('attributes read back as written, nested or not, padded to 4 bytes', () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 20 }), fc.boolean(), (items, nested) => {
      const writer = new AttributeWriter(64)
      const start = nested ? writer.nest(7) : 0
      for (const [index, item] of items.entries()) write(writer, index + 1, item)
      if (nested) writer.end(start)
      assert.equal(writer.length % 4, 0)
      const outer = readAttributes(writer.result())
      const attributes = nested ? outer.nested(7)! : outer
      for (const [index, item] of items.entries()) {
        const read = attributes[item.kind](index + 1)
        if (item.kind === 'bytes') assert.deepEqual(new Uint8Array(read as Buffer), item.value)
        else assert.equal(read, item.value)
      }
    }),
  )
})

test('a list keeps order and repeated types', () => {
  const writer = new AttributeWriter()
  const list = writer.nest(3)
  for (const n of [5, 6, 7]) writer.u32be(1, n)
  writer.end(list)
  const attributes = readAttributes(writer.result())
  const bytes = writer.result()
  assert.deepEqual(
    attributes.list(3).map(({ type, start }) => [type, bytes.readUInt32BE(start)]),
    [
      [1, 5],
      [1, 6],
      [1, 7],
    ],
  )
})

test('negative numbers are written in two’s complement', () => {
  const writer = new AttributeWriter()
  writer.u32be(1, -100)
  assert.equal(writer.result().readInt32BE(4), -100)
})

test('reading any bytes stays within them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      const buffer = Buffer.from(noise)
      forEachAttribute(buffer, 0, buffer.length, (_type, start, end) => {
        assert(start <= end && end <= buffer.length)
      })
    }),
  )
})

test('an attribute beyond 64 KiB is refused, not cut', () => {
  const writer = new AttributeWriter()
  assert.throws(() => writer.bytes(1, new Uint8Array(65532)), /exceeds 64 KiB/)
  const start = writer.nest(1)
  for (let i = 0; i < 2; i++) writer.bytes(1, new Uint8Array(40000))
  assert.throws(() => writer.end(start), /exceeds 64 KiB/)
})

test('truncating forgets, and stale bytes do not show in the padding', () => {
  const writer = new AttributeWriter()
  writer.bytes(1, new Uint8Array(32).fill(0xff))
  writer.truncate(0)
  writer.u8(NLA_F_NESTED | 2, 1)
  assert.deepEqual([...writer.result()], [5, 0, 2, 0x80, 1, 0, 0, 0])
})
