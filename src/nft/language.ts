/**
 * The part of nftables that Plumb speaks, as data. Keys, values and set types are written in nft's own text
 * (`10.96.0.10 . tcp . 53`, `goto lb-2`), so that whatever is built can also be listed and reloaded by `nft`.
 */

export type TableFamily = 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev'

/** Data types of set keys and map values, by nft's own names. */
export type DataType =
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'inet_proto'
  | 'inet_service'
  | 'mark'
  | 'classid'
  | 'ifname'
  | 'ether_addr'
  | 'verdict'

export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'return' | 'continue' }
  | { readonly kind: 'goto' | 'jump'; readonly chain: string }

/** A whole table: what one concept owns in one family. Foreign tables are never read or written. */
export interface Table {
  readonly family: TableFamily
  readonly name: string
  readonly comment?: string
  readonly chains: readonly Chain[]
  readonly sets: readonly SetDeclaration[]
  readonly flowtables?: readonly Flowtable[]
}

/**
 * Connections whose packets go from one device to another right behind ingress, past every later hook, once a rule has added them.
 * Devices that go leave it by themselves; `counter` keeps conntrack's accounting true.
 */
export interface Flowtable {
  readonly name: string
  /** Of the ingress hook; filter is 0. */
  readonly priority: number
  readonly devices: readonly string[]
  readonly counter: boolean
}

export interface Chain {
  readonly name: string
  /** Absent for a chain that is only jumped to. */
  readonly hook?: {
    readonly type: 'filter' | 'nat' | 'route'
    readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'
    /** Numeric priority, e.g. -100 for dstnat, 100 for srcnat, 0 for filter. */
    readonly priority: number
    readonly policy: 'accept' | 'drop'
  }
  readonly comment?: string
  readonly rules: readonly Rule[]
}

export interface Rule {
  readonly statements: readonly Statement[]
  readonly comment?: string
}

/** A named set (no `value`) or map (with `value`; `['verdict']` makes a verdict map). */
export interface SetDeclaration {
  readonly name: string
  readonly key: readonly DataType[]
  readonly value?: readonly DataType[]
  readonly flags?: readonly ('constant' | 'interval' | 'timeout' | 'dynamic')[]
  readonly timeoutSeconds?: number
  readonly size?: number
  readonly comment?: string
}

/**
 * One element. `key` and `value` are nft text, parts joined by ` . `; ranges and prefixes are legal in interval sets;
 * a verdict value is `goto NAME`, `jump NAME`, `accept`, `drop`, `return` or `continue`.
 */
export interface Element {
  readonly key: string
  readonly value?: string
  readonly comment?: string
  readonly timeoutSeconds?: number
}

export type Expression =
  | {
      readonly kind: 'payload'
      readonly field:
        | 'ip saddr'
        | 'ip daddr'
        | 'ip protocol'
        | 'ip6 saddr'
        | 'ip6 daddr'
        | 'th sport'
        | 'th dport'
        | 'tcp flags'
        | 'icmp type'
        | 'icmpv6 type'
        /** Only behind a match of an `icmp type` (`icmpv6 type`) of echoes in the same rule, as nft has it. */
        | 'icmp id'
        | 'icmpv6 id'
        /** In ICMP errors: protocol, then source port or echo identifier of the packet that they are about (no IP options). */
        | '@th,136,8'
        | '@th,224,16'
        | '@th,256,16'
        /** The same in ICMPv6 errors, without extension headers. */
        | '@th,112,8'
        | '@th,384,16'
        | '@th,416,16'
        | 'ether saddr'
        | 'ether daddr'
        | 'arp operation'
        | 'arp saddr ip'
        | 'arp daddr ip'
    }
  | {
      readonly kind: 'meta'
      readonly key: 'l4proto' | 'iifname' | 'oifname' | 'mark' | 'priority' | 'nfproto' | 'pkttype' | 'skuid'
    }
  | { readonly kind: 'ct'; readonly key: 'state' | 'status' | 'mark' | 'direction' | 'packets' }
  | {
      readonly kind: 'ct'
      readonly key: 'ip saddr' | 'ip daddr' | 'ip6 saddr' | 'ip6 daddr' | 'proto-src' | 'proto-dst'
      readonly direction: 'original' | 'reply'
    }
  /** `fib daddr type`, `fib saddr type`, `fib saddr . iif oif`. */
  | {
      readonly kind: 'fib'
      readonly of: readonly ('saddr' | 'daddr' | 'iif' | 'mark')[]
      readonly result: 'type' | 'oif' | 'oifname'
    }
  | { readonly kind: 'numgen'; readonly mode: 'random' | 'inc'; readonly modulus: number }
  | { readonly kind: 'jhash'; readonly of: readonly Expression[]; readonly modulus: number; readonly seed: number }
  | { readonly kind: 'concat'; readonly of: readonly Expression[] }
  /** A constant in nft's own words, typed by its context. */
  | { readonly kind: 'constant'; readonly text: string }
  /** `KEY map @NAME` */
  | { readonly kind: 'lookup'; readonly key: Expression; readonly map: string }
  /** `EXPR & MASK`, `EXPR & MASK ^ XOR` */
  | { readonly kind: 'bitwise'; readonly of: Expression; readonly mask: number; readonly xor: number }

