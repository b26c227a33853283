import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  addressAt,
  addressFromBytes,
  bytesOf,
  contains,
  families,
  familyOf,
  findAddress,
  findPrefix,
  offsetOf,
  overlaps,
  parseAddress,
  parsePrefix,
  prefixAddress,
  prefixSize,
} from './index.ts'

const bytesArbitrary = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc
    .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 })), { minLength: 16, maxLength: 16 })
    .map((bytes) => Uint8Array.from(bytes)),
)

test('bytes, text and offset are three forms of one address', () => {
  fc.assert(
    fc.property(bytesArbitrary, (bytes) => {
      const address = addressFromBytes(bytes)
      if (bytes.length === 16 && bytes.subarray(0, 10).every((b) => b === 0) && bytes[10] === 255 && bytes[11] === 255)
        return
      assert.equal(parseAddress(address), address)
      assert.deepEqual(bytesOf(address), bytes)
      assert.equal(addressAt(familyOf(address), offsetOf(address)), address)
    }),
  )
})

test('text is canonical (RFC 5952)', () => {
  const cases: [string, string | undefined][] = [
    ['10.0.0.1', '10.0.0.1'],
    ['010.0.0.1', undefined],
    ['10.0.0', undefined],
    ['', undefined],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['::ffff:10.0.0.1', undefined],
    ['fe80::1%eth0', undefined],
  ]
  for (const [text, expected] of cases) assert.equal(findAddress(text), expected, text)
})

test('a prefix has no host bits unless they are masked away', () => {
  assert.equal(findPrefix('10.1.2.3/8'), undefined)
  assert.equal(findPrefix('10.1.2.3/8', true), '10.0.0.0/8')
  assert.equal(findPrefix('FD00::/8'), 'fd00::/8')
  for (const bad of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/08', 'fd00::/129', '/8']) {
    assert.equal(findPrefix(bad), undefined, bad)
  }
})

test('contains and overlaps agree with the arithmetic', () => {
  fc.assert(
    fc.property(bytesArbitrary, bytesArbitrary, fc.nat(128), (a, b, length) => {
      const address = addressFromBytes(a)
      const other = addressFromBytes(b)
      const bits = a.length * 8
      const prefix = findPrefix(`${address}/${length % (bits + 1)}`, true)
      if (prefix === undefined) return
      assert.ok(contains(prefix, address))
      const first = offsetOf(prefixAddress(prefix))
      const inside =
        familyOf(other) === familyOf(address) &&
        offsetOf(other) >= first &&
        offsetOf(other) < first + prefixSize(prefix)
      assert.equal(contains(prefix, other), inside)
    }),
  )
  assert.ok(overlaps(parsePrefix('10.0.0.0/8'), parsePrefix('10.1.0.0/16')))
  assert.ok(!overlaps(parsePrefix('10.0.0.0/16'), parsePrefix('10.1.0.0/16')))
  assert.deepEqual(families, [4, 6])
})
