import { type Address, type Family, familyOf } from '../addr/index.ts'
import type { Finding } from '../cluster/index.ts'
import { decideExit } from './decide.ts'
import { exitChains } from './exit-chains.ts'
import type { Grant } from './grant.ts'
import type { Rule } from './language.ts'
import type { LocalPod } from './local-pods.ts'
import type { EgressModel, EgressWorld, Exit } from './model.ts'
import type { PortUse } from './port-journal.ts'
import { portsOfPod } from './ports.ts'
import { chooseAddress } from './select.ts'
import type { Slots } from './slots.ts'

/** What the tables hold for one pod. */
export interface Held {
  readonly pod: LocalPod
  /** The Egresses that select it; the first one holds. */
  readonly models: readonly EgressModel[]
  readonly chains: readonly { readonly family: Family; readonly name: string; readonly rules: readonly Rule[] }[]
  /** The addresses that are its own, whether it leaves or not. */
  readonly chosen: readonly Address[]
  /** Addresses under which it leaves, with the ports that it may have. */
  readonly uses: readonly PortUse[]
  readonly findings: readonly Finding[]
}

/** The ways out of one pod, of which `models` decide, in each of its families. */
export function holdPod(
  world: EgressWorld,
  families: readonly Family[],
  pod: LocalPod,
  models: readonly EgressModel[],
  slots: Slots,
): Held {
  const [model, ...others] = models
  if (model === undefined) return { pod, models, chains: [], chosen: [], uses: [], findings: [] }
  const findings = others.map((other) => overlap(other, pod, model))
  const own = families.filter((family) => pod.addresses.some((address) => familyOf(address) === family))
  const chosen = own.flatMap((family) => chooseAddress(model, family, pod.key)?.address ?? [])
  const uses: PortUse[] = []
  const chains = own.flatMap((family) => {
    const { exit, slot } = takeSlot(world, decideExit(model, family, pod.key, world), model, pod, slots, findings)
    if (exit.kind === 'through') uses.push({ pod: pod.key, address: exit.address, ...exit.ports })
    return exitChains(family, model, exit, slot, world).map((chain) => ({ family, ...chain }))
  })
  return { pod, models, chains, chosen, uses, findings }
}

/** Narrows the ports to the pod's own, where pods have their own. */
function takeSlot(
  { node }: EgressWorld,
  exit: Exit,
  { object, ports: plan }: EgressModel,
  pod: LocalPod,
  slots: Slots,
  findings: Finding[],
): { exit: Exit; slot: number } {
  if (exit.kind !== 'through') return { exit, slot: 0 }
  const { address } = exit
  const slot = slots.take(address, pod.key, plan)
  if (slot !== undefined) return { exit: { ...exit, ports: portsOfPod(plan, exit.ports, slot) }, slot }
  const { perNode, perPod = perNode } = plan
  const says = `the ${perNode} source ports that ${node} has of ${address} are all with other pods, ${perPod} each`
  const field = 'spec.ports.perPod'
  findings.push({
    code: 'EgressPortsExhausted',
    object,
    field,
    says: `pod/${pod.key} cannot leave: ${says}`,
    try: 'give more egressIPs, a larger ports.perNode or a smaller ports.perPod',
  })
  return { exit: { kind: 'blocked', address, says, because: { object, field, value: String(perPod) } }, slot: 0 }
}

/** Under which addresses a pod's address may leave by what is held. */
export function grantOf(held: Held | undefined, address: Address): Pick<Grant, 'allowed' | 'scope'> {
  const model = held?.models[0]
  if (model === undefined || !held?.pod.addresses.includes(address)) return { allowed: [], scope: undefined }
  const { addresses, scope, onUnavailable } = model
  return { allowed: addresses.map((one) => one.address), scope: onUnavailable === 'Node' ? undefined : scope }
}

function overlap(loser: EgressModel, pod: LocalPod, winner: EgressModel): Finding {
  return {
    code: 'EgressOverlap',
    object: loser.object,
    field: 'spec.appliedTo',
    says: `pod/${pod.key} is selected by ${winner.object} too, which is older and holds`,
    try: 'narrow one of the selectors, or delete one of the two',
  }
}
