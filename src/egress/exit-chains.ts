import { type Family, familyOf } from '../addr/index.ts'
import type { Rule } from './language.ts'
import { chainSuffix, guardRules, steerRules, translateRules } from './lower.ts'
import type { EgressModel, EgressWorld, Exit } from './model.ts'
import { marks } from './words.ts'

/** The chains of one pod's way out; none where the Egress leaves it alone. */
export function exitChains(
  family: Family,
  model: EgressModel,
  exit: Exit,
  slot: number,
  world: EgressWorld,
): { name: string; rules: readonly Rule[] }[] {
  if (exit.kind === 'untouched') return []
  const { scope, onUnavailable } = model
  const suffix = chainSuffix(model.key, exit.address)
  const own = model.addresses.map(({ address }) => address).filter((address) => familyOf(address) === family)
  // With `Node`, connections that began under the node's address while nobody held the egress address may go on.
  const guard = onUnavailable === 'Node' ? [] : [{ name: `guard-${suffix}`, rules: guardRules(family, scope, own) }]
  if (exit.kind === 'blocked')
    return [{ name: `steer-blocked-${suffix}`, rules: steerRules(family, scope, 'drop') }, ...guard]
  const index = exit.owner === world.node ? marks.own : (world.nodes.get(exit.owner)?.index ?? marks.own)
  return [
    { name: `steer-${suffix}`, rules: steerRules(family, scope, { mark: marks.outwards | index }) },
    {
      name: model.ports.perPod === undefined ? `translate-${suffix}` : `translate-${slot}-${suffix}`,
      rules: translateRules(family, exit.address, exit.ports),
    },
    ...guard,
  ]
}
