import { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseAddress } from '../../src/addr/index.ts'
import { type Namespace, openHost } from '../../src/host/index.ts'
import { findLab, findPlaceHere } from '../../src/lab/index.ts'
import { TestLab } from '../../test/lab.fixture.ts'
import type { Row } from '../row.ts'
import { breakDown, type Fault, faults, holderOf, takesPods } from './lab.ts'

const count = Number(process.env.PLUMB_CONNECTIONS ?? 1000)
const exitAddress = '172.30.0.100'
const outside = parseAddress('203.0.113.10')
const request = `GET / HTTP/1.1\r\nHost: ${outside}\r\n\r\n`
const patienceMs = 20_000
const host = openHost()

/** What becomes of connections of pods to a server outside, half of them busy, when the node that has their exit address fails or hands it over. */
export async function* exits(): AsyncIterable<Row> {
  const lab = new TestLab('bench-exits')
  try {
    await lab.start('-f', join(import.meta.dirname, '..', '..', 'examples', 'egress'))
    for (const fault of faults) yield* survivors(lab, fault)
  } finally {
    await lab.stop()
  }
}

async function* survivors(lab: TestLab, fault: Fault): AsyncIterable<Row> {
  const owner = await holderOf(lab, exitAddress)
  const pods = (await podsOf(lab)).filter(({ node }) => !takesPods(fault) || node !== owner)
  const callers = Array.from({ length: count }, (_, i) => new Caller(pods[i % pods.length]!.namespace))
  for (const one of callers) await one.ask()
  const sources = callers.map(({ source }) => source)
  const blocks = new Set(sources.map((source) => Math.floor(Number(source.split(' ')[1]) / 1024)))
  const isUnder = sources.every((source) => source.startsWith(`${exitAddress} `)) && blocks.size === pods.length
  if (!isUnder) throw new Error(`not all connections left under ${exitAddress} and ports of their nodes`)
  const busy = callers.filter((_, i) => i % 2 === 0).map((one) => one.work())
  await pause(300)
  const mend = await breakDown(lab, fault, exitAddress, owner)
  while ((await holderOf(lab, exitAddress).catch(() => owner)) === owner && takesPods(fault)) await pause(50)
  for (const one of callers) one.working = false
  await Promise.all(busy)
  await Promise.all(callers.map((one) => one.ask()))
  await mend()
  const alive = callers.filter(({ failure, source }, i) => failure === undefined && source === sources[i]).length
  for (const { socket } of callers) socket.destroy()
  for (const { namespace } of pods) namespace.close()
  const where = takesPods(fault) ? `${fault}, pods of other nodes` : fault
  const metric = `egress, ${where}: connections of ${count} that go on from the same address and port`
  yield { bench: 'failover', metric, value: alive, unit: '', peer: 'of all', ratio: alive / count }
}

async function podsOf(lab: TestLab): Promise<{ node: string; namespace: Namespace }[]> {
  const format = 'jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName}{"\\n"}{end}'
  const lines = (await lab.kubectl('-n', 'red', 'get', 'pods', '-o', format)).split('\n')
  const found = await findLab(lab.name)
  if (found === undefined) throw new Error(`lab ${lab.name} does not run`)
  return Promise.all(
    lines.map(async (line) => {
      const [pod = '', node = ''] = line.split(' ')
      const place = await findPlaceHere(found, { kind: 'pod', namespace: 'red', pod })
      return { node, namespace: host.openNamespace(place) }
    }),
  )
}

/** A connection that asks the server outside which source it sees. */
class Caller {
  readonly socket: Socket
  source = ''
  working = true
  failure: Error | undefined
  #heard: (() => void) | undefined

  constructor(pod: Namespace) {
    this.socket = new Socket({ fd: host.connectTcp(pod, outside, 80).fd })
    this.socket.on('data', (data: Buffer) => {
      this.source = /\r\n\r\n(\S+ \d+)/.exec(data.toString())?.[1] ?? this.source
      this.#heard?.()
    })
    this.socket.on('error', (error) => this.#fail(error))
    this.socket.on('close', () => this.#fail(new Error('closed')))
  }

  async ask(): Promise<void> {
    const timer = setTimeout(() => this.#fail(new Error('no answer')), patienceMs)
    await new Promise<void>((resolve) => {
      this.#heard = resolve
      if (this.failure !== undefined) resolve()
      else this.socket.write(request)
    })
    clearTimeout(timer)
  }

  async work(): Promise<void> {
    while (this.working && this.failure === undefined) {
      await this.ask()
      await pause(100)
    }
  }

  #fail(error: Error): void {
    this.failure ??= error
    this.#heard?.()
  }
}
