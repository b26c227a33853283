import { type ChildProcess, spawnSync } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseAddress } from '../src/addr/index.ts'
import { defaultTiming, type Timing } from '../src/announce/index.ts'
import type { Namespace } from '../src/host/index.ts'
import { spawnIn } from '../src/host/index.ts'
import { buildWires, type Machine, type Wires } from '../src/speaker/segment.fixture.ts'
import type { Row } from './row.ts'

const virtual = parseAddress('192.0.2.100')
const echoPort = 7
const runs = Number(process.env.PLUMB_RUNS ?? 10)
const fastTiming: Timing = { intervalMs: 50, leaseMs: 150 }

const faults = ['kill -9', 'SIGSTOP', 'link down', 'partition', 'planned move'] as const
type Fault = (typeof faults)[number]

/** What keeps the address at one of the machines. */
interface Keeper {
  /** The machine that has the address, as the client sees it, once it has been so for a moment. */
  start(machine: Machine): Promise<void>
  /** Tells whoever has the address to let another have it. */
  handOver(machine: Machine): void
  processes(machine: Machine): number[]
  /** After a fault, with all machines reachable again: all are to take part. */
  recover(): Promise<void>
  stop(): void
}

/**
 * The gap that a client outside sees when the machine with an address fails: probes each millisecond to the address, answered
 * by whichever machine has it; keepalived on the same machines with as many heartbeats as fast, at the same priority.
 */
export async function* bench(): AsyncIterable<Row> {
  const hasPeer = spawnSync('keepalived', ['--version']).error === undefined
  for (const [name, timing] of [
    ['default', defaultTiming],
    ['fast', fastTiming],
  ] as const) {
    const own = await measure((wires) => new Speakers(wires, timing))
    const peer = hasPeer ? await measure((wires) => new Keepalived(wires, timing)) : undefined
    for (const fault of faults) {
      for (const percentile of [50, 99] as const) {
        const value = at(own.get(fault) ?? [], percentile)
        const other = peer && at(peer.get(fault) ?? [], percentile)
        yield {
          bench: 'failover',
          metric: `${fault}, ${timing.intervalMs} ms × 3 (${name}), gap p${percentile}`,
          value,
          unit: 'ms',
          ...(other !== undefined && { peer: `keepalived's ${other.toFixed(0)} ms` }),
          ...(other !== undefined && other > 0 && { ratio: value / other }),
        }
      }
    }
  }
}

async function measure(make: (wires: Wires) => Keeper): Promise<Map<Fault, number[]>> {
  const wires = buildWires(3)
  const keeper = make(wires)
  const echoes = wires.machines.map((machine) => serve(wires, machine))
  const client = new Client(wires)
  const gaps = new Map<Fault, number[]>(faults.map((fault) => [fault, []]))
  try {
    for (const machine of wires.machines) await keeper.start(machine)
    for (let run = 0; run < runs; run++)
      for (const fault of faults) gaps.get(fault)?.push(await one(wires, keeper, client, fault))
    return gaps
  } finally {
    client.close()
    for (const echo of echoes) echo.close()
    keeper.stop()
    wires.close()
  }
}

/** Lets the machine that has the address fail, waits until another has it, and mends everything. */
async function one(wires: Wires, keeper: Keeper, client: Client, fault: Fault): Promise<number> {
  await client.untilCalm(`before ${fault}`)
  const owner = findOwner(wires)
  if (owner === undefined) throw new Error('the client does not know who has the address')
  // At any moment between two heartbeats.
  await pause(Math.random() * 400)
  const begun = performance.now()
  const mend = breakDown(wires, keeper, owner, fault)
  const end = performance.now() + 15_000
  while (performance.now() < end && (findOwner(wires) ?? owner) === owner) await pause(5)
  // Until what was sent during the gap has been judged.
  await pause(1000)
  await client.untilCalm(`after ${fault} of ${owner.name}`)
  const gap = client.gapSince(begun)
  mend()
  await keeper.recover()
  return gap
}

function findOwner({ client, machines }: Wires): Machine | undefined {
  const mac = client.namespace.network.neighbours().find(({ address }) => address === virtual)?.mac
  return machines.find((machine) => machine.mac === mac)
}

