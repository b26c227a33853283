import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { before, beforeEach, test } from 'node:test'
import { type Family, parseAddress } from '../addr/index.ts'
import { spawnIn } from '../host/index.ts'
import { agentOnRig } from './agent-on-rig.fixture.ts'
import type { Agent } from './index.ts'
import { askTcp, host, openUdp, type Rig, serveTcp, serveUdp, serviceObject, sliceObject } from './rig.fixture.ts'

const vips = { 4: parseAddress('10.96.0.1'), 6: parseAddress('fd00:96::1') }
const both = [vips[4], vips[6]]
const { rig, objects, log, closing, start } = agentOnRig()
let agent: Agent

before(async () => {
  for (const backend of rig.backends) {
    for (const family of [4, 6] as const) {
      closing.push(
        serveTcp(backend, family, 8080),
        serveUdp(backend, family, 5353),
        serveTcp(backend, family, 8081, true),
      )
    }
  }
  agent = await start()
  await agent.ready
})
beforeEach(async () => {
  objects.put(serviceObject('web', both))
  endpoints(...rig.backends.map(({ addresses }) => addresses))
  await agent.settled()
})

/** Puts slices of both families with these endpoints. */
function endpoints(...addresses: readonly Rig['client']['addresses'][]): void {
  for (const family of [4, 6] as const) {
    objects.put(
      sliceObject(
        'web',
        family,
        addresses.map((one) => one[family]),
      ),
    )
  }
}

for (const family of [4, 6] as const) {
  test(`IPv${family}: a pod’s TCP connections are spread evenly and keep its address`, async () => {
    const answers: string[] = []
    for (let i = 0; i < 60; i++) answers.push(await askTcp(rig.client.namespace, vips[family], 80))
    for (const { name } of rig.backends) {
      const own = answers.filter((answer) => answer === `${name} ${rig.client.addresses[family]}`)
      // 60 fair coins come up fewer than 12 times on one side once in 10 million runs.
      assert.ok(own.length >= 12, `${name}: ${own.length} of 60; ${answers[0]}; ${log.lines.join('\n')}`)
    }
  })

  test(`IPv${family}: UDP reaches an endpoint under the pod’s address`, async () => {
    const socket = openUdp(rig.client, family)
    closing.push(socket)
    assert.match(await socket.ask(vips[family], 53), new RegExp(`^backend-[12] ${rig.client.addresses[family]}$`))
  })

  test(`IPv${family}: who is no pod is masqueraded, the node itself too`, async () => {
    const routed = await askTcp(rig.outsider.namespace, vips[family], 80)
    assert.match(routed, /^backend-[12] /)
    assert.ok(!routed.endsWith(` ${rig.outsider.addresses[family]}`), routed)
    const own = await askTcp(rig.node, vips[family], 80)
    assert.match(own, /^backend-[12] /)
  })

  test(`IPv${family}: an endpoint reaches itself`, async () => {
    const [self] = rig.backends
    endpoints(self.addresses)
    await agent.settled()
    const answer = await askTcp(self.namespace, vips[family], 80)
    assert.match(answer, /^backend-1 /)
    assert.ok(!answer.endsWith(` ${self.addresses[family]}`), answer)
  })

  test(`IPv${family}: without endpoints, and on a port that is not there, connections are refused`, async () => {
    assert.equal(await askTcp(rig.client.namespace, vips[family], 81), 'ECONNREFUSED')
    assert.equal(await askTcp(rig.node, vips[family], 81), 'ECONNREFUSED')
    endpoints()
    await agent.settled()
    assert.equal(await askTcp(rig.client.namespace, vips[family], 80), 'ECONNREFUSED')
    assert.equal(await askTcp(rig.node, vips[family], 80), 'ECONNREFUSED')
    assert.equal(await refusedUdp(family, 53), 'port unreachable')
  })

  test(`IPv${family}: policy Local with endpoints only elsewhere is silence`, async () => {
    objects.put(serviceObject('web', both, { internalTrafficPolicy: 'Local' }))
    objects.put(sliceObject('web', family, [rig.backends[0].addresses[family]], { node: 'node-2' }))
    await agent.settled()
    const socket = new Socket({ fd: host.connectTcp(rig.client.namespace, vips[family], 80).fd })
    let heard = false
    for (const event of ['data', 'error']) socket.once(event, () => (heard = true))
    socket.resume()
    // A refusal that is asked for later comes back: the first would have too.
    assert.equal(await askTcp(rig.client.namespace, vips[family], 81), 'ECONNREFUSED')
    assert.equal(heard, false)
    socket.destroy()
  })

  test(`IPv${family}: a removed endpoint gets nothing new, and its connections go on`, async () => {
    objects.put(serviceObject('web', both, { ports: [{ name: 'echo', port: 80, protocol: 'TCP' }] }))
    const echo = (...addresses: Rig['client']['addresses'][]) => {
      const slice = sliceObject(
        'web',
        family,
        addresses.map((one) => one[family]),
      )
      objects.put({ ...slice, ports: [{ name: 'echo', port: 8081, protocol: 'TCP' }] } as typeof slice)
    }
    echo(rig.backends[0].addresses)
    await agent.settled()
    const socket = new Socket({ fd: host.connectTcp(rig.client.namespace, vips[family], 80).fd })
    const [hello] = (await once(socket, 'data')) as [Buffer]
    assert.match(hello.toString(), /^backend-1 /)
    echo(rig.backends[1].addresses)
    await agent.settled()
    for (let i = 0; i < 10; i++) assert.match(await askTcp(rig.client.namespace, vips[family], 80), /^backend-2 /)
    socket.write('still there')
    const [back] = (await once(socket, 'data')) as [Buffer]
    assert.equal(back.toString(), 'still there')
    socket.destroy()
  })

  test(`IPv${family}: a UDP client that keeps its port follows when its endpoint goes`, async () => {
    endpoints(rig.backends[0].addresses)
    await agent.settled()
    const socket = openUdp(rig.client, family)
    closing.push(socket)
    assert.match(await socket.ask(vips[family], 53), /^backend-1 /)
    endpoints(rig.backends[1].addresses)
    await agent.settled()
    assert.match(await socket.ask(vips[family], 53), /^backend-2 /)
  })
}

