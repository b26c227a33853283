import type { PodPolicies } from './judge.ts'
import type { Gate } from './layout.ts'
import { type ChainPlan, planChain, planInput } from './lower-chain.ts'
import type { Profile } from './profile.ts'
import { composeTiers } from './tier-content.ts'

/** The chains that pods of a profile begin in; absent where they are open. */
type Chains = Readonly<Partial<Record<Gate, ChainPlan>>>

/** The chains of each profile, planned once until they are forgotten. */
export class ChainPlans {
  readonly #policiesOf: (profile: Profile) => PodPolicies
  readonly #plans = new Map<string, WeakMap<Profile, Chains>>()

  constructor(policiesOf: (profile: Profile) => PodPolicies) {
    this.#policiesOf = policiesOf
  }

  /** The policies of a namespace's pods are others now, or it has no pod here any more. */
  forget(namespace: string): void {
    this.#plans.delete(namespace)
  }

  of(profile: Profile): Chains {
    const { namespace } = profile
    let own = this.#plans.get(namespace)
    if (own === undefined) {
      own = new WeakMap()
      this.#plans.set(namespace, own)
    }
    let found = own.get(profile)
    if (found === undefined) {
      const policies = this.#policiesOf(profile)
      const [out, into] = (['egress', 'ingress'] as const).map((one) => composeTiers(policies, one, profile.ports))
      const plans = { egress: planChain('egress', out!), ingress: planChain('ingress', into!), input: planInput(out!) }
      found = Object.fromEntries(Object.entries(plans).filter(([, plan]) => plan !== undefined))
      own.set(profile, found)
    }
    return found
  }
}
