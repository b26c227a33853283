import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Address, parsePrefix } from '../addr/index.ts'
import { AddressPool, addressBand, findPortRange, firstAddress, Pool, PortPool, portBand } from './index.ts'

const zero = () => 0

test('bands of KEP-3070 and KEP-3668', () => {
  const rows: [number, number][] = [
    [8, 0],
    [16, 0],
    [32, 16],
    [256, 16],
    [1024, 64],
    [4096, 256],
    [65_536, 256],
  ]
  for (const [size, band] of rows) assert.equal(addressBand(size), band, `addresses: ${size}`)
  const ports: [number, number][] = [
    [16, 0],
    [100, 16],
    [2768, 86],
    [10_000, 128],
  ]
  for (const [size, band] of ports) assert.equal(portBand(size), band, `ports: ${size}`)
})

test('dynamic picks leave the lower band until the upper is full', () => {
  const pool = new PortPool({ first: 30_000, last: 32_767 })
  assert.equal(pool.takeNext(zero), 30_086)
  assert.equal(pool.take(30_000), undefined)
  assert.equal(pool.take(30_000), 'allocated')
  assert.equal(pool.take(29_999), 'outside')
  assert.equal(pool.take(32_768), 'outside')
  while (pool.free > 85) assert.ok((pool.takeNext(zero) ?? 0) >= 30_086)
  assert.equal(pool.takeNext(zero), 30_001)
})

test('IPv4 leaves out network and broadcast, IPv6 the network address', () => {
  const rows: [string, number, string, string[]][] = [
    ['10.96.0.0/29', 6, '10.96.0.1', ['10.96.0.0', '10.96.0.7', '10.96.0.8']],
    ['fd00:96::/125', 7, 'fd00:96::1', ['fd00:96::', 'fd00:96::8']],
  ]
  for (const [text, free, first, refused] of rows) {
    const pool = new AddressPool(parsePrefix(text))
    assert.equal(pool.free, free)
    assert.equal(firstAddress(pool.prefix), first)
    for (const address of refused) assert.equal(pool.take(address as Address), 'outside', address)
    const seen = new Set(Array.from({ length: free }, () => pool.takeNext(zero)))
    assert.equal(seen.size, free)
    assert.equal(pool.takeNext(zero), undefined)
    pool.release(first as Address)
    assert.equal(pool.takeNext(zero), first)
  }
})

test('an enormous IPv6 prefix is bounded, not scanned', () => {
  const pool = new AddressPool(parsePrefix('fd00::/64'))
  const address = pool.takeNext((below) => below - 1)
  assert.equal(address, 'fd00::ffff:ffff')
})

test('port ranges', () => {
  assert.deepEqual(findPortRange('30000-32767'), { first: 30_000, last: 32_767 })
  for (const text of ['', '30000', '2-1', '0-5', '1-65536', 'a-b', '1-2-3'])
    assert.equal(findPortRange(text), undefined)
})

test('a pool never hands out the same offset twice', () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constant('take' as const), offset: fc.integer({ min: -2, max: 40 }) }),
    fc.record({ kind: fc.constant('next' as const), offset: fc.nat(1000) }),
    fc.record({ kind: fc.constant('release' as const), offset: fc.integer({ min: -2, max: 40 }) }),
  )
  fc.assert(
    fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
      const pool = new Pool(36, 16)
      const model = new Set<number>()
      for (const { kind, offset } of actions) {
        if (kind === 'take') {
          const failure = pool.take(offset)
          assert.equal(failure, offset < 0 || offset >= 36 ? 'outside' : model.has(offset) ? 'allocated' : undefined)
          if (failure === undefined) model.add(offset)
        } else if (kind === 'next') {
          const next = pool.takeNext((below) => offset % below)
          if (next === undefined) assert.equal(model.size, 36)
          else {
            assert.ok(!model.has(next))
            const upperFree = Array.from({ length: 20 }, (_, i) => i + 16).some((i) => !model.has(i))
            assert.equal(next >= 16, upperFree)
            model.add(next)
          }
        } else {
          pool.release(offset)
          model.delete(offset)
        }
        assert.equal(pool.free, 36 - model.size)
      }
    }),
  )
})
