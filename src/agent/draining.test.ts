import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { before, test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import type { Endpoint, EndpointSlice } from '../objects/index.ts'
import { agentOnRig } from './agent-on-rig.fixture.ts'
import type { Agent } from './index.ts'
import { askTcp, host, openUdp, serveTcp, serveUdp, serviceObject, sliceObject } from './rig.fixture.ts'

const vip = parseAddress('10.96.0.1')
const { rig, objects, closing, start } = agentOnRig()
let agent: Agent

before(async () => {
  for (const backend of rig.backends) closing.push(serveTcp(backend, 4, 8081, true), serveUdp(backend, 4, 5353))
  agent = await start()
  await agent.ready
})

const ready = { ready: true, serving: true, terminating: false }
const ending = { ready: false, serving: true, terminating: true }

async function web(drainSeconds: string | undefined, ...conditions: (Endpoint['conditions'] | undefined)[]) {
  const ports = [
    { name: 'echo', port: 80, protocol: 'TCP' as const },
    { name: 'udp', port: 53, protocol: 'UDP' as const },
  ]
  const made = serviceObject('web', [vip], { ports })
  const annotations: Record<string, string> =
    drainSeconds === undefined ? {} : { 'plumb.network/drain-seconds': drainSeconds }
  objects.put({ ...made, metadata: { ...made.metadata, annotations } })
  const endpoints = rig.backends.flatMap(({ addresses }, i) =>
    conditions[i] === undefined
      ? []
      : [{ addresses: [addresses[4]], nodeName: 'node-1', conditions: conditions[i] } as Endpoint],
  )
  const slice = sliceObject('web', 4, [])
  const numbers = [
    { name: 'echo', port: 8081, protocol: 'TCP' },
    { name: 'udp', port: 5353, protocol: 'UDP' },
  ]
  objects.put({ ...slice, endpoints, ports: numbers } as EndpointSlice)
  await agent.settled()
}

/** A connection whose first line names its endpoint. */
async function open(): Promise<{ socket: Socket; name: string; closed: Promise<string> }> {
  const socket = new Socket({ fd: host.connectTcp(rig.client.namespace, vip, 80).fd })
  const closed = new Promise<string>((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    socket.once('close', () => resolve('closed'))
  })
  const [hello] = (await once(socket, 'data')) as [Buffer]
  return { socket, name: hello.toString().split(' ')[0] ?? '', closed }
}

async function echo({ socket }: { socket: Socket }): Promise<string> {
  socket.write('still there')
  const [back] = (await once(socket, 'data')) as [Buffer]
  return back.toString()
}

for (const loose of [0, 1]) {
  test(`connections live on while their endpoint terminates, and are cut at the deadline; others never (tcp_loose ${loose})`, async () => {
    rig.node.network.setSysctl('net.netfilter.nf_conntrack_tcp_loose', loose)
    await web('2', ready, undefined)
    const leaving = await open()
    assert.equal(leaving.name, 'backend-1')
    await web('2', undefined, ready)
    // Back again before its time was over: nothing is cut.
    await web('2', ready, undefined)
    await web('2', ending, ready)
    const staying = await open()
    assert.equal(staying.name, 'backend-2')
    assert.equal(await echo(leaving), 'still there')
    // It writes until it hears; a connection that is not cut would echo for ever.
    let answers = 0
    leaving.socket.on('data', () => answers++)
    const writer = setInterval(() => leaving.socket.write('?'), 20)
    const began = performance.now()
    assert.equal(await leaving.closed, 'ECONNRESET')
    clearInterval(writer)
    console.log(`cut after ${Math.round(performance.now() - began)} ms of writing, deadline 2000`)
    assert.ok(answers > 0, 'it was answered until then')
    assert.equal(await echo(staying), 'still there')
    staying.socket.destroy()
  })
}

test('UDP clients of an endpoint that terminates and serves go elsewhere at the deadline', async () => {
  await web('1', ready, undefined)
  const socket = openUdp(rig.client, 4)
  closing.push(socket)
  assert.match(await socket.ask(vip, 53), /^backend-1 /)
  await web('1', ending, ready)
  assert.match(await socket.ask(vip, 53), /^backend-1 /, 'as upstream, until then')
  while (!/^backend-2 /.test(await socket.ask(vip, 53))) await new Promise((resolve) => setTimeout(resolve, 20))
})

test('without the annotation, and with one that is broken, connections go on', async () => {
  for (const value of [undefined, 'soon']) {
    await web(value, ready, undefined)
    const connection = await open()
    await web(value, undefined, ready)
    assert.match(await askTcp(rig.client.namespace, vip, 80), /^backend-2 /)
    assert.equal(await echo(connection), 'still there')
    connection.socket.destroy()
  }
  assert.deepEqual(
    agent.findings().map(({ code }) => code),
    ['BrokenDrainTime'],
  )
})

test('nft lists what was cut and loads what it printed', () => {
  const { stdout } = rig.node.run(() => spawnSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }))
  assert.match(stdout, /ip saddr \. (tcp|th) sport \. ip daddr \. (tcp|th) dport @cut reject with tcp reset/)
  assert.match(stdout, /10\.244\.1\.2 \. \d+ \. 10\.96\.0\.1 \. 80 (timeout 5m )?expires/)
  const again = spawnSync('unshare', ['-n', 'nft', '-f', '-'], { input: stdout, encoding: 'utf8' })
  assert.equal(again.status, 0, again.stderr)
})