/** Asks with a connected socket in a process of the client’s namespace: only such a socket hears of ICMP errors. */
async function refusedUdp(family: Family, port: number): Promise<string> {
  const script = `
    const socket = require('node:dgram').createSocket('udp${family}')
    socket.connect(${port}, '${vips[family]}', () => socket.send('?'))
    socket.on('error', (error) => { console.log(error.code === 'ECONNREFUSED' ? 'port unreachable' : error.code); process.exit() })
    socket.on('message', () => { console.log('answer'); process.exit() })`
  const child = spawnIn(rig.client.namespace, process.execPath, ['-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [data] = (await once(child.stdout!, 'data')) as [Buffer]
  return data.toString().trim()
}

test('an agent that was killed leaves its tables serving; the next one replaces them without a gap', async () => {
  objects.put(serviceObject('web', both, { ports: [{ name: 'echo', port: 80, protocol: 'TCP' }] }))
  const slice = sliceObject(
    'web',
    4,
    rig.backends.map(({ addresses }) => addresses[4]),
  )
  objects.put({ ...slice, ports: [{ name: 'echo', port: 8081, protocol: 'TCP' }] } as typeof slice)
  await agent.settled()
  const open = new Socket({ fd: host.connectTcp(rig.client.namespace, vips[4], 80).fd })
  await once(open, 'data')
  // A killed agent does nothing at its end, and neither does one that is stopped.
  await agent.stop()
  assert.match(await askTcp(rig.client.namespace, vips[4], 80), /^backend-/)

  let over = false
  let asked = 0
  const hammer = async (): Promise<void> => {
    while (!over) {
      assert.match(await askTcp(rig.client.namespace, vips[4], 80), /^backend-/, `connection ${asked}`)
      asked++
    }
  }
  const hammers = [hammer(), hammer(), hammer()]
  for (let i = 0; i < 5; i++) {
    // Each start replaces the tables of the last; nothing may be written before the lists are there.
    const gate = Promise.withResolvers<void>()
    objects.gate = gate.promise
    agent = await start()
    const before = asked
    while (asked < before + 20) await new Promise((resolve) => setImmediate(resolve))
    gate.resolve()
    await agent.ready
    while (asked < before + 60) await new Promise((resolve) => setImmediate(resolve))
    if (i < 4) await agent.stop()
  }
  over = true
  await Promise.all(hammers)
  open.write('still there')
  const [back] = (await once(open, 'data')) as [Buffer]
  assert.equal(back.toString(), 'still there')
  open.destroy()
})

test('nft lists the tables and loads what it printed', () => {
  const text = rig.node.run(() => spawnSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }))
  assert.equal(text.status, 0, text.stderr)
  assert.match(text.stdout, /table ip plumb-services/)
  assert.match(text.stdout, /table ip6 plumb-services/)
  const again = spawnSync('unshare', ['-n', 'nft', '-f', '-'], { input: text.stdout, encoding: 'utf8' })
  assert.equal(again.status, 0, again.stderr)
})
