import type { Address } from '../addr/index.ts'
import type { Ack, Heartbeat, Refusal } from './message.ts'
import { maximumLeaseMs } from './timing.ts'

const runsRemembered = 8

interface Grant {
  readonly node: string
  readonly boot: string
  /** By this node's clock, in milliseconds. */
  readonly until: number
}

/**
 * One node's votes. It votes for one node at a time on each address, for as long as the asker's lease says, counted from when
 * the heartbeat arrived, which is later than the asker counts; so of two that hold a majority the votes would have to overlap.
 */
export class Voter {
  readonly #node: string
  readonly #openFrom: number
  readonly #grants = new Map<Address, Grant>()
  readonly #given = new Map<string, { readonly boot: string; readonly addresses: ReadonlySet<Address> }>()
  /** The latest sequence number by run, of the last runs of each node: a late heartbeat of a former run must not let one of this run in twice. */
  readonly #latest = new Map<string, Map<string, number>>()

  constructor(node: string, now: number) {
    this.#node = node
    this.#openFrom = now + maximumLeaseMs
  }

  /** The vote on a heartbeat; undefined for one that is older than another of the same run. */
  vote(heartbeat: Heartbeat, now: number): Ack | undefined {
    const { from, boot, sequence, wants } = heartbeat
    const latest = this.#latest.get(from) ?? new Map<string, number>()
    if (sequence <= (latest.get(boot) ?? -1)) return undefined
    this.#latest.set(from, latest.set(boot, sequence))
    if (latest.size > runsRemembered) latest.delete(latest.keys().next().value ?? '')
    this.#takeBack(heartbeat)
    const until = now + Math.min(heartbeat.leaseMs, maximumLeaseMs)
    const refused: Refusal[] = []
    const granted = new Set<Address>()
    for (const { address } of wants) {
      const refusal = this.#refusal(address, from, now)
      if (refusal !== undefined) refused.push(refusal)
      else {
        this.#grants.set(address, { node: from, boot, until })
        granted.add(address)
      }
    }
    this.#given.set(from, { boot, addresses: granted })
    return { kind: 'ack', from: this.#node, to: from, boot, sequence, refused }
  }

  /** Until when another node than `node` has this vote, in milliseconds of this node's clock; 0 when none has. */
  takenUntil(address: Address, node: string, now: number): number {
    if (now < this.#openFrom) return this.#openFrom
    const grant = this.#grants.get(address)
    return grant === undefined || grant.node === node || grant.until <= now ? 0 : grant.until
  }

  #refusal(address: Address, from: string, now: number): Refusal | undefined {
    const until = this.takenUntil(address, from, now)
    if (until === 0) return undefined
    const holder = now < this.#openFrom ? '' : (this.#grants.get(address)?.node ?? '')
    return { address, holder, remainingMs: until - now }
  }

  /** What the same run was given and does not ask for any more. A former run's votes end by time alone: its heartbeat may be a late one. */
  #takeBack({ from, boot, wants }: Heartbeat): void {
    const given = this.#given.get(from)
    if (given === undefined || given.boot !== boot) return
    const wanted = new Set(wants.map(({ address }) => address))
    for (const address of given.addresses) {
      const grant = this.#grants.get(address)
      if (!wanted.has(address) && grant?.node === from && grant.boot === boot) this.#grants.delete(address)
    }
  }
}
