import type { Address, Prefix } from '../addr/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import type { Taken } from './carry-on.ts'
import type { Frontend } from './tables.ts'

/** A node by its name and its InternalIPs. */
export interface Member {
  readonly name: string
  readonly addresses: readonly Address[]
}

/** An address whose connections survive its holder. */
export interface Cared {
  readonly address: Address
  readonly ports: readonly Pick<Frontend, 'protocol' | 'port'>[]
  /** The nodes that keep a copy while another holds it. */
  readonly standbys: readonly string[]
  /** Whether routers send its packets to any node, so that none may keep datagrams waiting. */
  readonly isRouted?: boolean
}

/** What a node must know beside who holds what. Plain data: it may come from another thread. */
export interface StandbyConfig {
  readonly members: readonly Member[]
  readonly addresses: readonly Cared[]
  /** Pods by their nodes, and those whose answers find this node alone. */
  readonly podPrefixes: Readonly<Record<string, readonly Prefix[]>>
  readonly boundPrefixes: readonly Prefix[]
}

export interface StandbyOptions {
  readonly node: string
  /** TCP, of the copies. */
  readonly port: number
  readonly key: Uint8Array
  readonly host: Host
  readonly namespace: Namespace
  readonly onTrouble: (message: string) => void
}

/** What `plumb addresses` tells of it. */
export interface StandbyState {
  /** Connections of addresses that this node holds, which others could carry on. */
  readonly flows: number
  readonly followers: number
  readonly sentBytes: number
  readonly copies: readonly { readonly address: Address; readonly from: string; readonly flows: number }[]
  readonly taken: readonly (Taken & { readonly address: Address; readonly ms: number })[]
}
