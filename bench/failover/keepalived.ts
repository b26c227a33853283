import { type ChildProcess, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Address } from '../../src/addr/index.ts'
import { spawnIn } from '../../src/host/index.ts'
import type { Machine, Wires } from '../../src/speaker/segment.fixture.ts'
import type { Keeper } from './keeper.ts'

/** The highest that a backup can have beside others, so with the least skew: the fastest that keepalived can be at an interval. */
const priority = 252

/**
 * After what time a master is gone: 3 advertisements and a skew of (256 - priority) / 256 of one (RFC 9568 section 6.1). All in
 * milliseconds.
 */
export const goneAfterMs = (advertisementMs: number): number => advertisementMs * (3 + (256 - priority) / 256)

export function hasKeepalived(): boolean {
  return spawnSync('keepalived', ['--version']).error === undefined
}

/** VRRP 3 by keepalived, at the same machines. */
export class Keepalived implements Keeper {
  readonly name = 'keepalived'
  readonly #folder = mkdtempSync(join(tmpdir(), 'plumb-failover-'))
  readonly #children = new Map<Machine, ChildProcess>()
  readonly #wires: Wires
  readonly #address: Address
  readonly #advertisementMs: number
  readonly #onExit = (): void => this.#killAll()

  constructor(wires: Wires, address: Address, advertisementMs: number) {
    this.#wires = wires
    this.#address = address
    this.#advertisementMs = advertisementMs
  }

  async start(): Promise<void> {
    // It would outlive a bench that fails.
    process.off('exit', this.#onExit).once('exit', this.#onExit)
    for (const machine of this.#wires.machines) this.#startAt(machine)
    await pause(1000)
  }

  handOver(from: Machine): void {
    this.#children.get(from)?.kill('SIGTERM')
  }

  /** The process that speaks VRRP is the child of the one that was started. */
  signal(machine: Machine, signal: NodeJS.Signals): void {
    for (const pid of this.#processes(machine)) process.kill(pid, signal)
  }

  /** All anew: one that comes back as a second master may leave the client with the wrong one for long, which is not what is measured here. */
  async recover(): Promise<void> {
    this.#killAll()
    await this.start()
    const { client } = this.#wires
    client.namespace.network.deleteNeighbour(this.#address, 'eth0')
  }

  async stop(): Promise<void> {
    this.#killAll()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #startAt(machine: Machine): void {
    // A killed one leaves the address on its link.
    try {
      machine.namespace.network.deleteAddress('eth0', this.#address, this.#address.includes(':') ? 128 : 32)
    } catch {
      // It was not there.
    }
    const path = join(this.#folder, machine.name)
    // Its own check takes a killed process that nobody has waited for yet for one that runs.
    for (const file of [`${path}.pid`, `${path}.vrrp`]) rmSync(file, { force: true })
    writeFileSync(`${path}.conf`, this.#configuration(machine))
    const words = ['-n', '-P', '-l', '-f', `${path}.conf`, '-p', `${path}.pid`, '-r', `${path}.vrrp`]
    this.#children.set(machine, spawnIn(machine.namespace, 'keepalived', words, { stdio: 'ignore' }))
  }

  #processes(machine: Machine): number[] {
    const { pid, exitCode, signalCode } = this.#children.get(machine) ?? {}
    if (pid === undefined || exitCode !== null || signalCode !== null) return []
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
    return [pid, ...children.map(Number).filter((child) => child > 0)]
  }

  #killAll(): void {
    for (const machine of this.#children.keys()) this.signal(machine, 'SIGKILL')
    this.#children.clear()
  }

  #configuration(machine: Machine): string {
    const isIPv6 = this.#address.includes(':')
    return `global_defs {
  vrrp_version 3
  vrrp_priority -15
}
vrrp_instance bench {
  state BACKUP
  nopreempt
  interface eth0
  virtual_router_id 51
  priority ${priority + this.#wires.machines.indexOf(machine)}
  advert_int ${this.#advertisementMs / 1000}
  virtual_ipaddress {
    ${isIPv6 ? 'fe80::100/64\n    ' : ''}${this.#address}/${isIPv6 ? 128 : 32}
  }
}
`
  }
}
