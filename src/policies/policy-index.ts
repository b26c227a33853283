import { type Labels, matches, type ObjectKey } from '../cluster/index.ts'
import type { PolicyModel } from './model.ts'

interface Group {
  readonly model: PolicyModel
  readonly policies: Map<ObjectKey, PolicyModel>
}

/** Policies by namespace and subject selector: a pod is judged once by each selector, however many policies share it. */
export class PolicyIndex {
  readonly #models = new Map<ObjectKey, PolicyModel>()
  readonly #groups = new Map<string, Map<string, Group>>()

  get models(): ReadonlyMap<ObjectKey, PolicyModel> {
    return this.#models
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
  subjects(namespace: string, labels: Labels): readonly string[] {
    const found: string[] = []
    for (const [id, { model }] of this.#groups.get(namespace) ?? []) {
      if (matches(model.subject.selector, labels)) found.push(`${namespace}/${id}`)
    }
    return found
  }

  /** The policies that select a pod with these labels. */
  selecting(namespace: string, labels: Labels): readonly PolicyModel[] {
    const found: PolicyModel[] = []
    for (const { model, policies } of this.#groups.get(namespace)?.values() ?? []) {
      if (!matches(model.subject.selector, labels)) continue
      for (const policy of policies.values()) found.push(policy)
    }
    return found
  }
}
