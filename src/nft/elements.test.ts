import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressAt } from '../addr/index.ts'
import { readMessages } from '../netlink/index.ts'
import { type DataType, decodeElements, type Element, encodeTransaction, type SetDeclaration } from './index.ts'

const texts: Record<Exclude<DataType, 'verdict'>, fc.Arbitrary<string>> = {
  ipv4_addr: fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((n) => addressAt(4, n)),
  // The last 96 bits are never all that is set: ::ffff:0:0/96 has no text here.
  ipv6_addr: fc.bigInt({ min: 2n ** 100n, max: 2n ** 128n - 1n }).map((n) => addressAt(6, n)),
  inet_proto: fc.constantFrom('tcp', 'udp', 'sctp', 'icmp', 'ipv6-icmp', '200'),
  inet_service: fc.integer({ min: 0, max: 65535 }).map(String),
  mark: fc.integer({ min: 0, max: 0xffffffff }).map((n) => `0x${n.toString(16).padStart(8, '0')}`),
  classid: fc
    .tuple(fc.integer({ min: 0, max: 0xfffe }), fc.integer({ min: 1, max: 0xffff }))
    .map(([major, minor]) => `${major.toString(16)}:${minor.toString(16)}`),
  ifname: fc.stringMatching(/^[a-z][a-z0-9.@-]{0,14}$/).map((name) => `"${name}"`),
  ether_addr: fc
    .uint8Array({ minLength: 6, maxLength: 6 })
    .map((bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')),
}
const types = Object.keys(texts) as (keyof typeof texts)[]
const partsOf = (of: readonly (keyof typeof texts)[]) =>
  fc.tuple(...of.map((type) => texts[type])).map((parts) => parts.join(' . '))
const comment = fc.option(fc.stringMatching(/^[ -!#-~]{1,100}$/), { nil: undefined })

const setWithElements = fc
  .record({
    key: fc.array(fc.constantFrom(...types), { minLength: 1, maxLength: 3 }),
    value: fc.option(fc.array(fc.constantFrom(...types), { minLength: 1, maxLength: 2 }), { nil: undefined }),
  })
  .chain(({ key, value }) => {
    const set: SetDeclaration = { name: 's', key, ...(value === undefined ? {} : { value }) }
    const element = fc.record({
      key: partsOf(key),
      value: value === undefined ? fc.constant(undefined) : partsOf(value),
      comment,
      timeoutSeconds: fc.option(fc.integer({ min: 1, max: 100000 }), { nil: undefined }),
    })
    const strip = (from: typeof element extends fc.Arbitrary<infer T> ? T : never): Element =>
      Object.fromEntries(Object.entries(from).filter(([, of]) => of !== undefined)) as unknown as Element
    return fc.record({ set: fc.constant(set), elements: fc.array(element.map(strip), { maxLength: 20 }) })
  })

/** NFT_MSG_NEWSETELEM of subsystem 10: what we send reads like what the kernel answers. */
function roundTrip(set: SetDeclaration, elements: readonly Element[]): Element[] {
  const { bytes } = encodeTransaction([{ kind: 'add-elements', family: 'ip', table: 't', set, elements }])
  return decodeElements(
    set,
    [...readMessages(bytes)].filter(({ type }) => type === ((10 << 8) | 12)),
  )
}

test('decode is the inverse of encode', () => {
  fc.assert(
    fc.property(setWithElements, ({ set, elements }) => {
      assert.deepEqual(roundTrip(set, elements), elements)
    }),
  )
})

test('decode is the inverse of encode for intervals that do not touch', () => {
  const points = fc.uniqueArray(fc.integer({ min: 0, max: 0xffffffff }), { minLength: 2, maxLength: 20 })
  fc.assert(
    fc.property(points, (list) => {
      const numbers = list.sort((a, b) => a - b)
      const elements: Element[] = []
      for (let i = 0; i + 1 < numbers.length; i += 2) {
        const [low, high] = [addressAt(4, BigInt(numbers[i]!)), addressAt(4, BigInt(numbers[i + 1]!))]
        elements.push({ key: `${low}-${high}` })
      }
      const set: SetDeclaration = { name: 's', key: ['ipv4_addr'], flags: ['interval'] }
      const once = roundTrip(set, elements)
      assert.deepEqual(roundTrip(set, once), once)
      assert.equal(once.length, elements.length)
      for (const [i, { key }] of elements.entries()) {
        // The same range, perhaps spelt as a prefix.
        if (!once[i]!.key.includes('/')) assert.equal(once[i]!.key, key)
      }
    }),
  )
})

test('a list never exceeds the 64 KiB of an attribute, and each message knows its elements', () => {
  const set: SetDeclaration = { name: 's', key: ['ipv6_addr', 'inet_service'], value: ['verdict'] }
  const long = 'c'.repeat(200)
  const elements = Array.from({ length: 3000 }, (_, i) => ({
    key: `fd00::${(i + 1).toString(16)} . 80`,
    value: `goto ${long}`,
    comment: 'x'.repeat(120),
  }))
  const encoded = encodeTransaction([{ kind: 'add-elements', family: 'ip6', table: 't', set, elements }], 7)
  const carried = encoded.sources.filter((source) => source !== undefined)
  assert.ok(carried.length > 1)
  assert.equal(
    carried.reduce((sum, { elementCount = 0 }) => sum + elementCount, 0),
    elements.length,
  )
  for (const message of readMessages(encoded.bytes)) assert.ok(message.end - message.start < 65536 + 64)
  const decoded = roundTrip(set, elements)
  assert.equal(decoded.length, elements.length)
  assert.ok(decoded.every((element, i) => element.key === elements[i]?.key))
})

const bad: readonly (readonly [SetDeclaration['key'], string])[] = [
  [['ipv4_addr'], '10.0.0'],
  [['ipv4_addr'], '10.0.0.256'],
  [['ipv4_addr'], '10.0.0.1.2'],
  [['ipv4_addr'], ''],
  [['ipv6_addr'], 'fd00:::1'],
  [['ipv6_addr'], 'fd00::1::2'],
  [['ipv6_addr'], '1:2:3:4:5:6:7'],
  [['ipv6_addr'], '1:2:3:4:5:6:7:8:9'],
  [['ipv6_addr'], '12345::'],
  [['ipv6_addr'], ':1'],
  [['inet_service'], '65536'],
  [['inet_service'], '-1'],
  [['inet_service'], 'http'],
  [['inet_proto'], 'quic'],
  [['mark'], '0x1ffffffff'],
  [['classid'], '1:2:3'],
  [['ifname'], '"a-name-of-16-chr"'],
  [['ether_addr'], '00:00:00:00:00'],
  [['ipv4_addr', 'inet_service'], '10.0.0.1'],
  [['ipv4_addr', 'inet_service'], '10.0.0.1 . 80 . 90'],
]
for (const [key, text] of bad) {
  test(`refuses "${text}" as ${key.join(' . ')}, naming it`, () => {
    const set: SetDeclaration = { name: 'ports', key }
    assert.throws(() => roundTrip(set, [{ key: text }]), {
      name: 'TypeError',
      message: new RegExp(`set ports, element "${text.replace(/[.*+?]/g, '.')}"`),
    })
  })
}