/** Makes it fail; the answer makes it good again. */
function breakDown(wires: Wires, keeper: Keeper, owner: Machine, fault: Fault): () => void {
  const signal = (name: NodeJS.Signals): void => {
    for (const pid of keeper.processes(owner)) process.kill(pid, name)
  }
  switch (fault) {
    case 'kill -9':
      signal('SIGKILL')
      return () => undefined
    case 'SIGSTOP':
      signal('SIGSTOP')
      return () => signal('SIGCONT')
    case 'link down':
      wires.wire.network.setLink(owner.name, { up: false })
      return () => wires.wire.network.setLink(owner.name, { up: true })
    case 'partition':
      nft(owner.namespace, cutOff)
      return () => nft(owner.namespace, 'delete table netdev cut')
    case 'planned move':
      keeper.handOver(owner)
      return () => undefined
    default:
      return fault satisfies never
  }
}

/** Everything in and out is lost, while the link stays up. */
const cutOff = `table netdev cut {
  chain in {
    type filter hook ingress device "eth0" priority 0; policy drop;
  }
  chain out {
    type filter hook egress device "eth0" priority 0; policy drop;
  }
}`

function nft(namespace: Namespace, rules: string): void {
  const done = namespace.run(() => spawnSync('nft', ['-f', '-'], { input: rules, encoding: 'utf8' }))
  if (done.status !== 0) throw new Error(`nft: ${done.stderr}`)
}

/** Answers probes to the address at a machine, as its kernel does for Services: translated on arrival, whoever announces it. */
function serve({ host }: Wires, { namespace, addresses }: Machine): Socket {
  const own = addresses[0]!
  nft(
    namespace,
    `table ip echo {
  chain prerouting {
    type nat hook prerouting priority -100;
    ip daddr ${virtual} udp dport ${echoPort} dnat to ${own}
  }
}`,
  )
  const { fd } = host.bindUdp(namespace, own, echoPort)
  const socket = createSocket('udp4')
  socket.on('message', (data, from) => socket.send(data, from.port, from.address, () => undefined))
  return socket.bind({ fd })
}

/** Probes the address each millisecond. */
class Client {
  readonly #socket: Socket
  readonly #timer: NodeJS.Timeout
  readonly #sent: number[] = []
  readonly #answered = new Set<number>()
  #first = 0

