import { type Address, bytesOf, type Family, families, parseAddress } from '../addr/index.ts'
import { isOnSegment, type Underlay } from '../cluster/index.ts'
import type { Overlay, PodNetwork, TunnelEnd } from './model.ts'

/** The tunnel's link on every node. */
export const tunnelLink = 'vxlan-plumb'

/** IPv4 (20), UDP (8), VXLAN (8) and the Ethernet header inside (14): what a packet grows by in the tunnel, in bytes (RFC 7348, section 5). */
const tunnelOverhead = 50

type Addresses = Readonly<Partial<Record<Family, Address>>>

/** Another node as the tunnel's far end; undefined when it is on the segment in all of its families, or has no IPv4 address to send to. */
export function tunnelEnd(own: Underlay | undefined, node: string, addresses: Addresses): TunnelEnd | undefined {
  const hosts = families.flatMap((family) => addresses[family] ?? []).filter((one) => !isOnSegment(own, one))
  const address = addresses[4]
  if (address === undefined || hosts.length === 0) return undefined
  return { node, address, mac: tunnelMac(address), gateways: { 4: address, 6: linkLocal(address) }, hosts }
}

/** The node's own end; undefined where there is nobody at the other. */
export function compileOverlay(
  own: Underlay | undefined,
  local: Address | undefined,
  ends: readonly TunnelEnd[],
): Overlay | undefined {
  if (own === undefined || local === undefined || ends.length === 0) return undefined
  return { ...own.vxlan, local, mac: tunnelMac(local), mtu: own.mtu - tunnelOverhead, ends }
}

/** Where packets for another node go first: to its own address on the segment, or into the tunnel. */
export function nextHop(
  { overlay }: PodNetwork,
  node: string,
  family: Family,
  address: Address | undefined,
): { readonly gateway: Address; readonly link?: string } | undefined {
  const end = overlay?.ends.find((one) => one.node === node)
  if (end !== undefined && (address === undefined || end.hosts.includes(address)))
    return { gateway: end.gateways[family], link: tunnelLink }
  return address === undefined ? undefined : { gateway: address }
}

/** The hardware address of a tunnel's end: locally administered, and known to all who know the node's address. */
function tunnelMac(address: Address): string {
  return ['0a', '5b', ...Array.from(bytesOf(address), (byte) => byte.toString(16).padStart(2, '0'))].join(':')
}

/** A name for the tunnel's end in IPv6 routes, also where its node has no IPv6 address. */
function linkLocal(address: Address): Address {
  const hex = Buffer.from(bytesOf(address)).toString('hex')
  return parseAddress(`fe80::5b:${hex.slice(0, 4)}:${hex.slice(4)}`)
}
