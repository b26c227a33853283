import type { Finding, ObjectKey } from '../cluster/index.ts'
import type { Held } from './held.ts'
import type { LoweredFrontend } from './lower.ts'

/** One frontend: the Services that want it, and what the one that has it makes of it. */
export interface Slot {
  readonly claims: Map<ObjectKey, { readonly created: string; readonly frontend: LoweredFrontend }>
  held?: Held
}

/** The oldest claim wins, and among equals the first by key, so that every node decides alike whatever it saw first. */
export function electOwner({ claims }: Slot): ObjectKey | undefined {
  let best: { key: ObjectKey; created: string } | undefined
  for (const [key, { created }] of claims) {
    if (best === undefined || created < best.created || (created === best.created && key < best.key)) {
      best = { key, created }
    }
  }
  return best?.key
}

/** What is said to the Services that want a frontend which another has. */
export function conflictsOf(id: string, { claims, held }: Slot): readonly Finding[] {
  const losers = [...claims].filter(([key]) => key !== held?.owner)
  return losers.map(([key, { frontend }]) => ({
    code: 'FrontendTaken',
    object: `service/${key}`,
    field: frontend.field,
    says: `${id} belongs to the older service/${held?.owner}; this Service does not answer there`,
    try:
      frontend.reach === 'cluster-ip'
        ? 'delete the Service and create it without spec.clusterIP'
        : 'give it another address or port',
  }))
}
