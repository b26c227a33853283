import {
  type CompiledPolicy,
  compileConditions,
  compilePolicy,
  type Holds,
  isExempt,
  matchedVersion,
  type Target,
} from '../admission/index.ts'
import type {
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Webhook,
  WebhookConfiguration,
} from '../objects/index.ts'
import type { Store } from './store.ts'

/** One webhook of a configuration, ready to be asked. */
export interface Hook {
  readonly webhook: Webhook
  readonly conditions: (variables: Readonly<Record<string, unknown>>) => Holds
}

/** A policy where a binding puts it. */
export interface BoundPolicy {
  readonly policy: ValidatingAdmissionPolicy
  readonly judge: CompiledPolicy
  readonly binding: ValidatingAdmissionPolicyBinding
}

/** Who has to be asked about writes of one sort, by rules alone; selectors and conditions are looked at with the object. */
export interface Plan {
  readonly mutating: readonly Hook[]
  readonly validating: readonly Hook[]
  readonly policies: readonly BoundPolicy[]
}

const group = 'admissionregistration.k8s.io'
const places = {
  mutating: `${group}/mutatingwebhookconfigurations`,
  validating: `${group}/validatingwebhookconfigurations`,
  policies: `${group}/validatingadmissionpolicies`,
  bindings: `${group}/validatingadmissionpolicybindings`,
}

/** The plans of a store's webhooks and policies; follows their configurations, each change from its commit on. */
export class AdmissionPlans {
  readonly #store: Store
  #all: Plan | undefined
  #byTarget = new Map<string, Plan | undefined>()

  constructor(store: Store) {
    this.#store = store
    for (const place of Object.values(places))
      store.subscribe(place, () => {
        this.#all = undefined
        this.#byTarget = new Map()
      })
  }

  /** Whether nobody is ever asked. */
  get idle(): boolean {
    const { mutating, validating, policies } = this.#plan()
    return mutating.length + validating.length + policies.length === 0
  }

  /** Who is asked about writes of this sort; undefined for nobody. */
  find(target: Target): Plan | undefined {
    const key = Object.values(target).join()
    if (!this.#byTarget.has(key)) this.#byTarget.set(key, this.#select(target))
    return this.#byTarget.get(key)
  }

  #select(target: Target): Plan | undefined {
    if (isExempt(target)) return undefined
    const all = this.#plan()
    const asked = ({ webhook }: Hook) => matchedVersion(webhook.rules, webhook.matchPolicy, target) !== undefined
    const plan = {
      mutating: all.mutating.filter(asked),
      validating: all.validating.filter(asked),
      policies: all.policies.filter(({ policy: { spec } }) => {
        const { resourceRules, matchPolicy } = spec.matchConstraints ?? {}
        return matchedVersion(resourceRules, matchPolicy, target) !== undefined
      }),
    }
    return plan.mutating.length + plan.validating.length + plan.policies.length === 0 ? undefined : plan
  }

  #plan(): Plan {
    this.#all ??= {
      mutating: this.#hooks(places.mutating),
      validating: this.#hooks(places.validating),
      policies: this.#policies(),
    }
    return this.#all
  }

  /** In the order of the configurations' names, then of their lists. */
  #hooks(place: string): Hook[] {
    return [...this.#store.collection(place).range('')].flatMap(({ value }) =>
      ((value as WebhookConfiguration).webhooks ?? []).map((webhook) => ({
        webhook,
        conditions: compileConditions(webhook.matchConditions),
      })),
    )
  }

  #policies(): BoundPolicy[] {
    const policies = new Map(
      [...this.#store.collection(places.policies).range('')].map(({ key, value }) => {
        const policy = value as ValidatingAdmissionPolicy
        return [key, { policy, judge: compilePolicy(policy) }] as const
      }),
    )
    return [...this.#store.collection(places.bindings).range('')].flatMap(({ value }) => {
      const binding = value as ValidatingAdmissionPolicyBinding
      const found = policies.get(binding.spec.policyName ?? '')
      return found === undefined ? [] : [{ ...found, binding }]
    })
  }
}
