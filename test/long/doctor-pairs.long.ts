import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
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

test('two faults at once: both are named in 80 %', async (t) => {
  let named = 0
  for (const { fault, both } of pairs) {
    await lab.inject(fault, 'on')
    const { causes } = await lab.doctor(fault)
    await lab.inject(fault, 'off')
    const missed = both.filter((one) => !causes.some((cause) => names(cause, one, fault.name)))
    if (missed.length === 0) named++
    else
      t.diagnostic(
        `${fault.name}: not ${missed.map(({ name }) => name).join(', ')}, but ${causes.map(({ rule }) => rule).join(', ')}`,
      )
  }
  t.diagnostic(`both named in ${named} of ${pairs.length} pairs`)
  assert.ok(named / pairs.length >= 0.8)
})
