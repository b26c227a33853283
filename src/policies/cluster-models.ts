import type { Collection, Snapshot } from '../cluster/index.ts'
import type { AdminNetworkPolicy, ClusterNetworkPolicy } from '../objects/index.ts'
import { compileClusterPolicy } from './compile-cluster.ts'
import type { ClusterPolicyModel } from './model.ts'
import { translateAdmin } from './translate-admin.ts'

/** The collections of a Snapshot that hold cluster-wide policies, and what explanations call their objects. */
export const clusterKinds = {
  clusterPolicies: 'clusternetworkpolicy',
  adminPolicies: 'adminnetworkpolicy',
  baselinePolicies: 'baselineadminnetworkpolicy',
} as const satisfies Partial<Record<Collection, string>>

export type ClusterCollection = keyof typeof clusterKinds

const models = new WeakMap<object, ClusterPolicyModel>()

/** What a cluster-wide policy of any kind means. Objects of a Snapshot are never changed, so each is compiled once. */
export function clusterModelOf(
  collection: ClusterCollection,
  policy: ClusterNetworkPolicy | AdminNetworkPolicy,
): ClusterPolicyModel {
  const known = models.get(policy)
  if (known !== undefined) return known
  const kind = clusterKinds[collection]
  const model =
    collection === 'clusterPolicies'
      ? compileClusterPolicy(policy as ClusterNetworkPolicy, kind)
      : compileClusterPolicy(
          translateAdmin(policy as AdminNetworkPolicy, collection === 'adminPolicies' ? 'Admin' : 'Baseline'),
          kind,
        )
  models.set(policy, model)
  return model
}

/** Every cluster-wide policy of a Snapshot, in no order. */
export function* clusterModelsIn(snapshot: Pick<Snapshot, ClusterCollection>): Generator<ClusterPolicyModel> {
  for (const collection of Object.keys(clusterKinds) as ClusterCollection[]) {
    for (const policy of snapshot[collection].values()) yield clusterModelOf(collection, policy)
  }
}
