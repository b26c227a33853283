// 10,000 histories with a virtual clock, and 1,000 real partitions: the tests of the folders, that often.
import { test } from 'node:test'
import fc from 'fast-check'
import { partitions } from '../../src/announce/partitions.fixture.ts'

test('in 10,000 random partitions no address ever has two holders, and afterwards each has one', () => {
  fc.assert(partitions, { numRuns: 10_000 })
})

process.env.PLUMB_PARTITIONS ??= '1000'
await import('../../src/speaker/partitions.test.ts')
