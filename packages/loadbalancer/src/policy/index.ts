import { Maglev } from './maglev.ts'
import type { Policy } from './policy.ts'
import { leastRequest, peakEwma } from './power-of-two.ts'
import { RingHash } from './ring-hash.ts'
import { random, roundRobin } from './simple.ts'
import { Weighted } from './weighted.ts'

export type { PickContext, Policy, View } from './policy.ts'

/** Policies by name. */
const policies = {
  'round-robin': () => roundRobin,
  random: () => random,
  weighted: () => new Weighted(),
  'least-request': () => leastRequest,
  'peak-ewma': () => peakEwma,
  'ring-hash': () => new RingHash(),
  maglev: () => new Maglev(),
} satisfies Record<string, () => Policy>

export type PolicyName = keyof typeof policies

export const policyNames = Object.keys(policies) as PolicyName[]

/** Throws for a name that it does not know, with those that it knows. */
export function getPolicy(name: PolicyName): Policy {
  const make = policies[name]
  if (make === undefined) throw new Error(`policy "${name}" is not known; there are: ${policyNames.join(', ')}`)
  return make()
}
