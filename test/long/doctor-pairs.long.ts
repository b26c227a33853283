import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Cause } from '../../src/doctor/index.ts'
import type { Fault } from '../doctor-faults.ts'
import { FaultLab, names } from '../doctor-lab.ts'
import { pairsOfFaults } from '../doctor-pairs.ts'

const pairs = pairsOfFaults()
const faults = pairs.map(({ fault }) => fault)
const lab = new FaultLab(`doctor-pairs-${process.pid}`)
before(async () => {
  await lab.start(faults)
  await lab.settled(faults)
})
after(() => lab.stop())

/** What is said of both; nothing where they cannot be put into one lab. */
async function tell(fault: Fault): Promise<readonly Cause[]> {
  try {
    await lab.inject(fault, 'on')
    return (await lab.doctor(fault)).causes
  } catch (error) {
    console.log(`${fault.name}: ${(error as Error).message}`)
    return []
  } finally {
    await lab.inject(fault, 'off').catch((error: Error) => console.log(`${fault.name}, taken back: ${error.message}`))
  }
}

test('two faults at once: both are named in 80 %', async (t) => {
  let named = 0
  for (const { fault, both } of pairs) {
    const causes = await tell(fault)
    const missed = both.filter((one) => !causes.some((cause) => names(cause, one, fault.name)))
    if (missed.length === 0) named++
    else
      console.log(
        `${fault.name}: not ${missed.map(({ name }) => name).join(', ')}, but ${causes.map(({ rule }) => rule).join(', ')}`,
      )
  }
  t.diagnostic(`both named in ${named} of ${pairs.length} pairs`)
  assert.ok(named / pairs.length >= 0.8)
})
