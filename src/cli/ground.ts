import type { Snapshot } from '../cluster/index.ts'
import {
  type Answer,
  type ClusterFacts,
  confirm,
  type Evidence,
  explainConnection,
  explainRequestWay,
  type Observation,
  observationsOf,
  rehearse,
  withoutAgent,
} from '../explain/index.ts'
import type { GatewayModel } from '../gateways/index.ts'
import type { KubeObject } from '../objects/index.ts'
import type { Asked } from './asked.ts'
import { type Cluster, factsOf } from './read-cluster.ts'

/** What an answer rests on. */
export interface Ground {
  readonly snapshot: Snapshot
  readonly facts: ClusterFacts
  /** What was taken for granted before anything was asked. */
  readonly assumptions: readonly string[]
  /** Read when a request asks for it. */
  gateways(): Promise<GatewayModel>
  /** Asks the kernels on the way; absent where there are none. */
  ask?(observations: readonly Observation[]): Promise<ReadonlyMap<Observation, Evidence>>
}

export interface Grounded {
  readonly answer: Answer
  /** What kernels said. */
  readonly evidence: ReadonlyMap<Observation, Evidence>
  /** Of requests alone. */
  readonly gateways: GatewayModel | undefined
}

/** Explains what is asked by the model, and holds it against the kernels where there are some. */
export async function answerFrom(ground: Ground, asked: Asked): Promise<Grounded> {
  const { snapshot, facts, assumptions } = ground
  const gateways = asked.kind === 'request' ? await ground.gateways() : undefined
  const model =
    asked.kind === 'connection'
      ? explainConnection(snapshot, asked.question, facts)
      : explainRequestWay(snapshot, asked.source, asked.request, gateways!, facts)
  const told = { ...model, assumptions: [...assumptions, ...model.assumptions] }
  if (ground.ask === undefined) return { answer: told, evidence: new Map(), gateways }
  const fitting = withoutAgent(told, facts)
  const evidence = await ground.ask(observationsOf(fitting))
  return { answer: confirm(fitting, evidence), evidence, gateways }
}

/** A cluster's objects, and whoever can be asked from here. */
export function groundOfCluster(cluster: Cluster): Ground {
  return {
    snapshot: cluster.snapshot,
    facts: factsOf(cluster),
    assumptions: [],
    gateways: async () => (await (await import('./doctor-request.ts')).readGateways(cluster)).model,
    ask: (observations) => cluster.sight.ask(observations),
  }
}

/** What manifests would become. */
export function groundOfManifests(manifests: readonly KubeObject[]): Ground {
  const { snapshot, gateways, assumptions } = rehearse(manifests)
  return { snapshot, facts: noFacts, assumptions, gateways: async () => gateways }
}

/** What manifests leave open. */
export const noFacts: ClusterFacts = { clusterDomain: 'cluster.local', servicePrefixes: [] }
