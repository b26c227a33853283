import { closeSync } from 'node:fs'
import type { Address } from '../addr/index.ts'
import { NETLINK_NETFILTER, NETLINK_ROUTE, NETLINK_SOCK_DIAG } from '../netlink/index.ts'
import type { Element, SetDeclaration, TableFamily, Transaction } from '../nft/index.ts'
import * as addresses from './addresses.ts'
import * as connections from './connections.ts'
import type {
  Connection,
  FrameSocket,
  Link,
  LinkAddress,
  ListeningSocket,
  Namespace,
  Neighbour,
  Network,
  Route,
  Rule,
} from './contract.ts'
import { Firewall } from './firewall.ts'
import * as links from './links.ts'
import { listListeners } from './listeners.ts'
import * as neighbours from './neighbours.ts'
import { NetlinkSocket, openNetlink } from './netlink-socket.ts'
import * as nftables from './nftables.ts'
import { openFrameSocket } from './packet-socket.ts'
import * as routes from './routes.ts'
import * as rules from './rules.ts'
import { watchConnections, watchLoggedPackets, watchNetwork } from './subscriptions.ts'
import { readSysctl, writeSysctl } from './sysctl.ts'
import { type TableListener, TablesWatch } from './watch-tables.ts'

/** The network operations of one namespace over netlink sockets that are opened on first use. */
export class LinuxNetwork implements Network {
  readonly #namespace: Pick<Namespace, 'run' | 'inode'>
  #firewall: Firewall | undefined
  readonly #sockets = new Map<number, NetlinkSocket>()

  constructor(namespace: Pick<Namespace, 'run' | 'inode'>) {
    this.#namespace = namespace
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close()
    this.#sockets.clear()
    this.#firewall?.close()
    this.#firewall = undefined
  }

