import { type Address, familyOf, type Prefix } from '../addr/index.ts'
import type { Because, Finding, Snapshot } from '../cluster/index.ts'
import { nodePrefixes } from '../pods/index.ts'
import { type explainService, type ServiceContext, servicesAt } from '../services/index.ts'
import { carriedAt } from './announced.ts'
import type { Answer, Question, Step } from './answer.ts'
import type { Destination } from './destination.ts'
import type { Source } from './end.ts'
import { viewOf } from './entry.ts'

/** What the cluster is like beyond the objects that are asked for. */
export interface ClusterFacts {
  readonly clusterDomain: string
  readonly servicePrefixes: readonly Prefix[]
  /** Set where some node is without an agent of Plumb's: who may enforce NetworkPolicies there. */
  readonly enforcers?: readonly string[]
  /** The nodes that have one, where others have none. */
  readonly agents?: readonly string[]
}

/** A question whose source is found. */
export interface Asked {
  readonly snapshot: Snapshot
  readonly question: Question
  readonly facts: ClusterFacts
  readonly source: Source
}

/** A destination as Services are asked for it. */
export function toQuestion(
  source: Source,
  { address, port, transport }: Destination,
): Parameters<typeof explainService>[0] {
  const own = source.addresses.find((one) => familyOf(one) === familyOf(address))
  // A source without an address of that family cannot send at all; the walk tells so.
  return { source: own ?? source.addresses[0] ?? address, destination: address, protocol: transport, port }
}

/** What the source's node knows of the Services at an address; which those are is looked for unless it is told. */
export function contextOf(
  { snapshot, source, facts }: Asked,
  address: Address,
  models?: ServiceContext['models'],
): ServiceContext {
  const own = snapshot.nodes.get(source.node)
  const node = viewOf(own)
  return {
    node,
    models: models ?? servicesAt(snapshot, address, node),
    podPrefixes: [...snapshot.nodes.values()].flatMap(nodePrefixes),
    ownPodPrefixes: own === undefined ? [] : nodePrefixes(own),
    servicePrefixes: facts.servicePrefixes,
    carried: carriedAt(snapshot, source.node, address),
  }
}

/** What every answer has. */
export function base(question: Question): Pick<Answer, 'schema' | 'question' | 'assumptions'> {
  const assumptions = ['every node has applied the newest objects, unless a line from its kernel says otherwise']
  return { schema: 'plumb.network/why/v1', question, assumptions }
}

/** An answer of a connection that never comes to a choice of endpoints. */
export function refuse(
  question: Question,
  says: string,
  because: Because,
  steps: readonly Step[],
  findings: readonly Finding[] = [],
): Answer {
  return { ...base(question), verdict: { kind: 'deny', says, because }, steps, branches: [], findings }
}
