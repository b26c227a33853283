/** Random faults for the simulation, as fast-check draws them. */
import fc from 'fast-check'
import { type Address, parseAddress } from '../addr/index.ts'
import type { AddressClaim } from '../cluster/index.ts'
import { Simulation, settleMs } from './simulation.fixture.ts'

const addresses: readonly Address[] = ['192.0.2.1', '192.0.2.2', '2001:db8::3'].map(parseAddress)

function claim(address: Address, eligible: readonly string[]): AddressClaim {
  return { address, eligible, use: 'LoadBalancer', because: { object: 'service/a/b', field: 'spec.type', value: '' } }
}

const node = fc.integer({ min: 0, max: 4 })
const action = fc.record({
  afterMs: fc.integer({ min: 0, max: 900 }),
  what: fc.constantFrom(
    'cut',
    'cut',
    'split',
    'split',
    'mend',
    'pause',
    'resume',
    'crash',
    'restart',
    'reboot',
    'reboot',
    'drain',
    'move',
    'narrow',
    'api',
  ),
  a: node,
  b: node,
  mask: fc.integer({ min: 0, max: 31 }),
})

/** Whoever runs it sees no two holders at any moment, and after all is well again one holder of each address, known to all. */
export const partitions = fc.property(
  fc.array(
    fc.record({
      offset: fc.integer({ min: 0, max: 1_000_000 }),
      rate: fc.double({ min: 0.96, max: 1.04, noNaN: true }),
    }),
    {
      minLength: 2,
      maxLength: 5,
    },
  ),
  fc.array(action, { minLength: 5, maxLength: 40 }),
  fc.record({
    lossRate: fc.double({ min: 0, max: 0.3, noNaN: true }),
    doubleRate: fc.double({ min: 0, max: 0.3, noNaN: true }),
    slowRate: fc.double({ min: 0, max: 0.3, noNaN: true }),
    slowMs: fc.integer({ min: 10, max: 3000 }),
  }),
  fc.nat(),
  (clocks, actions, network, seed) => {
    const simulation = new Simulation(clocks, network, seed)
    const names = simulation.machines.map(({ name }) => name)
    const all = addresses.map((address) => claim(address, names))
    simulation.setClaims(all)
    let at = 2500
    for (const { afterMs, what, a, b, mask } of actions) {
      at += afterMs
      simulation.at(at, () => act(simulation, what, names[a % names.length]!, names[b % names.length]!, mask))
    }
    simulation.run(at + 500)
    simulation.heal()
    simulation.setClaims(all)
    simulation.run(at + 500 + 2 * settleMs)
    for (const address of addresses) {
      // Votes may be out for a moment where messages still get lost.
      let end = simulation.now
      while (simulation.holders(address).length === 0 && end < at + 20 * settleMs) {
        end += 100
        simulation.run(end)
      }
      if (simulation.holders(address).length !== 1) throw new Error(`nobody holds ${address} after all is well`)
    }
  },
)

function act(simulation: Simulation, what: string, a: string, b: string, mask: number): void {
  const names = simulation.machines.map(({ name }) => name)
  const side = (name: string) => (mask >> names.indexOf(name)) & 1
  const linkAll = (isUp: (from: string, to: string) => boolean): void => {
    for (const from of names) for (const to of names) simulation.link(from, to, isUp(from, to))
  }
  const narrowed = () =>
    addresses.map((address) =>
      claim(
        address,
        names.filter((name) => side(name) === 1),
      ),
    )
  const acts: Readonly<Record<string, () => void>> = {
    cut: () => simulation.link(a, b, false),
    split: () => linkAll((from, to) => side(from) === side(to)),
    mend: () => linkAll(() => true),
    pause: () => simulation.pause(a, true),
    resume: () => simulation.pause(a, false),
    crash: () => simulation.crash(a),
    restart: () => simulation.restart(a),
    reboot: () => {
      for (const name of names) if (side(name) === 1) simulation.restart(name)
    },
    drain: () => simulation.act(a, (election, now) => election.setDraining(mask % 2 === 0, now)),
    move: () => {
      for (const address of addresses) simulation.act(a, (election, now) => election.move(address, b, now).effects)
    },
    narrow: () => simulation.setClaims(narrowed()),
    api: () => {
      simulation.apiUp = !simulation.apiUp
    },
  }
  acts[what]?.()
}
