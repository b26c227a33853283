import type { Because } from '../cluster/index.ts'

/** Something that is promised beyond one pod to another: a Service, its external addresses, a route, a certificate, an exit. */
export interface Way {
  readonly kind: 'service' | 'external' | 'node-port' | 'route' | 'certificate' | 'exit'
  /** What is asked for and by whom; unique within the kind, and the same in another state of the cluster. */
  readonly id: string
  readonly verdict: 'allow' | 'deny'
  /** Who answers (`deployment/shop/web:8080`), the address that is left under, or the certificate. */
  readonly leadsTo: readonly string[]
  /** Of Services: who reaches all that is behind it. */
  readonly clients?: 'everybody' | readonly string[]
  readonly says: string
  readonly because: Because
  /** Objects further along the way that may be to blame for what it leads to. */
  readonly through?: readonly Because[]
}

/** Ways of one kind and id once: what several places say differently is a mistake of the caller. */
export function byId(ways: readonly Way[]): ReadonlyMap<string, Way> {
  return new Map(ways.map((way) => [`${way.kind} ${way.id}`, way]))
}
