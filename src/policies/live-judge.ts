import type { Address } from '../addr/index.ts'
import type { HeldSets } from './held-sets.ts'
import { type Attempt, judgeSide, type Party, type PodPolicies, type SideVerdict } from './judge.ts'
import type { LocalPods } from './local-pods.ts'
import type { Membership } from './membership.ts'
import type { Direction } from './model.ts'
import type { NodeAddresses } from './node-addresses.ts'
import type { Profile } from './profile.ts'

/** A connection as conntrack knows it, with the port that it went to. */
export type LiveConnection = readonly [
  source: Address,
  destination: Address,
  protocol: Attempt['protocol'],
  port: number,
]

/** Judges connections between addresses by what is known of pods, nodes and names at this moment. */
export class LiveJudge {
  readonly #policiesOf: (profile: Profile) => PodPolicies
  readonly #locals: LocalPods
  readonly #membership: Membership
  readonly #sets: HeldSets
  readonly #nodes: NodeAddresses

  constructor(
    policiesOf: (profile: Profile) => PodPolicies,
    locals: LocalPods,
    membership: Membership,
    sets: HeldSets,
    nodes: NodeAddresses,
  ) {
    this.#policiesOf = policiesOf
    this.#locals = locals
    this.#membership = membership
    this.#sets = sets
    this.#nodes = nodes
  }

  /** What each local end says. An address that a name led to counts after its time too. */
  judge(...connection: LiveConnection): SideVerdict[] {
    const [source, destination] = connection
    if (source === destination) return []
    const attempt = this.#attempt(connection, 0)
    const verdicts: SideVerdict[] = []
    for (const [address, direction] of [
      [source, 'egress'],
      [destination, 'ingress'],
    ] as const) {
      const local = this.#locals.at(address)
      if (local === undefined) continue
      verdicts.push(judgeSide(this.#policiesOf(local.view.profile), direction, attempt))
    }
    return verdicts
  }

  /** What one end says; undefined when no local pod is there. */
  blame(direction: Direction, ...connection: LiveConnection): SideVerdict | undefined {
    const [source, destination] = connection
    const local = this.#locals.at(direction === 'egress' ? source : destination)
    if (local === undefined) return undefined
    return judgeSide(this.#policiesOf(local.view.profile), direction, this.#attempt(connection, Date.now()))
  }

  /** `since`: names that led to an address at that moment or later count. */
  #attempt([source, destination, protocol, port]: LiveConnection, since: number): Attempt {
    return {
      source: this.#party(source, since),
      destination: this.#party(destination, since),
      protocol,
      port,
      toOwnNode: this.#nodes.isOwn(destination),
    }
  }

  #party(address: Address, since: number): Party {
    const isCalled = (name: string): boolean => this.#sets.countsUntil(name, address) > since
    const view = this.#locals.at(address)?.view ?? this.#membership.at(address)
    if (view === undefined) {
      const node = this.#nodes.labelsAt(address)
      return { address, isCalled, ...(node === undefined ? {} : { node }) }
    }
    const { namespace, labels, ports } = view.profile
    const namespaceLabels = this.#membership.labelsOf(namespace)
    return { address, isCalled, pod: { key: view.key, namespace, namespaceLabels, labels, ports } }
  }
}
