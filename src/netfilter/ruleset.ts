import type { Address, Family } from '../addr/index.ts'

/** Where the kernel calls chains (uapi/linux/netfilter.h). */
export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'

/** Rules of one family as somebody else wrote them, of one program's tables or of several. */
export interface Ruleset {
  readonly family: Family
  /** By `TABLE CHAIN`. */
  readonly chains: ReadonlyMap<string, Chain>
  /** nftables alone: what named sets and maps hold, by `TABLE SET`. */
  readonly sets: ReadonlyMap<string, readonly Element[]>
  /** What could not be read, in words; never more than a few. */
  readonly unread: readonly string[]
}

export interface Chain {
  readonly table: string
  readonly name: string
  /** Chains that the kernel calls itself. */
  readonly base?: {
    readonly hook: Hook
    /** Lower ones come first (uapi/linux/netfilter_ipv4.h). */
    readonly priority: number
    readonly translates: boolean
    readonly policy: 'accept' | 'drop'
  }
  readonly rules: readonly Rule[]
}

export interface Rule {
  /** As its program prints it. */
  readonly text: string
  readonly statements: readonly Statement[]
  /** Packets that it met, where it counts. */
  readonly packets?: number
}

/** What a packet is looked at for. */
export type Field =
  | 'source'
  | 'destination'
  | 'protocol'
  | 'source-port'
  | 'destination-port'
  | 'input'
  | 'output'
  | 'mark'
  | 'state'
  /** `local` where the address is the node's own. */
  | 'source-type'
  | 'destination-type'
  /** Of the connection, `ct status`: whether it is translated. */
  | 'translated'
  /** What nobody can know beforehand: chance, and clients remembered. */
  | 'unknown'

/** One value that a field may have: numbers and addresses as inclusive ranges, names with a trailing `*`. */
export type Value =
  | { readonly kind: 'range'; readonly from: bigint; readonly to: bigint }
  | { readonly kind: 'word'; readonly word: string }
  /** Bits of a mark. */
  | { readonly kind: 'bits'; readonly value: number; readonly mask: number }

/** An element of a set (`then` absent) or a map. */
export interface Element {
  readonly key: readonly Value[]
  readonly then?: Verdict
}

export type Statement =
  | {
      readonly kind: 'match'
      readonly fields: readonly Field[]
      readonly not: boolean
      /** Any of these, or of a named set of the same table. */
      readonly among: readonly Element[] | { readonly set: string }
      /** How many of a hundred packets pass, for a match of chance. */
      readonly percent?: number
    }
  | {
      readonly kind: 'look-up'
      readonly fields: readonly Field[]
      readonly among: readonly Element[] | { readonly set: string }
    }
  /** One of these by chance, each alike. */
  | { readonly kind: 'choose'; readonly verdicts: readonly Verdict[] }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  /** `mark = (mark & ~mask) ^ value` */
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number }
  | { readonly kind: 'translate'; readonly address?: Address; readonly port?: number }
  /** The source becomes this address, or the node's own. */
  | { readonly kind: 'masquerade'; readonly address?: Address }
  /** Changes nothing of the packet's way: counters, comments, logs. */
  | { readonly kind: 'note' }
  | { readonly kind: 'unknown'; readonly text: string }

export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'return' | 'continue' }
  | { readonly kind: 'reject'; readonly with: string }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
