import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { before, test } from 'node:test'
import { type Address, parseAddress, parsePrefix } from '../addr/index.ts'
import type { Endpoint, EndpointSlice } from '../objects/index.ts'
import { agentOnRig } from './agent-on-rig.fixture.ts'
import type { Agent } from './index.ts'
import { host, serveTcp, serviceObject, sliceObject } from './rig.fixture.ts'

const vip = parseAddress('10.96.0.1')
/** Endpoints that are replaced, and how many at a time. */
const count = Number(process.env.PLUMB_ENDPOINTS ?? 100)
const atOnce = Math.max(1, count / 20)
const { rig, objects, closing, start } = agentOnRig()
let agent: Agent

/** The address of the nth endpoint of a generation, on one of the two backends. */
const addressOf = (generation: number, index: number): Address =>
  parseAddress(`10.24${5 + (index % 2)}.${generation * 16 + (index >> 8)}.${index & 255}`)
const backendOf = (index: number) => rig.backends[index % 2]!

before(async () => {
  for (const [index, backend] of rig.backends.entries()) {
    const destination = parsePrefix(`10.24${5 + index}.0.0/16`)
    rig.node.network.setRoute({ destination, gateway: backend.addresses[4], link: backend.name })
    const any = { ...backend.addresses, 4: parseAddress('0.0.0.0') }
    closing.push(serveTcp({ ...backend, addresses: any }, 4, 8080))
  }
  objects.put(serviceObject('web', [vip], { ports: [{ name: 'tcp', port: 80, protocol: 'TCP' }] }))
  agent = await start()
  await agent.ready
})

const ready = { ready: true, serving: true, terminating: false }
const ending = { ready: false, serving: true, terminating: true }

/** Connections one after another until told to end: how many there were, which failed, and how many are under way. */
class Load {
  asked = 0
  readonly failures: string[] = []
  #over = false
  readonly #running: Promise<void>[] = []
  readonly #underWay = new Set<Promise<void>>()

  start(loops: number): void {
    for (let i = 0; i < loops; i++) this.#running.push(this.#loop())
  }

  /** Resolves when every connection that was under way has ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#underWay)
  }

  /** Resolves after so many more. */
  async more(connections: number): Promise<void> {
    const until = this.asked + connections
    while (this.asked < until) await new Promise((resolve) => setImmediate(resolve))
  }

  async stop(): Promise<void> {
    this.#over = true
    await Promise.all(this.#running)
  }

  async #loop(): Promise<void> {
    while (!this.#over) {
      const one = ask().then((answer) => {
        this.asked++
        if (!answer.startsWith('backend-')) this.failures.push(`connection ${this.asked}: ${answer}`)
      })
      this.#underWay.add(one)
      await one
      this.#underWay.delete(one)
    }
  }
}

/** From the first segment to the end of the stream. */
function ask(): Promise<string> {
  const socket = new Socket({ fd: host.connectTcp(rig.client.namespace, vip, 80).fd })
  let text = ''
  return new Promise((resolve) => {
    socket.on('data', (data: Buffer) => (text += data))
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.once('end', () => resolve(text))
    // Nobody answers an address that is gone; a segment that is repeated is a failure here.
    socket.setTimeout(900, () => resolve('no answer'))
  }).then((answer) => {
    socket.destroy()
    return String(answer)
  })
}

test(`a rolling restart of ${count} endpoints under load: no connection fails`, async () => {
  const endpoints = new Map<Address, Endpoint['conditions']>()
  const put = async (): Promise<void> => {
    const all = [...endpoints].map(
      ([address, conditions]) => ({ addresses: [address], conditions, nodeName: 'node-1' }) as Endpoint,
    )
    for (let i = 0; i < count / 100 + 2; i++) {
      const slice = sliceObject('web', 4, [])
      const metadata = { ...slice.metadata, name: `web-${i}` }
      objects.put({ ...slice, metadata, endpoints: all.slice(i * 100, (i + 1) * 100) } as EndpointSlice)
    }
    await agent.settled()
  }
  const raise = (generation: number, index: number): void => {
    backendOf(index).namespace.network.addAddress('lo', addressOf(generation, index), 32)
    endpoints.set(addressOf(generation, index), ready)
  }
  for (let i = 0; i < count; i++) raise(0, i)
  await put()
  const load = new Load()
  load.start(8)
  const began = performance.now()
  for (let from = 0; from < count; from += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, count - from) }, (_, i) => from + i)
    for (const i of some) raise(1, i)
    for (const i of some) endpoints.set(addressOf(0, i), ending)
    await put()
    await load.more(50)
    // The kubelet's grace period: what was begun ends, what begins goes elsewhere. Then the pod and its address are gone.
    await load.ended()
    for (const i of some) {
      backendOf(i).namespace.network.deleteAddress('lo', addressOf(0, i), 32)
      endpoints.delete(addressOf(0, i))
    }
    await load.more(50)
    await put()
  }
  const seconds = (performance.now() - began) / 1000
  await load.stop()
  console.log(`${load.asked} connections in ${seconds.toFixed(1)} s, ${load.failures.length} failed`)
  assert.ok(load.asked > count, String(load.asked))
  assert.deepEqual(load.failures, [])
})
