/** Nodes with skewed clocks over a network that cuts, delays, doubles and reorders, in one virtual time; who holds what is looked at after every event. */
import type { Address } from '../addr/index.ts'
import type { AddressClaim } from '../cluster/index.ts'
import { Arbiter, type ArbiterRecord } from './arbiter.ts'
import { type Effect, Election } from './election.ts'
import type { Message } from './message.ts'
import { defaultTiming, maximumLeaseMs } from './timing.ts'

export interface Network {
  readonly lossRate: number
  readonly doubleRate: number
  /** The share of messages that take up to `slowMs`; the others take up to 3 ms. */
  readonly slowRate: number
  readonly slowMs: number
}

interface Machine {
  readonly name: string
  readonly offset: number
  readonly rate: number
  election: Election
  arbiter: Arbiter
  boots: number
  up: boolean
  paused: boolean
  isAsking: boolean
  inbox: (() => void)[]
  wakeups: number
}

interface Due {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

export class Simulation {
  now = 0
  readonly machines: readonly Machine[]
  readonly taken: { at: number; node: string; address: Address }[] = []
  apiUp = true
  readonly #cuts = new Set<string>()
  readonly #queue: Due[] = []
  readonly #network: Network
  readonly #random: () => number
  #claims: readonly AddressClaim[] = []
  #order = 0
  #record: ArbiterRecord = { holder: '', version: '0' }

  constructor(clocks: readonly { offset: number; rate: number }[], network: Network, seed: number) {
    this.#network = network
    this.#random = generator(seed)
    this.machines = clocks.map((clock, i): Machine => {
      const name = `n${i + 1}`
      const start = clock.offset
      return {
        name,
        ...clock,
        election: this.#election(name, 0, start),
        arbiter: new Arbiter(name),
        boots: 0,
        up: true,
        paused: false,
        isAsking: false,
        inbox: [],
        wakeups: 0,
      }
    })
    for (const machine of this.machines) this.#begin(machine)
  }

  setClaims(claims: readonly AddressClaim[]): void {
    this.#claims = claims
    for (const machine of this.machines) this.act(machine.name, (election, now) => election.setClaims(claims, now))
  }

  /** Messages from one machine to the other are lost, or arrive again. */
  link(from: string, to: string, isUp: boolean): void {
    if (isUp) this.#cuts.delete(`${from} ${to}`)
    else this.#cuts.add(`${from} ${to}`)
  }

  heal(): void {
    this.#cuts.clear()
    this.apiUp = true
    for (const machine of this.machines) {
      this.pause(machine.name, false)
      if (!machine.up) this.restart(machine.name)
      this.act(machine.name, (election, now) => election.setDraining(false, now))
    }
  }

  crash(name: string): void {
    const machine = this.#machine(name)
    machine.up = false
    machine.inbox = []
  }

