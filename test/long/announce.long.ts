import { test } from 'node:test'
import fc from 'fast-check'
import { partitions } from '../../src/announce/partitions.fixture.ts'

test('in 2,000 random partitions no address ever has two holders, and afterwards each has one', () => {
  fc.assert(partitions, { numRuns: 2000 })
})
