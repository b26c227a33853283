import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { faults } from '../doctor-faults.ts'
import { FaultLab, placeOf } from '../doctor-lab.ts'

const lab = new FaultLab(`doctor-long-${process.pid}`)
before(async () => {
  await lab.start(faults)
  await lab.settled(faults)
})
after(() => lab.stop())

test('every fault: the right cause first in 95 %, within the first three in 99 %', async (t) => {
  const rows: string[] = []
  const places: (number | undefined)[] = []
  for (const fault of faults) {
    await lab.inject(fault, 'on')
    const said = await lab.doctor(fault)
    await lab.inject(fault, 'off')
    const place = placeOf(fault, said)
    places.push(place)
    rows.push(
      `${fault.name.padEnd(20)} ${place === undefined ? 'MISSED' : `cause ${place}`} exit ${said.code} ${said.ms} ms: ${said.says}`,
    )
    if (place !== 1) rows.push(...said.causes.map(({ rule, object, field }) => `    ${rule} ${object} ${field}`))
  }
  t.diagnostic(`\n${rows.join('\n')}`)
  const share = (within: number): number =>
    places.filter((one) => one !== undefined && one <= within).length / places.length
  t.diagnostic(
    `right first ${Math.round(share(1) * 100)} %, within three ${Math.round(share(3) * 100)} %, of ${places.length} faults`,
  )
  assert.ok(share(1) >= 0.95)
  assert.ok(share(3) >= 0.99)
})
