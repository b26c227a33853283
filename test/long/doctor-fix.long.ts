// Round trips: a fault, the patch that the doctor prints for it, kubectl, and the doctor again.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { faults } from '../doctor-faults.ts'
import { FaultLab } from '../doctor-lab.ts'

/** Those whose remedy is a field of an object that a patch can change. */
const healed = faults.filter(({ name }) =>
  [
    'selector',
    'target-port',
    'named-port',
    'one-family',
    'speaks-http',
    'speaks-http1',
    'external-local',
    'internal-local',
    'source-ranges',
    'proxy-sent',
    'policy-ingress',
    'policy-egress',
    'policy-port',
  ].includes(name),
)
const patienceMs = 30_000
const lab = new FaultLab(`doctor-fix-${process.pid}`)
before(async () => {
  await lab.start(healed)
  await lab.settled(healed)
})
after(() => lab.stop())

for (const fault of healed) {
  test(`the patch that is printed heals it: ${fault.says}`, async (t) => {
    const target = fault.target ?? 'svc/web'
    const words = ['doctor', target, '-n', fault.name, '--from', 'client']
    const { code, stdout } = await lab.cli(...words, '--fix')
    assert.equal(code, 1, stdout)
    const [, remedy = ''] = stdout.split('\nThe remedy\n')
    const command = /^ {2}(kubectl patch .*)$/m.exec(remedy)?.[1]
    assert.ok(command !== undefined, stdout)
    if (fault.target === undefined) assert.match(remedy, /✓ tried on the model/)
    await lab.kubectl(command)
    const began = performance.now()
    for (;;) {
      const again = await lab.cli(...words)
      if (again.code === 0) break
      assert.ok(performance.now() - began < patienceMs, `${command}\n${again.stdout}`)
      await pause(200)
    }
    t.diagnostic(`${command}: well after ${Math.round(performance.now() - began)} ms`)
  })
}
