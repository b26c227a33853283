// A process that a test kills: an agent in the namespace at argv[2] that replaces its tables without end.
import { type Address, parseAddress } from '../addr/index.ts'
import { startAgent } from './index.ts'
import { host, Objects, quietLog, serviceObject, servicePrefixes, sliceObject } from './rig.fixture.ts'

const [, , path = '', vip = '', backend = '', count = '0'] = process.argv
const objects = new Objects()
const ports = [{ name: 'tcp', port: 80, protocol: 'TCP' as const }]
objects.put(serviceObject('web', [vip], { ports }))
objects.put(sliceObject('web', 4, [parseAddress(backend)]))
for (let i = 0; i < Number(count); i++) {
  objects.put(serviceObject(`s${i}`, [`10.96.${16 + (i >> 8)}.${i & 255}`], { ports }))
  objects.put(sliceObject(`s${i}`, 4, [parseAddress('10.244.9.9'), `10.244.9.${1 + (i % 250)}` as Address]))
}
for (;;) {
  // The first round of each is whole: one transaction takes the old tables away and makes the new ones.
  const agent = await startAgent({
    client: objects.client,
    host,
    namespace: host.openNamespace(path),
    nodeName: 'node-1',
    options: { servicePrefixes, log: quietLog() },
  })
  await agent.ready
  console.log('round')
  await agent.stop()
}
