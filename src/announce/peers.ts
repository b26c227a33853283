import type { Address } from '../addr/index.ts'
import type { Heartbeat } from './message.ts'

interface Peer {
  readonly heartbeat: Heartbeat
  readonly heardAt: number
}

/** What the other nodes said last, as long as it counts. */
export class Peers {
  readonly #leaseMs: number
  readonly #peers = new Map<string, Peer>()
  #owners: Map<Address, { readonly node: string; readonly heardAt: number }> = new Map()

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs
  }

  /** Forgets all but these nodes. */
  keep(names: readonly string[]): void {
    for (const name of this.#peers.keys()) if (!names.includes(name)) this.#peers.delete(name)
    for (const [address, { node }] of this.#owners) if (!names.includes(node)) this.#owners.delete(address)
  }

  hear(heartbeat: Heartbeat, now: number): void {
    const { from, wants } = heartbeat
    const before = this.#peers.get(from)
    this.#peers.set(from, { heartbeat, heardAt: now })
    for (const { address } of before?.heartbeat.wants ?? [])
      if (this.#owners.get(address)?.node === from) this.#owners.delete(address)
    for (const { address, held } of wants) if (held) this.#owners.set(address, { node: from, heardAt: now })
  }

  /** Whether the node was heard within its lease and may take more. */
  isAble(name: string, now: number): boolean {
    const peer = this.#peers.get(name)
    return peer?.heartbeat.able === true && peer.heardAt + peer.heartbeat.leaseMs > now
  }

  /** Who said last, and within its lease, that it holds what. */
  owners(now: number): ReadonlyMap<Address, string> {
    const owners = new Map<Address, string>()
    for (const [address, { node, heardAt }] of this.#owners)
      if (heardAt + this.#leaseMs > now) owners.set(address, node)
    return owners
  }

  /** The most nodes that any node in reach knows of. */
  mostMembers(now: number): number {
    let most = 0
    for (const { heartbeat, heardAt } of this.#peers.values())
      if (heardAt + heartbeat.leaseMs > now) most = Math.max(most, heartbeat.members)
    return most
  }
}
