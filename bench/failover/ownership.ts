import fc from 'fast-check'
import { partitions } from '../../src/announce/partitions.fixture.ts'
import { observePartitions } from '../../src/speaker/partitions.fixture.ts'
import { buildWires } from '../../src/speaker/segment.fixture.ts'
import type { Row } from '../row.ts'

const histories = Number(process.env.PLUMB_HISTORIES ?? 1000)
const real = Number(process.env.PLUMB_PARTITIONS ?? 100)

/** Whether two ever hold one address: in random histories with a virtual clock, and in random partitions of real processes, seen from outside. */
export async function* ownership(): AsyncIterable<Row> {
  const row = (metric: string, value: number, unit: string): Row => ({ bench: 'failover', metric, value, unit })
  const { failed, numRuns } = fc.check(partitions, { numRuns: histories })
  yield row(`dual ownership in ${numRuns} random histories, virtual clock`, failed ? 1 : 0, 'histories')
  const wires = buildWires(5)
  try {
    const seed = Number(process.env.PLUMB_SEED ?? Date.now() % 1e9)
    const { dualMs, answers, changes } = await observePartitions(wires, real, seed)
    const metric = `dual ownership in ${real} random partitions, ${answers} answers, ${changes} changes, seed ${seed}`
    yield row(metric, dualMs, 'ms')
  } finally {
    wires.close()
  }
}
