import type { Address, Family, Prefix } from '../addr/index.ts'
import type { LoggedPacket } from '../netlink/index.ts'
import type { Element, SetDeclaration, TableFamily, Transaction } from '../nft/index.ts'

/**
 * What the host can refuse with. `busy` may pass on a second try; `unsupported` is a missing kernel feature;
 * `denied` a missing privilege; `missing` a thing named in the request that is not there; `exists` its opposite.
 */
export type HostErrorCode =
  | 'denied'
  | 'unsupported'
  | 'missing'
  | 'exists'
  | 'busy'
  | 'too-large'
  | 'invalid'
  | 'failed'

/** The host said no: which step, why (errno and the kernel's extended message), and what to do. */
export class HostError extends Error {
  readonly code: HostErrorCode
  /** The exact step, in words: `add element 10.96.0.1 . tcp . 80 to map ip plumb-services service-class`. */
  readonly step: string
  /** The errno name, e.g. `EBUSY`. */
  readonly errno: string
  /** The kernel's own words (extended acknowledgement), or the remedy. */
  readonly detail?: string
  constructor(code: HostErrorCode, step: string, errno: string, detail?: string) {
    super(`${step}: ${errno}${detail === undefined ? '' : ` (${detail})`}`)
    this.name = 'HostError'
    this.code = code
    this.step = step
    this.errno = errno
    if (detail !== undefined) this.detail = detail
  }
}

/** A network namespace that this process holds open. It lives as long as a descriptor, a process or a bind mount does. */
export interface Namespace {
  readonly fd: number
  /** A path that other processes of the same PID namespace can open: `/proc/<pid>/fd/<fd>`. */
  readonly path: string
  readonly inode: bigint
  /** Runs `work` with the calling thread inside the namespace. Synchronous only: sockets and child processes made in it belong to it. */
  run<T>(work: () => T): T
  /** The network operations of this namespace. One netlink socket, opened on first use. */
  readonly network: Network
  close(): void
}

export interface Link {
  readonly index: number
  readonly name: string
  readonly kind?: string
  readonly mtu: number
  readonly mac?: string
  readonly up: boolean
  readonly carrier: boolean
  /** The index of the other end of a veth, or of the lower link. */
  readonly peerIndex?: number
  readonly master?: number
  readonly alias?: string
}

export interface Route {
  readonly destination: Prefix
  readonly gateway?: Address
  /** Interface name. Absent for blackhole and unreachable routes. */
  readonly link?: string
  readonly source?: Address
  readonly scope?: 'global' | 'link' | 'host'
  readonly kind?: 'unicast' | 'local' | 'blackhole' | 'unreachable' | 'prohibit'
  /** Table number; 254 (main) when absent. */
  readonly table?: number
  readonly metric?: number
  /** The owner, RTPROT_*; Plumb's own routes carry 0x50. */
  readonly protocol?: number
  readonly mtu?: number
  /** The gateway is reachable on the link although no prefix says so. */
  readonly onlink?: boolean
}

export interface Rule {
  readonly family: Family
  readonly priority: number
  readonly table: number
  readonly from?: Prefix
  readonly to?: Prefix
  readonly mark?: number
  readonly markMask?: number
  readonly inputInterface?: string
}

export interface Neighbour {
  readonly address: Address
  readonly link: string
  readonly mac?: string
  readonly state: 'reachable' | 'stale' | 'delay' | 'probe' | 'failed' | 'incomplete' | 'permanent' | 'noarp'
}

export interface LinkAddress {
  readonly address: Address
  readonly prefixLength: number
  readonly link: string
  /** The address has not passed duplicate address detection yet. */
  readonly tentative?: boolean
}

/** A conntrack entry. For ICMP `sourcePort` is the identifier and `destinationPort` is type × 256 + code. */
export interface Connection {
  readonly family: Family
  readonly protocol: number
  readonly original: { source: Address; destination: Address; sourcePort: number; destinationPort: number }
  readonly reply: { source: Address; destination: Address; sourcePort: number; destinationPort: number }
  readonly mark: number
  readonly status: number
  readonly timeoutSeconds?: number
  readonly tcpState?: string
  readonly zone?: number
  /** Packets and bytes of IP packets, where `net.netfilter.nf_conntrack_acct` was set when the connection began. */
  readonly traffic?: {
    readonly original: { readonly packets: number; readonly bytes: number }
    readonly reply: { readonly packets: number; readonly bytes: number }
  }
  /** Its packets go by a flowtable, past the hooks. */
  readonly offloaded?: true
}

export interface ListeningSocket {
  readonly protocol: 'tcp' | 'udp'
  readonly address: Address
  readonly port: number
  readonly family: Family
}

/** A packet socket on one link. */
export interface FrameSocket {
  /** Sends one whole frame, link-layer header included. */
  send(frame: Uint8Array): void
  /** Lets frames to the IPv6 group come in; counts, so that each `join` needs its `leave`. Does nothing for ARP. */
  join(group: Address): void
  leave(group: Address): void
  close(): void
}

/** Netlink operations of one namespace. Every call throws a `HostError` that names the step. */
export interface Network {
  links(): readonly Link[]
  findLink(name: string): Link | undefined
  /** Both ends are made at once; `peerNamespace` puts the second end into another namespace. */
  addVeth(options: {
    name: string
    peerName: string
    peerNamespace?: Namespace | number
    mtu?: number
    mac?: string
    peerMac?: string
    alias?: string
  }): void
  addBridge(name: string): void
  addVxlan(options: { name: string; id: number; local: Address; port: number; link?: string; mtu?: number }): void
  setLink(
    name: string,
    change: {
      up?: boolean
      mtu?: number
      master?: string | null
      mac?: string
      rename?: string
      alias?: string
      namespace?: Namespace | number
    },
  ): void
  deleteLink(name: string): void

