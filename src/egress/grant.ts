import { type Address, contains, familyOf, type Prefix, prefixFamily } from '../addr/index.ts'
import type { Scope } from './model.ts'

/** Under which addresses a pod may leave, and what that rests on; no Egress selects the pod when `scope` is absent. */
export interface Grant {
  readonly allowed: readonly Address[]
  readonly scope: Scope | undefined
  /** Addresses that it had before and has no longer. */
  readonly revoked: readonly Address[]
}

/** One connection that a pod began, as translation has it. */
export interface Translated {
  readonly destination: Address
  /** The source that the destination sees. */
  readonly source: Address
}

/** Whether a live connection leaves under an address that its pod may not use (any longer): it must not go on. */
export function isRevoked(
  { allowed, scope, revoked }: Grant,
  pod: Address,
  cluster: readonly Prefix[],
  live: Translated,
): boolean {
  if (live.source === pod) return false
  if (revoked.includes(live.source)) return true
  if (scope === undefined || cluster.some((prefix) => contains(prefix, live.destination))) return false
  return inScope(scope, live.destination) && !allowed.includes(live.source)
}

/** Whether an Egress speaks of a destination outside the cluster. */
export function inScope({ destinations, excluded }: Scope, destination: Address): boolean {
  const within = (prefixes: readonly Prefix[]) =>
    prefixes.some((prefix) => prefixFamily(prefix) === familyOf(destination) && contains(prefix, destination))
  return !within(excluded) && (destinations === undefined || within(destinations))
}
