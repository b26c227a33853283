import type { Address } from '../addr/index.ts'

/** A node by its name and its InternalIPs. */
export interface Member {
  readonly name: string
  readonly addresses: readonly Address[]
}
