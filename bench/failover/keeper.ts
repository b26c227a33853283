import type { Address } from '../../src/addr/index.ts'
import type { Timing } from '../../src/announce/index.ts'
import { spawnIn } from '../../src/host/index.ts'
import type { Machine, Wires } from '../../src/speaker/segment.fixture.ts'
import { SpeakerProcess } from '../../src/speaker/speaker-process.fixture.ts'

/** What keeps an address at one of the machines. */
export interface Keeper {
  readonly name: string
  start(): Promise<void>
  /** Tells whoever has the address to let another have it. */
  handOver(from: Machine): void
  signal(machine: Machine, signal: NodeJS.Signals): void
  /** After a fault of the machine, with all reachable again: all are to take part. */
  recover(machine: Machine): Promise<void>
  stop(): Promise<void>
}

/** The voters' silence after a start (`maximumLeaseMs`), and a moment. */
const silenceMs = 1100

/** A link that was down sends nothing for up to a second after it is up: the kernel looks at carriers no more often (`net/core/link_watch.c`). */
const linkMs = 1000

/** Plumb's engines, each in a process of its own. */
export class Plumb implements Keeper {
  readonly name = 'plumb'
  readonly #wires: Wires
  readonly #address: Address
  readonly #timing: Timing
  readonly #processes = new Map<Machine, SpeakerProcess>()

  constructor(wires: Wires, address: Address, timing: Timing) {
    this.#wires = wires
    this.#address = address
    this.#timing = timing
  }

  async start(): Promise<void> {
    for (const machine of this.#wires.machines) this.#start(machine)
    await Promise.all([...this.#processes.values()].map((one) => one.heard(({ kind }) => kind === 'owners')))
  }

  handOver(from: Machine): void {
    const to = this.#wires.machines.find((other) => other !== from)?.name ?? ''
    this.#processes.get(from)?.tell({ kind: 'move', address: this.#address, to })
  }

  signal(machine: Machine, signal: NodeJS.Signals): void {
    this.#processes.get(machine)?.signal(signal)
  }

  async recover(machine: Machine): Promise<void> {
    const { intervalMs } = this.#timing
    const isNew = this.#processes.get(machine)?.runs !== true
    if (isNew) this.#start(machine)
    const owned = ({ kind }: { kind: string }): boolean => kind === 'owners'
    if (isNew) await this.#processes.get(machine)?.heard(owned)
    await new Promise((resolve) => setTimeout(resolve, linkMs + (isNew ? silenceMs : 0) + 2 * intervalMs))
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((one) => one.end()))
  }

  #start(machine: Machine): void {
    this.#processes.set(machine, new SpeakerProcess(this.#wires, machine, [this.#address], this.#timing))
  }
}

/** Answers probes at a machine, as its kernel does for Services: translated on arrival, whoever announces the address. */
export function echo({ namespace, addresses }: Machine, address: Address, port: number): { close(): void } {
  const family = address.includes(':') ? 'ip6' : 'ip'
  const own = addresses.find((one) => one.includes(':') === address.includes(':')) ?? ''
  const rules = `table ${family} echo {
  chain prerouting {
    type nat hook prerouting priority -100;
    ${family} daddr ${address} udp dport ${port} dnat to ${own}
  }
}`
  const serve = `const s = require('dgram').createSocket('${family === 'ip' ? 'udp4' : 'udp6'}')
require('os').setPriority(-15)
require('child_process').execFileSync('nft', ['-f', '-'], { input: ${JSON.stringify(rules)} })
process.stdin.resume().on('end', () => process.exit())
s.on('message', (data, from) => s.send(data, from.port, from.address, () => undefined)).bind(${port}, '${own}')`
  const child = spawnIn(namespace, process.execPath, ['-e', serve], { stdio: ['pipe', 'inherit', 'inherit'] })
  return { close: () => void child.kill('SIGKILL') }
}
