import type { Address } from '../addr/index.ts'
import type { AgentTrouble, AskedOf, Collected, CollectedOn, ListeningAt, NodeState, Subject } from '../doctor/index.ts'
import type { Answer, Evidence, Observation } from '../explain/index.ts'
import type { OpenPlace } from '../probes/index.ts'

/** What can be entered and asked from where the command runs: every place of a lab, a node and its pods, or the world outside. */
export interface Sight {
  /** Where the command runs, in words. */
  readonly says: string
  /** The addresses under which the client outside is seen; none where there is no such place. */
  readonly outside: readonly Address[]
  readonly open: OpenPlace
  /** Nodes that this machine sees itself. */
  readonly seen: readonly string[]
  /** Set where some node is without an agent of Plumb's: who may enforce NetworkPolicies there, and which nodes have one. */
  readonly enforcers: readonly string[] | undefined
  readonly agents?: readonly string[]
  ask(observations: readonly Observation[]): Promise<ReadonlyMap<Observation, Evidence>>
  /** What nodes are like; `packets` are those that probes send. */
  lookAt(nodes: readonly string[], subject: Subject, packets: readonly AskedOf[]): Promise<readonly NodeState[]>
  /** The sockets that listen in a pod, or why nobody can tell. */
  sockets(namespace: string, name: string): Promise<readonly ListeningAt[]>
  /** Set where other nodes are asked too, through their agents' pods: this machine's own sight, and what those collect. */
  readonly here?: Sight
  elsewhere?(collected: Collected): Promise<Elsewhere>
  /** Sends the packet of `why --probe` on a node that this machine does not see; a text says why none could be sent. */
  probe?(node: string, answer: Answer): Promise<Answer | string>
  /** What cannot be seen from here, for people. */
  readonly blind: readonly string[]
}

/** What other machines than this one collected. */
export interface Elsewhere {
  readonly collected: readonly CollectedOn[]
  readonly agents: readonly AgentTrouble[]
  /** Who could not be asked, and why. */
  readonly unasked: readonly string[]
}
