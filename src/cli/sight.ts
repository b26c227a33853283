import type { Address } from '../addr/index.ts'
import type { AskedOf, ListeningAt, NodeState, Subject } from '../doctor/index.ts'
import type { Evidence, Observation } from '../explain/index.ts'
import type { OpenPlace } from '../probes/index.ts'

/** What can be entered and asked from where the command runs: every place of a lab, a node and its pods, or the world outside. */
export interface Sight {
  /** Where the command runs, in words. */
  readonly says: string
  /** The addresses under which the client outside is seen; none where there is no such place. */
  readonly outside: readonly Address[]
  readonly open: OpenPlace
  /** Set where no agent of Plumb's runs: who may enforce NetworkPolicies there. */
  readonly enforcers: readonly string[] | undefined
  ask(observations: readonly Observation[]): Promise<ReadonlyMap<Observation, Evidence>>
  /** What nodes are like; `packets` are those that probes send. */
  lookAt(nodes: readonly string[], subject: Subject, packets: readonly AskedOf[]): Promise<readonly NodeState[]>
  /** The sockets that listen in a pod, or why nobody can tell. */
  sockets(namespace: string, name: string): Promise<readonly ListeningAt[]>
  /** What cannot be seen from here, for people. */
  readonly blind: readonly string[]
}
