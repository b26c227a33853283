import { type Address, familyOf } from '../addr/index.ts'
import type { Log } from '../agent/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import type { Node } from '../objects/index.ts'
import { nodePrefixes, type PodNetwork, tunnelledPrefixes } from '../pods/index.ts'
import { type Cared, type StandbyHandle, type StandbyState, startStandby } from '../standby/index.ts'
import { FormerHolders } from './former-holders.ts'
import type { Member } from './heartbeats.ts'

/** TCP port at which nodes tell one another of connections. */
const standbyPort = 10_262

export interface SurvivalOptions {
  readonly host: Host
  readonly namespace: Namespace
  readonly nodeName: string
  readonly log: Log
}

/**
 * What becomes of connections when an external address changes hands. The new holder carries on those of which it has a copy;
 * what only the former holder can translate is led to it.
 */
export class Survival {
  readonly #options: SurvivalOptions
  readonly #former: FormerHolders
  /** What tells one time that an address is held from the next. */
  readonly #turns = new Map<Address, object>()
  #standby: StandbyHandle | undefined
  #configText = ''

  constructor(options: SurvivalOptions) {
    this.#options = options
    this.#former = new FormerHolders(options.namespace.network, options.nodeName)
  }

  start(key: Uint8Array): void {
    const { host, namespace, nodeName: node, log } = this.#options
    const onTrouble = (message: string): void => log.error({}, message)
    this.#standby = startStandby({ node, port: standbyPort, key, host, namespace, onTrouble })
  }

  configure(members: readonly Member[], addresses: readonly Cared[], pods: PodNetwork, nodes: Iterable<Node>): void {
    this.#former.setMembers(members)
    const podPrefixes = Object.fromEntries([...nodes].map((node) => [node.metadata.name, nodePrefixes(node)]))
    const config = {
      members,
      addresses,
      podPrefixes,
      // A router on the way need not know pods, and the tunnel leads to nodes, not to external addresses.
      boundPrefixes: tunnelledPrefixes(pods),
    }
    const text = JSON.stringify(config)
    if (text === this.#configText) return
    this.#configText = text
    void this.#standby?.configure(config)
  }

  /** Before this node takes an address in a planned move. */
  async prepare(address: Address, from: string): Promise<void> {
    await Promise.all([this.#former.lead(address, from), this.#standby?.prepare(address, from)])
    // Those of this node's own pods arrive by the former holder until they are carried on.
    this.#former.leadFlows(from, (await this.#standby?.datagrams(address, this.#options.nodeName)) ?? [])
  }

  /** This node answers for the address. `from` held it until it was not heard any more. */
  async taken(address: Address, from: string | undefined): Promise<void> {
    const turn = {}
    this.#turns.set(address, turn)
    void this.#standby?.hold(address)
    try {
      // Before what is not known here passes.
      if (from !== undefined) await this.#lead(address, from)
    } finally {
      if (this.#turns.get(address) === turn) await this.#standby?.take(address)
    }
  }

  /** The kernel of one that is not heard may still translate, whatever became of its agent. */
  async #lead(address: Address, from: string): Promise<void> {
    const lives = this.#former.answers(from, familyOf(address))
    await this.#former.lead(address, from, 'while it is reachable')
    if (await lives) this.#former.leadFlows(from, (await this.#standby?.datagrams(address, from)) ?? [])
  }

  /** `to`: who gets it, in a planned move. */
  async lost(address: Address, to: string | undefined): Promise<void> {
    this.#turns.delete(address)
    await this.#standby?.lose(address, to)
  }

  async setOwners(owners: ReadonlyMap<Address, string>, changed: readonly Address[]): Promise<void> {
    await this.#standby?.setOwners(owners)
    for (const address of changed) await this.#former.hasOwner(address, owners.get(address))
  }

  state(): Promise<StandbyState> | undefined {
    return this.#standby?.state()
  }

  async close(): Promise<void> {
    this.#former.close()
    await this.#standby?.close()
  }
}
