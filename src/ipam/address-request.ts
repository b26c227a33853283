import type { Address, Family } from '../addr/index.ts'
import type { Because, Finding, Labels } from '../cluster/index.ts'

/** What an external address is for. */
export type AddressUse = 'LoadBalancer' | 'Egress'

/** Who wants external addresses, and which. */
export interface AddressRequest {
  /** `service/shop/web`: kind and key. */
  readonly key: string
  readonly use: AddressUse
  /** `metadata.creationTimestamp`: the older comes first. */
  readonly created: string
  readonly families: readonly Family[]
  /** Whether an address of each family is needed, or one of any will do. */
  readonly need: 'all' | 'any'
  /** These addresses and no others. */
  readonly wanted?: readonly Address[]
  /** Out of this pool alone. */
  readonly pool?: string
  /** Where `wanted` or `pool` was said. */
  readonly because: Because
  /** What its status says that it has. */
  readonly held: readonly Address[]
  readonly namespace: string
  readonly namespaceLabels?: Labels | undefined
  readonly labels?: Labels | undefined
  /** With whom it may have an address in common; nobody unless told. */
  readonly sharing?: Sharing | undefined
  /** Wanted addresses need not lie in a pool. */
  readonly poolless?: boolean
}

/** Objects with the same key may share an address when their ports are disjoint and their backends are the same. */
export interface Sharing {
  readonly key: string
  /** `TCP/80` */
  readonly ports: readonly string[]
  /** Empty when any node leads to the endpoints; their selector otherwise, since traffic then goes only where they are. */
  readonly backend: string
}

/** What became of a request. */
export type Allocation =
  | {
      readonly kind: 'assigned'
      readonly addresses: readonly Address[]
      /** Undefined for an address that lies in no pool. */
      readonly pool: string | undefined
      /** Why there is no address of a family that was asked for. */
      readonly lacks?: Finding
    }
  | { readonly kind: 'refused'; readonly finding: Finding }
