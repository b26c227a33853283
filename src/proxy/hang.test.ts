import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { serviceOf, sliceOf } from './gateway-objects.fixture.ts'
import { ingressOf, plumbClass } from './ingress-objects.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'
import { workersOf } from './workers.ts'

let gateway: GatewayRig

before(async () => {
  gateway = new GatewayRig(0, 1500)
  const [one, two] = gateway.rig.backends
  gateway.serve(one, 8001)
  gateway.serve(two, 8001)
  await gateway.change([plumbClass, serviceOf('a'), sliceOf('a', 8001, one)])
  await gateway.change([ingressOf('web', 'a.example', {}, 'a')])
})
after(() => gateway.close())

const ask = (): Promise<string> =>
  Promise.race([
    gateway.ask('a.example', '/').then(
      ({ from }) => from,
      () => '',
    ),
    new Promise<string>((resolve) => setTimeout(resolve, 300, '')),
  ])

for (const hung of ['worker', 'master'] as const)
  test(`a ${hung} that hangs is ended, and HAProxy serves again by itself with what changed meanwhile`, {
    timeout: 60_000,
  }, async (t) => {
    const [one, two] = gateway.rig.backends
    await gateway.change([sliceOf('a', 8001, one)])
    assert.equal(await ask(), 'backend-1:8001', gateway.log.lines.join('\n'))
    const master = gateway.module.pid!
    const [worker] = await workersOf(`${gateway.directory}/master.sock`)
    process.kill(hung === 'worker' ? worker!.pid : master, 'SIGSTOP')
    const begun = performance.now()
    const changed = gateway.change([sliceOf('a', 8001, two), serviceOf(`new-${hung}`)])
    while ((await ask()) !== 'backend-2:8001' || gateway.module.pid === master) await new Promise(setImmediate)
    t.diagnostic(`served again after ${Math.round(performance.now() - begun)} ms`)
    await changed
    assert.ok(gateway.log.lines.some((line) => line.includes('haproxy does not answer and is ended')))
    assert.notEqual((await workersOf(`${gateway.directory}/master.sock`))[0]?.pid, worker!.pid)
  })
