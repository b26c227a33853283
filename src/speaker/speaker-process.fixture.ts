/** Engines in processes of their own at the machines of a segment, to be killed and stopped. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Address } from '../addr/index.ts'
import type { Timing } from '../announce/index.ts'
import type { EngineCommand, EngineEvent } from './engine.ts'
import type { Machine, Wires } from './segment.fixture.ts'

const script = fileURLToPath(new URL('./engine-process.fixture.ts', import.meta.url))
const port = 10_261
let boots = 0

/** One machine's engine, with the key and port of the others; all machines may hold the addresses. */
export class SpeakerProcess {
  readonly machine: Machine
  readonly child: ChildProcess
  readonly events: EngineEvent[] = []
  readonly #waiting = new Set<() => void>()

  constructor({ machines }: Pick<Wires, 'machines'>, machine: Machine, addresses: readonly Address[], timing: Timing) {
    this.machine = machine
    const options = { node: machine.name, boot: String(++boots), timing, key: 'a key for the test', port }
    const words = [script, JSON.stringify(options)]
    const child = machine.namespace.run(() => spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] }))
    this.child = child
    // One that was killed takes no more commands.
    child.stdin.on('error', () => undefined)
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = JSON.parse(line) as EngineEvent
      // A map travels as a list of its entries.
      this.events.push(event.kind === 'owners' ? { ...event, owners: new Map(event.owners) } : event)
      for (const look of this.#waiting) look()
    })
    this.tell({ kind: 'members', members: machines.map(({ name, addresses }) => ({ name, addresses })) })
    const because = { object: 'service/ns/web', field: 'spec.type', value: 'LoadBalancer' }
    const eligible = machines.map(({ name }) => name)
    const spoken = addresses.map((address) => ({
      claim: { address, eligible, use: 'LoadBalancer', because } as const,
      links: undefined,
    }))
    this.tell({ kind: 'addresses', addresses: spoken })
  }

  get runs(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  tell(command: EngineCommand): void {
    this.child.stdin?.write(`${JSON.stringify(command)}\n`)
  }

  /** Until an event from the one with this index on satisfies the condition; false after the time. */
  heard(condition: (event: EngineEvent) => boolean, from = 0, withinMs = 10_000): Promise<boolean> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.events.slice(from).some(condition)) end(true)
      }
      const end = (found: boolean): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve(found)
      }
      const timer = setTimeout(() => end(false), withinMs)
      this.#waiting.add(look)
      look()
    })
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name)
  }

  async end(): Promise<void> {
    this.signal('SIGKILL')
    if (this.runs) await once(this.child, 'exit')
  }
}
