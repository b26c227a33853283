import type { Snapshot } from '../cluster/index.ts'
import {
  type ApiAccess,
  type Capsule,
  type Collected,
  type CollectedOn,
  emptySubject,
  findAgentTroubles,
  type Installation,
  ladder,
  openCapsule,
  saveCapsule,
} from '../doctor/index.ts'
import type { Answer, Evidence, Observation } from '../explain/index.ts'
import type { RemoteNode } from './remote-node.ts'
import type { Elsewhere, Sight } from './sight.ts'

/** Nodes that are asked about one subject: each answer is a process there. */
const maxNodes = 8

/** What is seen from here, and through the pods of agents what is not. */
export class ClusterSight {
  readonly #own: Sight
  readonly #snapshot: Snapshot
  readonly #installation: Installation
  readonly #remotes: readonly RemoteNode[]
  readonly #objects: Capsule
  readonly #opened = new Map<string, Promise<unknown>>()

  constructor(own: Sight, snapshot: Snapshot, installation: Installation, remotes: readonly RemoteNode[]) {
    this.#own = own
    this.#snapshot = snapshot
    this.#installation = installation
    this.#remotes = remotes
    this.#objects = saveCapsule(snapshot, { clusterDomain: '', servicePrefixes: [] }, [], '')
  }

  get sight(): Sight {
    const elsewhere = (collected: Collected) => this.#elsewhere(collected)
    const here = this.#own
    // A sight may be a class: what it has is named.
    const { says, outside, open, seen, enforcers, agents, sockets, blind } = here
    const lookAt: Sight['lookAt'] = (...asked) => here.lookAt(...asked)
    const ask: Sight['ask'] = (observations) => this.#ask(observations)
    const known = { says, outside, open, seen, enforcers, sockets, blind, ...(agents === undefined ? {} : { agents }) }
    const probe: Sight['probe'] = (node, answer) => this.#probe(node, answer)
    return { ...known, lookAt, ask, here, elsewhere, probe }
  }

  async #ask(observations: readonly Observation[]): Promise<ReadonlyMap<Observation, Evidence>> {
    const byNode = Map.groupBy(observations, ({ node }) => node)
    const answers = await Promise.all(
      [...byNode].map(async ([node, some]): Promise<readonly (readonly [Observation, Evidence])[]> => {
        const remote = this.#remotes.find((one) => one.node === node)
        if (remote === undefined) return [...(await this.#own.ask(some))]
        const found = await this.#askOne(remote, some)
        return some.map((one, at) => [one, found[at] ?? { kind: 'unseen', says: `${node} did not answer` }])
      }),
    )
    return new Map(answers.flat())
  }

  async #askOne(remote: RemoteNode, observations: readonly Observation[]): Promise<readonly Evidence[]> {
    try {
      await this.#open(remote)
      return await remote.ask({ kind: 'evidence', observations })
    } catch (error) {
      const says = whyUnasked(remote, error)
      return observations.map(() => ({ kind: 'unseen', says }))
    }
  }

  async #probe(node: string, answer: Answer): Promise<Answer | string> {
    const remote = this.#remotes.find((one) => one.node === node)
    if (remote === undefined) return `it is sent on node/${node}, where no agent’s pod runs that could be asked`
    try {
      await this.#open(remote)
      return await remote.ask({ kind: 'probe', answer })
    } catch (error) {
      return whyUnasked(remote, error)
    }
  }

  /** Has the nodes collect that take part in the ladder, and asks their agents how the API server looks from there. */
  async #elsewhere(collected: Collected): Promise<Elsewhere> {
    const wanted = this.#nodesOf(collected)
    const remotes = this.#remotes.filter(({ node }) => wanted.has(node))
    const asked = remotes.slice(0, maxNodes)
    const unasked = remotes.slice(maxNodes).map(({ node }) => `node/${node}: no more than ${maxNodes} nodes are asked`)
    const access = new Map<string, ApiAccess>()
    const found = await Promise.all(
      asked.map(async (remote): Promise<CollectedOn | undefined> => {
        try {
          const [one] = await Promise.all([
            this.#collectOn(remote, collected),
            remote.ask({ kind: 'api' }).then((told) => access.set(remote.node, told)),
          ])
          return one
        } catch (error) {
          unasked.push(whyUnasked(remote, error))
          return undefined
        }
      }),
    )
    return {
      collected: found.filter((one) => one !== undefined),
      agents: findAgentTroubles(this.#snapshot, this.#installation, access),
      unasked,
    }
  }

  async #collectOn(remote: RemoteNode, { subject, stand, facts }: Collected): Promise<CollectedOn | undefined> {
    await this.#open(remote)
    const told = await remote.ask({ kind: 'collect', subject: emptySubject(subject, stand), facts })
    const [collected] = told === null ? [] : openCapsule({ ...this.#objects, facts, subjects: [told] })
    return collected && { node: remote.node, collected }
  }

  #nodesOf({ subject, stand, snapshot }: Collected): ReadonlySet<string> {
    const places = ladder(snapshot, subject, stand).map(({ from }) => from)
    const nodes = places.map((place) =>
      place.kind === 'node'
        ? place.name
        : place.kind === 'pod'
          ? snapshot.pods.get(`${place.namespace}/${place.name}`)?.spec.nodeName
          : undefined,
    )
    return new Set(nodes.filter((node) => node !== undefined))
  }

  #open(remote: RemoteNode): Promise<unknown> {
    const known = this.#opened.get(remote.node)
    if (known !== undefined) return known
    const opened = remote.ask({ kind: 'open', node: remote.node, capsule: this.#objects })
    this.#opened.set(remote.node, opened)
    return opened
  }
}

function whyUnasked({ node }: RemoteNode, error: unknown): string {
  return `node/${node}: its agent’s pod cannot be asked: ${(error as Error).message}`
}
