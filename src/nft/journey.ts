import type { Address } from '../addr/index.ts'
import type { Chain } from './language.ts'
import type { Packet, Surroundings } from './packet.ts'

/** One thing that happened to the packet: a rule that matched, or the policy at the end of a base chain. */
export interface TraceStep {
  readonly hook: NonNullable<Chain['hook']>['hook']
  /** `ip plumb-services` */
  readonly table: string
  readonly chain: string
  /** The rule as nft prints it; `policy accept` or `policy drop` at the end of a base chain. */
  readonly rule: string
  /** What the rule found: `10.96.0.10 . tcp . 53 → fe5:2`. */
  readonly found: readonly string[]
  /** What came of it, where that ends or leaves the chain: `accept`, `goto lb-2`, `dnat to 10.244.0.7:53`. */
  readonly verdict?: string
}

export type TraceOutcome =
  /** The packet reached a process of this host, or left it. */
  | { readonly kind: 'delivered' | 'sent' }
  | { readonly kind: 'dropped'; readonly by: TraceStep }
  | {
      readonly kind: 'rejected'
      readonly with: 'tcp reset' | 'port-unreachable' | 'admin-prohibited'
      readonly by: TraceStep
    }
  | { readonly kind: 'unroutable' }

export interface Trace {
  readonly steps: readonly TraceStep[]
  readonly outcome: TraceOutcome
  /** The packet as it arrived or left, but for the source that masquerading gives it. */
  readonly packet: Packet
  /** Where destination NAT sent it, be it where it was going anyway. */
  readonly dnat?: { readonly address: Address; readonly port?: number }
  /** Source NAT: to which address, or to that of the outgoing interface. */
  readonly snat?: 'masquerade' | { readonly address: Address; readonly port?: number }
  /** Elements that rules would have added; the fake itself is not changed. */
  readonly updates: readonly { readonly table: string; readonly set: string; readonly key: string }[]
}

/** How the packet travels, as far as rules do not say. */
export interface Journey extends Surroundings {
  /** `wire`: it came in by `packet.inputInterface`; `host`: a process of this host sent it. */
  readonly from: 'wire' | 'host'
  /** Where a destination is: this host, or beyond an interface; undefined where no route leads. */
  readonly route: (destination: Address) => 'host' | { readonly outputInterface: string } | undefined
}