  links(): readonly Link[] {
    return links.listLinks(this.#rtnetlink())
  }
  findLink(name: string): Link | undefined {
    return links.findLink(this.#rtnetlink(), name)
  }
  addVeth(options: Parameters<Network['addVeth']>[0]): void {
    links.addVeth(this.#rtnetlink(), options)
  }
  addBridge(name: string): void {
    links.addBridge(this.#rtnetlink(), name)
  }
  addVxlan(options: Parameters<Network['addVxlan']>[0]): void {
    links.addVxlan(this.#rtnetlink(), options)
  }
  setLink(name: string, change: Parameters<Network['setLink']>[1]): void {
    links.setLink(this.#rtnetlink(), name, change)
  }
  deleteLink(name: string): void {
    links.deleteLink(this.#rtnetlink(), name)
  }

  addresses(): readonly LinkAddress[] {
    return addresses.listAddresses(this.#rtnetlink())
  }
  addAddress(link: string, address: Address, prefixLength: number, options?: { detectDuplicates?: boolean }): void {
    addresses.addAddress(this.#rtnetlink(), link, address, prefixLength, options)
  }
  deleteAddress(link: string, address: Address, prefixLength: number): void {
    addresses.deleteAddress(this.#rtnetlink(), link, address, prefixLength)
  }

  routes(filter?: Parameters<Network['routes']>[0]): readonly Route[] {
    return routes.listRoutes(this.#rtnetlink(), filter)
  }
  setRoute(route: Route): void {
    routes.setRoute(this.#rtnetlink(), route)
  }
  deleteRoute(route: Route): void {
    routes.deleteRoute(this.#rtnetlink(), route)
  }
  lookupRoute(
    destination: Address,
    options?: { source?: Address; inputInterface?: string; mark?: number },
  ): Route | undefined {
    return routes.lookupRoute(this.#rtnetlink(), destination, options)
  }

  rules(): readonly Rule[] {
    return rules.listRules(this.#rtnetlink())
  }
  addRule(rule: Rule): void {
    rules.addRule(this.#rtnetlink(), rule)
  }
  deleteRule(rule: Rule): void {
    rules.deleteRule(this.#rtnetlink(), rule)
  }

  neighbours(): readonly Neighbour[] {
    return neighbours.listNeighbours(this.#rtnetlink())
  }
  setNeighbour(neighbour: Neighbour): void {
    neighbours.setNeighbour(this.#rtnetlink(), neighbour)
  }
  deleteNeighbour(address: Address, link: string): void {
    neighbours.deleteNeighbour(this.#rtnetlink(), address, link)
  }
  setForwarding(link: string, mac: string, destination: Address): void {
    neighbours.setForwarding(this.#rtnetlink(), link, mac, destination)
  }
  forwardings(link: string): readonly { mac: string; destination: Address }[] {
    return neighbours.listForwardings(this.#rtnetlink(), link)
  }
  deleteForwarding(link: string, mac: string, destination: Address): void {
    neighbours.deleteForwarding(this.#rtnetlink(), link, mac, destination)
  }

  sysctl(name: string): string {
    return this.#namespace.run(() => readSysctl(name))
  }
  setSysctl(name: string, value: string | number): void {
    this.#namespace.run(() => writeSysctl(name, value))
  }

  commit(transaction: Transaction): Promise<void> {
    this.#firewall ??= this.#openFirewall()
    return this.#firewall.commit(transaction)
  }
  async tables(): Promise<readonly { family: TableFamily; name: string }[]> {
    return nftables.listTables(this.#socket(NETLINK_NETFILTER))
  }
  async elements(family: TableFamily, table: string, set: SetDeclaration): Promise<readonly Element[]> {
    return nftables.listElements(this.#socket(NETLINK_NETFILTER), family, table, set)
  }
  async counted(family: TableFamily, table: string, chain: string): Promise<number> {
    return nftables.readCounted(this.#socket(NETLINK_NETFILTER), family, table, chain)
  }

  watchTables(onChange: (table: string) => void, onLost: () => void): { close(): void } {
    this.#firewall ??= this.#openFirewall()
    const { portId } = this.#firewall
    const listener: TableListener = (family, table, from) => {
      if (from !== portId) onChange(`${family} ${table}`)
    }
    const generation = () => nftables.readGeneration(this.#socket(NETLINK_NETFILTER))
    const watch = new TablesWatch(this.#namespace, { listener, onLost }, generation)
    const stop = this.#firewall.spare(watch)
    return {
      close() {
        stop()
        watch.close()
      },
    }
  }

  connections(filter?: Parameters<Network['connections']>[0]): readonly Connection[] {
    return connections.listConnections(this.#socket(NETLINK_NETFILTER), filter)
  }
  deleteConnection(connection: Parameters<Network['deleteConnection']>[0]): void {
    connections.deleteConnection(this.#socket(NETLINK_NETFILTER), connection)
  }
  addConnection(connection: Parameters<Network['addConnection']>[0]): void {
    connections.addConnection(this.#socket(NETLINK_NETFILTER), connection)
  }
  watchConnections(
    onEvent: (event: 'new' | 'update' | 'destroy', connection: Connection) => void,
    onLost: () => void = () => {},
    events?: Parameters<Network['watchConnections']>[2],
  ): { close(): void } {
    return watchConnections(this.#namespace, onEvent, onLost, events)
  }
  watchLoggedPackets(...[group, bytes, onPacket, onLost = () => {}]: Parameters<Network['watchLoggedPackets']>): {
    close(): void
  } {
    return watchLoggedPackets(this.#namespace, group, bytes, onPacket, onLost)
  }
  watchNetwork(onChange: (what: 'link' | 'address' | 'route' | 'neighbour') => void): { close(): void } {
    return watchNetwork(this.#namespace, onChange)
  }
  openFrames(...[link, kind, onFrame, onDown]: Parameters<Network['openFrames']>): FrameSocket {
    return openFrameSocket(this.#namespace, link, kind, onFrame, onDown)
  }

  listeners(): readonly ListeningSocket[] {
    return listListeners(this.#socket(NETLINK_SOCK_DIAG))
  }

  #openFirewall(): Firewall {
    const step = `open an nftables socket in network namespace ${this.#namespace.inode}`
    const fd = this.#namespace.run(() => openNetlink(step, NETLINK_NETFILTER))
    return new Firewall(fd, () => closeSync(fd))
  }

  #rtnetlink(): NetlinkSocket {
    return this.#socket(NETLINK_ROUTE)
  }

  #socket(protocol: number): NetlinkSocket {
    const open = this.#sockets.get(protocol)
    if (open !== undefined) return open
    const step = `open a netlink socket in network namespace ${this.#namespace.inode}`
    const made = this.#namespace.run(() => new NetlinkSocket(openNetlink(step, protocol)))
    this.#sockets.set(protocol, made)
    return made
  }
}