export type Statement =
  | {
      readonly kind: 'match'
      readonly left: Expression
      /** `==` with flags (`ct state`, `ct status`, `tcp flags`) asks whether any of them is set. */
      readonly operator: '==' | '!=' | '<' | '>' | '<=' | '>='
      /** A constant in nft text, a named set, or an anonymous set of constants. */
      readonly right: string | { readonly set: string } | { readonly of: readonly string[] }
    }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  /** `KEY vmap @NAME` or `KEY vmap { … }`. */
  | {
      readonly kind: 'vmap'
      readonly key: Expression
      readonly map: string | readonly { key: string; verdict: Verdict }[]
    }
  /** `meta mark set …`, `meta priority set …`, `ct mark set …`. */
  | { readonly kind: 'set'; readonly target: 'meta mark' | 'meta priority' | 'ct mark'; readonly value: Expression }
  /** `dnat to …`: a lookup that yields `address . port` or `address`, or a constant: `A`, `A:PORT`, `[A]:PORT` or `A . PORT`, where PORT may be `FIRST-LAST`. */
  | {
      readonly kind: 'dnat' | 'snat'
      readonly family: 4 | 6
      readonly to: Expression
      /** Whether `to` yields `address . port` and not an address alone. */
      readonly withPort: boolean
      readonly flags?: readonly ('random' | 'fully-random' | 'persistent')[]
    }
  | { readonly kind: 'masquerade'; readonly flags?: readonly ('random' | 'fully-random' | 'persistent')[] }
  | { readonly kind: 'reject'; readonly with: 'tcp reset' | 'port-unreachable' | 'admin-prohibited' }
  | { readonly kind: 'counter' }
  | { readonly kind: 'log'; readonly prefix: string; readonly group?: number }
  /** Goes on below the rate, or with `over` above it. The burst is 5 packets, or for bytes must be given. */
  | {
      readonly kind: 'limit'
      readonly rate: number
      readonly per: 'second' | 'minute' | 'hour'
      readonly burst?: number
      readonly of?: 'packets' | 'bytes'
      readonly over?: boolean
    }
  /** `add @SET { KEY timeout T }`, `update @SET { KEY timeout T }`. */
  | {
      readonly kind: 'update'
      readonly operation: 'add' | 'update'
      readonly set: string
      readonly key: Expression
      readonly timeoutSeconds?: number
    }
  | { readonly kind: 'notrack' }
  /** `flow add @NAME`: goes on where the connection can be added, else leaves the rule. */
  | { readonly kind: 'flow-add'; readonly flowtable: string }

interface In {
  readonly family: TableFamily
  readonly table: string
}

/**
 * One step of a transaction; a transaction is a list of them that the kernel takes whole or not at all. `add-table`
 * and `add-set` are no error when the thing exists; `add-flowtable` then adds its devices; `flush-chain` with `add-rule`s rewrites a chain in place.
 */
export type Operation =
  | ({ readonly kind: 'add-table'; readonly comment?: string } & In)
  | ({ readonly kind: 'delete-table' | 'destroy-table' } & In)
  | ({ readonly kind: 'add-chain'; readonly chain: Omit<Chain, 'rules'> } & In)
  | ({ readonly kind: 'flush-chain' | 'delete-chain'; readonly chain: string } & In)
  | ({ readonly kind: 'add-rule'; readonly chain: string; readonly rule: Rule } & In)
  | ({ readonly kind: 'add-set'; readonly set: SetDeclaration } & In)
  | ({ readonly kind: 'add-flowtable'; readonly flowtable: Flowtable } & In)
  | ({ readonly kind: 'delete-set' | 'flush-set'; readonly set: string } & In)
  | ({
      readonly kind: 'add-elements' | 'delete-elements'
      /** The declaration, because elements are encoded by its types. */
      readonly set: SetDeclaration
      readonly elements: readonly Element[]
    } & In)

/** Operations that take effect together. */
export type Transaction = readonly Operation[]
