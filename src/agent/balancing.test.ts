import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { Socket } from 'node:net'
import { before, test } from 'node:test'
import { type Address, parseAddress } from '../addr/index.ts'
import type { EndpointSlice } from '../objects/index.ts'
import { agentOnRig } from './agent-on-rig.fixture.ts'
import type { Agent } from './index.ts'
import { askTcp, host, serveTcp, serviceObject, sliceObject } from './rig.fixture.ts'

const vip = parseAddress('10.96.0.1')
const each = 4
const clients = Array.from({ length: 60 }, (_, i) => parseAddress(`10.244.1.${100 + i}`))
const { rig, objects, closing, start } = agentOnRig()
let agent: Agent

before(async () => {
  for (const backend of rig.backends) {
    for (let port = 8080; port < 8080 + each; port++) {
      closing.push(serveTcp({ ...backend, name: `${backend.addresses[4]}:${port}` }, 4, port))
    }
  }
  for (const address of clients) rig.client.namespace.network.addAddress('eth0', address, 24)
  agent = await start()
  await agent.ready
})

/** The Service with the endpoints of these ports, of both backends. */
async function web(ports: readonly number[], service: Record<string, string>, weight?: (port: number) => number) {
  const made = serviceObject('web', [vip], { ports: [{ name: 'tcp', port: 80, protocol: 'TCP' }] })
  objects.put({ ...made, metadata: { ...made.metadata, annotations: service } })
  for (let port = 8080; port < 8080 + each; port++) {
    const slice = sliceObject('web', 4, ports.includes(port) ? rig.backends.map(({ addresses }) => addresses[4]) : [])
    const annotations = weight === undefined ? {} : { 'plumb.network/weight': String(weight(port)) }
    const metadata = { ...slice.metadata, name: `web-${port}`, annotations }
    objects.put({ ...slice, metadata, ports: [{ name: 'tcp', port, protocol: 'TCP' }] } as EndpointSlice)
  }
  await agent.settled()
}

async function ask(source: Address): Promise<string> {
  const socket = new Socket({ fd: host.connectTcp(rig.client.namespace, vip, 80, { source }).fd })
  const answer = await new Promise<string>((resolve) => {
    socket.once('data', (data: Buffer) => resolve(data.toString()))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
  socket.destroy()
  return answer.split(' ')[0] ?? ''
}

async function askAll(): Promise<readonly string[]> {
  const answers: string[] = []
  for (const source of clients) answers.push(await ask(source))
  return answers
}

const all = [8080, 8081, 8082, 8083]

test('Maglev by source address: a client keeps its endpoint, over a restart too, and few move when endpoints go and come', async () => {
  const hashed = { 'plumb.network/load-balancing': 'maglev-source-address' }
  await web(all, hashed)
  const first = await askAll()
  assert.ok(new Set(first).size >= 6, `60 clients over 8 endpoints: ${[...new Set(first)]}`)
  assert.deepEqual(await askAll(), first)
  await agent.stop()
  agent = await start()
  await agent.ready
  assert.deepEqual(await askAll(), first, 'a new agent makes the same tables')
  await web([8080, 8081, 8082], hashed)
  const without = await askAll()
  assert.ok(!without.some((answer) => answer.endsWith(':8083')), without.join())
  const moved = without.filter((answer, i) => answer !== first[i] && !first[i]?.endsWith(':8083'))
  assert.ok(moved.length <= 15, `${moved.length} of 60 moved without need`)
  await web(all, hashed)
  assert.deepEqual(await askAll(), first, 'who comes back gets its clients back')
  const listed = rig.node.run(() => spawnSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }))
  assert.match(listed.stdout, /jhash ip saddr mod 2039/)
  const again = spawnSync('unshare', ['-n', 'nft', '-f', '-'], { input: listed.stdout, encoding: 'utf8' })
  assert.equal(again.status, 0, again.stderr)
})

test('Maglev by address and port spreads one client’s connections', async () => {
  await web(all, { 'plumb.network/load-balancing': 'maglev' })
  const answers: string[] = []
  for (let i = 0; i < 80; i++) answers.push(await askTcp(rig.client.namespace, vip, 80))
  assert.equal(new Set(answers).size, 8, [...new Set(answers)].join())
})

test('weights: three of four connections go to weight 3, none to weight 0; and the change is a change of elements', async () => {
  await web([8080, 8081, 8082], {}, (port) => ({ 8080: 3, 8081: 1 })[port] ?? 0)
  const heavy = (answers: readonly string[]) => answers.filter((answer) => answer.includes(':8080')).length
  const sample = async (): Promise<string[]> => {
    const answers: string[] = []
    for (let i = 0; i < 200; i++) answers.push(await askTcp(rig.client.namespace, vip, 80))
    return answers
  }
  const answers = await sample()
  assert.ok(!answers.some((answer) => answer.includes(':8082')), 'weight 0')
  // 150 of 200 within six standard deviations.
  assert.ok(heavy(answers) > 113 && heavy(answers) < 187, String(heavy(answers)))
  await web([8080, 8081, 8082], {}, () => 0)
  assert.ok(
    (await sample()).some((answer) => answer.includes(':8082')),
    'all of 0: all alike',
  )
})