  restart(name: string): void {
    const machine = this.#machine(name)
    machine.up = true
    machine.paused = false
    machine.inbox = []
    machine.boots++
    machine.election = this.#election(name, machine.boots, this.#local(machine))
    machine.arbiter = new Arbiter(name)
    machine.isAsking = false
    this.#begin(machine)
    this.act(name, (election, now) => election.setClaims(this.#claims, now))
  }

  /** A machine that is stopped does nothing while its clock runs; what arrives waits. */
  pause(name: string, isPaused: boolean): void {
    const machine = this.#machine(name)
    machine.paused = isPaused
    if (isPaused) return
    for (const run of machine.inbox.splice(0)) if (machine.up) run()
    this.#wake(machine)
  }

  /** Lets one machine do something now, unless it is down or stopped. */
  act(name: string, work: (election: Election, now: number) => readonly Effect[]): void {
    const machine = this.#machine(name)
    if (!machine.up || machine.paused) return
    this.#perform(machine, work(machine.election, this.#local(machine)))
  }

  holders(address: Address): string[] {
    return this.machines
      .filter((machine) => machine.up && machine.election.holds(address, this.#local(machine)))
      .map(({ name }) => name)
  }

  owners(name: string): ReadonlyMap<Address, string> {
    const machine = this.#machine(name)
    return machine.election.owners(this.#local(machine))
  }

  at(time: number, run: () => void): void {
    const due = { at: time, order: this.#order++, run }
    let low = 0
    let high = this.#queue.length
    while (low < high) {
      const middle = (low + high) >> 1
      const other = this.#queue[middle]!
      if (other.at < due.at || (other.at === due.at && other.order < due.order)) low = middle + 1
      else high = middle
    }
    this.#queue.splice(low, 0, due)
  }

  /** Runs until `end` in true milliseconds; throws at the first moment at which two hold one address. */
  run(end: number): void {
    while (this.#queue[0] !== undefined && this.#queue[0].at <= end) {
      const due = this.#queue.shift()!
      this.now = Math.max(this.now, due.at)
      due.run()
      for (const { address } of this.#claims) {
        const holders = this.holders(address)
        if (holders.length > 1) throw new Error(`${address} is held by ${holders.join(' and ')} at ${this.now} ms`)
      }
    }
    this.now = end
  }

  #election(name: string, boots: number, now: number): Election {
    return new Election({ node: name, boot: `${name}/${boots}`, timing: defaultTiming, random: this.#random }, now)
  }

  #begin(machine: Machine): void {
    machine.election.setMembers(this.machines.map(({ name }) => name))
    this.#wake(machine)
  }

  #machine(name: string): Machine {
    return this.machines.find((machine) => machine.name === name)!
  }

  #local({ offset, rate }: Machine): number {
    return offset + this.now * rate
  }

  #perform(machine: Machine, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'send') this.#send(machine, effect.to, effect.message)
      if (effect.kind === 'taken') this.taken.push({ at: this.now, node: machine.name, address: effect.address })
      if (effect.kind === 'prepare') {
        const { address, from } = effect
        this.at(this.now + this.#random() * 20, () =>
          this.act(machine.name, (election, now) => election.prepared(address, from, now)),
        )
      }
    }
    this.#wake(machine)
  }

  #send(from: Machine, to: string, message: Message): void {
    for (const target of this.machines) {
      if (target === from || (to !== 'all' && to !== target.name)) continue
      const copies = this.#random() < this.#network.doubleRate ? 2 : 1
      for (let i = 0; i < copies; i++) {
        if (this.#cuts.has(`${from.name} ${target.name}`) || this.#random() < this.#network.lossRate) continue
        const isSlow = this.#random() < this.#network.slowRate
        const delay = this.#random() * (isSlow ? this.#network.slowMs : 3)
        this.at(this.now + delay, () => this.#deliver(target, message))
      }
    }
  }

  #deliver(target: Machine, message: Message): void {
    if (!target.up) return
    const receive = () => this.#perform(target, target.election.receive(message, this.#local(target)))
    if (target.paused) target.inbox.push(receive)
    else receive()
  }

  #wake(machine: Machine): void {
    if (!machine.up || machine.paused) return
    const ticket = ++machine.wakeups
    const local = this.#local(machine)
    // Timers are late, as a machine's are.
    const pause = Math.max(0.5, machine.election.nextAt(local) - local) / machine.rate + this.#random() * 2
    this.at(this.now + pause, () => {
      if (machine.wakeups !== ticket || !machine.up || machine.paused) return
      this.#askApi(machine)
      this.#perform(machine, machine.election.tick(this.#local(machine)))
    })
  }

  /** Reads the Lease, and writes it when it may, each way with a delay of its own. */
  #askApi(machine: Machine): void {
    if (machine.isAsking || !this.apiUp || !machine.election.needsArbiter(this.#local(machine))) return
    machine.isAsking = true
    const { boots } = machine
    const later = (run: () => void) => {
      this.at(this.now + this.#random() * 30, () => {
        if (machine.boots === boots) run()
      })
    }
    later(() => {
      machine.arbiter.observe(this.#record, this.#local(machine))
      const askedAt = this.#local(machine)
      const known = machine.arbiter.mayWrite(askedAt)
      machine.isAsking = false
      if (known === undefined || machine.paused) return
      later(() => {
        if (!this.apiUp || this.#record.version !== known.version) return
        const record = { holder: machine.name, version: String(Number(known.version) + 1) }
        this.#record = record
        later(() => {
          machine.election.setArbiter(machine.arbiter.written(record, askedAt, this.#local(machine)))
        })
      })
    })
  }
}

/** A small generator of random numbers in [0, 1), the same for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Long enough for every lease and every restarted voter's silence to be over, several times. */
export const settleMs = 8 * maximumLeaseMs