  addresses(): readonly LinkAddress[]
  /** Duplicate address detection is skipped (IFA_F_NODAD) unless asked for. */
  addAddress(link: string, address: Address, prefixLength: number, options?: { detectDuplicates?: boolean }): void
  deleteAddress(link: string, address: Address, prefixLength: number): void

  routes(filter?: { family?: Family; table?: number; protocol?: number }): readonly Route[]
  /** Adds or replaces. */
  setRoute(route: Route): void
  deleteRoute(route: Route): void
  /** What the kernel would do with a packet (RTM_GETROUTE). */
  lookupRoute(
    destination: Address,
    options?: { source?: Address; inputInterface?: string; mark?: number },
  ): Route | undefined

  rules(): readonly Rule[]
  addRule(rule: Rule): void
  deleteRule(rule: Rule): void

  neighbours(): readonly Neighbour[]
  setNeighbour(neighbour: Neighbour): void
  deleteNeighbour(address: Address, link: string): void
  /** Adds or replaces a VXLAN link's forwarding entry: frames to `mac` go to the tunnel end. The zero MAC floods to all of its entries. */
  setForwarding(link: string, mac: string, destination: Address): void
  forwardings(link: string): readonly { mac: string; destination: Address }[]
  deleteForwarding(link: string, mac: string, destination: Address): void

  /** `/proc/sys/net` in this namespace; `name` is dotted: `net.ipv4.ip_forward`. */
  sysctl(name: string): string
  setSysctl(name: string, value: string | number): void

  /** Applies an nftables transaction; the kernel takes it whole or not at all. Names the operation that failed. */
  commit(transaction: Transaction): Promise<void>
  /** The names of the tables there are. */
  tables(): Promise<readonly { family: TableFamily; name: string }[]>
  /** The elements of one set or map, in the text form of `nft/language.ts`. */
  elements(family: TableFamily, table: string, set: SetDeclaration): Promise<readonly Element[]>
  /** How many packets the counters in one chain's rules have seen since the chain was made. */
  counted(family: TableFamily, table: string, chain: string): Promise<number>

  /**
   * Calls back with the table, as `ip plumb-services`, whenever another socket than this network's own changed something in it, until
   * closed. `onLost`: changes came too fast to be told.
   */
  watchTables(onChange: (table: string) => void, onLost: () => void): { close(): void }

  connections(filter?: { family?: Family; protocol?: number; mark?: number }): readonly Connection[]
  /** Deletes the entry that has the protocol and this direction, which may be either of its two. */
  deleteConnection(connection: Pick<Connection, 'family' | 'protocol' | 'original' | 'zone'>): void
  /** Makes an entry for a connection that began elsewhere, translated as its reply direction says; throws `exists` while another entry has one of its directions. */
  addConnection(
    connection: Pick<Connection, 'family' | 'protocol' | 'original' | 'reply'> & {
      readonly timeoutSeconds: number
      readonly mark?: number
    },
  ): void
  /** Calls back for each conntrack event until closed. `onLost`: events were dropped because they came too fast; list again. */
  watchConnections(
    onEvent: (event: 'new' | 'update' | 'destroy', connection: Connection) => void,
    onLost?: () => void,
    /** Which events; all unless told. */
    events?: readonly ('new' | 'update' | 'destroy')[],
  ): { close(): void }
  /**
   * Calls back for each packet that a rule with `log group` sends to this group, cut to `bytes`, until closed. `onLost`: packets came too
   * fast and some were left out. Throws `busy` while another process has the group.
   */
  watchLoggedPackets(
    group: number,
    bytes: number,
    onPacket: (packet: LoggedPacket) => void,
    onLost?: () => void,
  ): { close(): void }
  /** Calls back when links, addresses, routes or neighbours change (the name of what changed), until closed. After a loss, for all of them. */
  watchNetwork(onChange: (what: 'link' | 'address' | 'route' | 'neighbour') => void): { close(): void }

  /**
   * Calls back for each ARP, or each neighbour solicitation and advertisement, that arrives at the link, whatever its addresses.
   * When the link goes down or away `onDown` is called once and the socket is closed.
   */
  openFrames(
    link: Pick<Link, 'index' | 'name'>,
    kind: 'arp' | 'neighbour-discovery',
    onFrame: (frame: Uint8Array) => void,
    onDown: (reason: string) => void,
  ): FrameSocket

  /** Sockets that listen (TCP) or are bound (UDP), by sock_diag. */
  listeners(): readonly ListeningSocket[]
}

/** Namespaces and sockets of the host. */
export interface Host {
  /** The namespace in which the process started. */
  readonly own: Namespace
  createNamespace(): Namespace
  openNamespace(path: string): Namespace
  /** A listening stream socket made in `namespace`, to hand to `server.listen({ fd })`. Port 0 lets the kernel choose. */
  listenTcp(namespace: Namespace, address: Address, port: number): { fd: number; port: number }
  /** A bound datagram socket made in `namespace`, to hand to `dgram.Socket.bind({ fd })`. */
  bindUdp(namespace: Namespace, address: Address, port: number): { fd: number; port: number }
  /** A stream socket of `namespace` that is connecting (non-blocking), for `new net.Socket({ fd })`. */
  connectTcp(namespace: Namespace, address: Address, port: number, options?: { source?: Address }): { fd: number }
  /** Sends one IP packet of a protocol (IANA's number); the kernel writes its header, and chooses the source unless told. */
  sendPacket(
    namespace: Namespace,
    protocol: number,
    destination: Address,
    payload: Buffer,
    options?: { source?: Address },
  ): void
}