  constructor({ host, client }: Wires) {
    const { fd } = host.bindUdp(client.namespace, client.addresses[0]!, 0)
    this.#socket = createSocket('udp4')
    this.#socket.on('message', (data) => this.#answered.add(data.readUInt32BE(0)))
    this.#socket.on('error', () => undefined)
    this.#socket.bind({ fd })
    this.#timer = setInterval(() => {
      const data = Buffer.alloc(4)
      data.writeUInt32BE(this.#sent.length)
      this.#sent.push(performance.now())
      this.#socket.send(data, echoPort, virtual, () => undefined)
    }, 1)
  }

  /** Until 200 probes in a row were answered. */
  async untilCalm(what: string): Promise<void> {
    const end = performance.now() + 20_000
    for (;;) {
      await pause(50)
      const last = this.#settled()
      const calm = last > 200 && Array.from({ length: 200 }, (_, i) => last - i).every((one) => this.#answered.has(one))
      if (calm) return
      if (performance.now() > end) throw new Error(`nobody answers ${what}`)
    }
  }

  /** The longest time between two probes that were answered with one between them that was not. */
  gapSince(begun: number): number {
    let longest = 0
    let last: number | undefined
    let missed = false
    for (let i = this.#first; i <= this.#settled(); i++) {
      const at = this.#sent[i]!
      if (at < begun - 100) {
        this.#first = i
        continue
      }
      if (!this.#answered.has(i)) missed = true
      else {
        if (missed && last !== undefined) longest = Math.max(longest, at - last)
        last = at
        missed = false
      }
    }
    return longest
  }

  /** The last probe that has had time to be answered, also on a machine that is busy. */
  #settled(): number {
    const until = performance.now() - 300
    let last = this.#sent.length - 1
    while (last >= 0 && (this.#sent[last] ?? 0) > until) last--
    return last
  }

  close(): void {
    clearInterval(this.#timer)
    this.#socket.close()
  }
}

/** Processes that end with the bench. */
abstract class Processes {
  protected readonly children = new Map<Machine, ChildProcess>()

  processes(machine: Machine): number[] {
    const { pid, exitCode, signalCode } = this.children.get(machine) ?? {}
    return pid === undefined || exitCode !== null || signalCode !== null ? [] : [pid]
  }

  stop(): void {
    for (const child of this.children.values()) {
      child.kill('SIGCONT')
      child.kill('SIGKILL')
    }
  }
}

class Speakers extends Processes implements Keeper {
  readonly #wires: Wires
  readonly #timing: Timing
  #boots = 0

  constructor(wires: Wires, timing: Timing) {
    super()
    this.#wires = wires
    this.#timing = timing
  }

  async recover(): Promise<void> {
    for (const machine of this.#wires.machines) if (this.processes(machine).length === 0) await this.start(machine)
    // Whoever comes back gives no vote for a second, and must be heard again.
    await pause(2500)
  }

  async start(machine: Machine): Promise<void> {
    const options = {
      node: machine.name,
      boot: String(++this.#boots),
      timing: this.#timing,
      key: 'a key for the bench',
      port: 10_261,
    }
    const script = fileURLToPath(new URL('../src/speaker/engine-process.fixture.ts', import.meta.url))
    const child = spawnIn(machine.namespace, process.execPath, [script, JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.children.set(machine, child)
    const { machines } = this.#wires
    this.#tell(machine, { kind: 'members', members: machines.map(({ name, addresses }) => ({ name, addresses })) })
    const because = { object: 'service/ns/web', field: 'spec.type', value: 'LoadBalancer' }
    const claim = { address: virtual, eligible: machines.map(({ name }) => name), use: 'LoadBalancer', because }
    this.#tell(machine, { kind: 'addresses', addresses: [{ claim }] })
    // It has begun when it says who holds the address; the first three only hold it together.
    const lines = createInterface({ input: child.stdout! })
    await Promise.race([new Promise((resolve) => lines.once('line', resolve)), pause(5000)])
    lines.on('line', () => undefined)
  }

  handOver(machine: Machine): void {
    const to = this.#wires.machines.find((other) => other !== machine)
    this.#tell(machine, { kind: 'move', address: virtual, to: to?.name })
  }

  #tell(machine: Machine, command: object): void {
    this.children.get(machine)?.stdin?.write(`${JSON.stringify(command)}\n`)
  }
}

class Keepalived extends Processes implements Keeper {
  readonly #folder = mkdtempSync(join(tmpdir(), 'plumb-failover-'))
  readonly #wires: Wires
  readonly #timing: Timing

  constructor(wires: Wires, timing: Timing) {
    super()
    this.#wires = wires
    this.#timing = timing
  }

  async start(machine: Machine): Promise<void> {
    // A killed one leaves the address on its link.
    try {
      machine.namespace.network.deleteAddress('eth0', virtual, 32)
    } catch {
      // It was not there.
    }
    const path = join(this.#folder, machine.name)
    // Its own check takes a killed process that nobody has waited for yet for one that runs.
    for (const file of [`${path}.pid`, `${path}.vrrp`]) rmSync(file, { force: true })
    writeFileSync(`${path}.conf`, this.#configuration(machine))
    const words = ['-n', '-P', '-l', '-f', `${path}.conf`, '-p', `${path}.pid`, '-r', `${path}.vrrp`]
    this.children.set(machine, spawnIn(machine.namespace, 'keepalived', words, { stdio: 'ignore' }))
    await pause(1500)
  }

  handOver(machine: Machine): void {
    this.children.get(machine)?.kill('SIGTERM')
  }

  /** All anew: one that comes back as a second master may leave the client with the wrong one for long, which is not what is measured here. */
  async recover(): Promise<void> {
    const { machines, client } = this.#wires
    this.#killAll()
    await Promise.all(machines.map((machine) => this.start(machine)))
    await pause(2500)
    client.namespace.network.deleteNeighbour(virtual, 'eth0')
  }

  /** The process that speaks VRRP is the child of the one that was started. */
  override processes(machine: Machine): number[] {
    const [parent] = super.processes(machine)
    if (parent === undefined) return []
    const children = spawnSync('ps', ['-o', 'pid=', '--ppid', String(parent)], { encoding: 'utf8' }).stdout
    return [
      parent,
      ...children
        .split('\n')
        .map(Number)
        .filter((pid) => pid > 0),
    ]
  }

  override stop(): void {
    this.#killAll()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #killAll(): void {
    for (const machine of this.children.keys()) for (const pid of this.processes(machine)) process.kill(pid, 'SIGKILL')
    this.children.clear()
  }

  #configuration(machine: Machine): string {
    const priority = 100 + this.#wires.machines.indexOf(machine)
    return `global_defs {
  vrrp_version 3
  vrrp_priority -15
}
vrrp_instance bench {
  state BACKUP
  nopreempt
  interface eth0
  virtual_router_id 51
  priority ${priority}
  advert_int ${this.#timing.intervalMs / 1000}
  virtual_ipaddress {
    ${virtual}/32
  }
}
`
  }
}

function at(values: readonly number[], percentile: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percentile) / 100) - 1)] ?? Number.NaN
}
