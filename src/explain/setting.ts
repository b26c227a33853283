import type { Snapshot } from '../cluster/index.ts'
import type { GatewayModel } from '../gateways/index.ts'
import type { KubeObject } from '../objects/index.ts'
import type { ClusterFacts } from './asked.ts'
import { rehearse } from './rehearse.ts'
import { workloadOf } from './workloads.ts'

/** What reachability is asked of: a cluster as it is, or as manifests would make it. */
export interface Setting {
  readonly snapshot: Snapshot
  readonly gateways: GatewayModel
  readonly facts: ClusterFacts
  /** `deployment/shop/web` by the key of each pod. */
  readonly workloadOf: ReadonlyMap<string, string>
  readonly assumptions: readonly string[]
}

/** The setting that manifests would make. */
export function settingOf(manifests: readonly KubeObject[]): Setting {
  const { snapshot, gateways, nameOf, assumptions } = rehearse(manifests)
  const facts = { clusterDomain: 'cluster.local', servicePrefixes: [] }
  return { snapshot, gateways, facts, workloadOf: nameOf, assumptions }
}

/** Whose the pods of a cluster are. */
export function workloadsIn({ pods }: Snapshot): ReadonlyMap<string, string> {
  return new Map([...pods].map(([key, pod]) => [key, workloadOf(key, pod)]))
}
