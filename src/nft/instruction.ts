import type { Verdict } from './language.ts'
import type { SetShape } from './set-shape.ts'

/** A set that lives inside one rule. */
export interface AnonymousSet {
  readonly shape: SetShape
  readonly elements: readonly { readonly key: string; readonly value?: string }[]
}

/**
 * What the kernel runs: one nft expression each, as `nft --debug=netlink` prints them. Registers are numbered by
 * 4-byte words from 0 to 15; `data` is the bytes of a register in memory order.
 */
export type Instruction =
  | { op: 'payload'; into: number; base: number; offset: number; length: number }
  | { op: 'meta'; key: number; into: number }
  | { op: 'set meta'; key: number; from: number }
  | { op: 'ct'; key: number; into: number; direction?: number }
  | { op: 'set ct'; key: number; from: number }
  | { op: 'fib'; into: number; result: number; flags: number }
  | { op: 'numgen'; into: number; modulus: number; random: boolean }
  | { op: 'hash'; from: number; into: number; length: number; modulus: number; seed: number }
  | { op: 'bitwise'; register: number; mask: Uint8Array; xor: Uint8Array }
  /** Host order to network order, in place. */
  | { op: 'byteorder'; register: number; length: number; size: number }
  /** `comparison` by enum nft_cmp_ops. */
  | { op: 'cmp'; from: number; comparison: number; data: Uint8Array }
  | { op: 'range'; from: number; inverted: boolean; low: Uint8Array; high: Uint8Array }
  | { op: 'lookup'; from: number; into?: number | 'verdict'; set: string | AnonymousSet; inverted: boolean }
  | { op: 'immediate'; into: number; data: Uint8Array }
  | { op: 'verdict'; verdict: Verdict }
  | { op: 'nat'; type: number; family: number; address: number; port?: number; lastPort?: number; flags: number }
  | { op: 'masq'; flags: number }
  | { op: 'reject'; type: number; code: number }
  | { op: 'counter' }
  | { op: 'log'; prefix: string; group?: number }
  | { op: 'limit'; rate: number; seconds: number; burst: number; bytes: boolean; over: boolean }
  | { op: 'dynset'; key: number; set: string; update: boolean; timeoutMs?: number }
  | { op: 'notrack' }
  | { op: 'flow_offload'; flowtable: string }

/** enum nft_cmp_ops. */
export const comparisons = { '==': 0, '!=': 1, '<': 2, '<=': 3, '>': 4, '>=': 5 } as const
