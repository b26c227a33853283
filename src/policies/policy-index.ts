import { type Labels, matches, type ObjectKey } from '../cluster/index.ts'
import type { PodPolicies } from './judge.ts'
import type { ClusterPolicyModel, PolicyModel, Tier } from './model.ts'

interface Group {
  readonly model: PolicyModel
  readonly policies: Map<ObjectKey, PolicyModel>
}

/** Policies by namespace and subject selector: a pod is judged once by each selector, however many policies share it. */
export class PolicyIndex {
  readonly #models = new Map<ObjectKey, PolicyModel>()
  readonly #groups = new Map<string, Map<string, Group>>()
  readonly #clusterModels = new Map<string, ClusterPolicyModel>()
  /** In the order in which they are asked. */
  readonly #tiers: Record<Exclude<Tier, 'networkpolicy'>, readonly ClusterPolicyModel[]> = { admin: [], baseline: [] }

  get models(): ReadonlyMap<ObjectKey, PolicyModel> {
    return this.#models
  }

  /** Cluster-wide policies by their objects. */
  get clusterModels(): ReadonlyMap<string, ClusterPolicyModel> {
    return this.#clusterModels
  }

  /** Puts one in the place of what is known of its object, or takes it out. */
  putCluster(object: string, model: ClusterPolicyModel | undefined): void {
    if (model === undefined) this.#clusterModels.delete(object)
    else this.#clusterModels.set(object, model)
    for (const tier of ['admin', 'baseline'] as const) {
      this.#tiers[tier] = [...this.#clusterModels.values()].filter((one) => one.tier === tier).sort(compareOrder)
    }
  }

  put(key: ObjectKey, model: PolicyModel | undefined): void {
    const old = this.#models.get(key)
    if (old !== undefined) {
      const groups = this.#groups.get(old.namespace)
      const group = groups?.get(old.subject.id)
      group?.policies.delete(key)
      if (group?.policies.size === 0) groups?.delete(old.subject.id)
      if (groups?.size === 0) this.#groups.delete(old.namespace)
      this.#models.delete(key)
    }
    if (model === undefined) return
    this.#models.set(key, model)
    let groups = this.#groups.get(model.namespace)
    if (groups === undefined) {
      groups = new Map()
      this.#groups.set(model.namespace, groups)
    }
    const group = groups.get(model.subject.id)
    if (group === undefined) groups.set(model.subject.id, { model, policies: new Map([[key, model]]) })
    else group.policies.set(key, model)
  }

  /** The subject selectors that select a pod with these labels, as texts: pods with the same have the same policies. */
  subjects(namespace: string, namespaceLabels: Labels, labels: Labels): readonly string[] {
    const found: string[] = []
    for (const [id, { model }] of this.#groups.get(namespace) ?? []) {
      if (matches(model.subject.selector, labels)) found.push(`${namespace}/${id}`)
    }
    for (const model of this.#clusterModels.values()) {
      if (selectsPod(model, namespaceLabels, labels)) found.push(model.object)
    }
    return found
  }

  /** The policies that select a pod with these labels in a namespace with those. */
  selecting(namespace: string, namespaceLabels: Labels, labels: Labels): PodPolicies {
    const own: PolicyModel[] = []
    for (const { model, policies } of this.#groups.get(namespace)?.values() ?? []) {
      if (!matches(model.subject.selector, labels)) continue
      for (const policy of policies.values()) own.push(policy)
    }
    const ofTier = (tier: 'admin' | 'baseline') =>
      this.#tiers[tier].filter((model) => selectsPod(model, namespaceLabels, labels))
    return { admin: ofTier('admin'), own, baseline: ofTier('baseline') }
  }
}

/** Whether a cluster-wide policy applies to a pod with these labels. */
export function selectsPod({ subject }: ClusterPolicyModel, namespaceLabels: Labels, labels: Labels): boolean {
  if (subject === undefined) return false
  return matches(subject.namespaces, namespaceLabels) && matches(subject.pods, labels)
}

/** By priority; the API leaves the order of equal ones open, which is that of their names here. */
export function compareOrder(a: ClusterPolicyModel, b: ClusterPolicyModel): number {
  return a.priority - b.priority || (a.object < b.object ? -1 : 1)
}
