import type { Finding, Snapshot } from '../cluster/index.ts'
import type { Pod } from '../objects/index.ts'
import { policiesFor } from '../policies/index.ts'

/** What is wrong with the policies that select these pods, each policy once. Pods of their node's network have none. */
export function policyFindings(snapshot: Snapshot, pods: readonly Pod[]): readonly Finding[] {
  const own = pods.filter(({ spec }) => spec.hostNetwork !== true)
  const policies = own.flatMap((pod) => Object.values(policiesFor(snapshot, pod)).flat())
  return [...new Set(policies)].flatMap(({ findings }) => findings)
}
