import { createHash } from 'node:crypto'
import {
  type Address,
  bytesOf,
  type Family,
  familyOf,
  hostPrefix,
  type Prefix,
  parseAddress,
  parsePrefix,
} from '../addr/index.ts'
import type { Attachment } from './model.ts'

/** The next hop of every pod: link-local, so it is the same on every node and never clashes with a pod. */
export const gateways: Readonly<Record<Family, Address>> = {
  4: parseAddress('169.254.1.1'),
  6: parseAddress('fe80::1'),
}

/** The hardware address of the node's end of every pod link. Each link is a segment of its own, so one serves all. */
export const gatewayMac = 'ee:ee:ee:ee:ee:ee'

/** The routing protocol number (RTPROT_*) that marks Plumb's own routes. */
export const routeProtocol = 0x50

const anywhere: Readonly<Record<Family, Prefix>> = { 4: parsePrefix('0.0.0.0/0'), 6: parsePrefix('::/0') }

/** Everything that wires one pod, in the order in which it is done. */
export interface Wiring {
  readonly nodeLink: string
  readonly podLink: string
  readonly podMac: string
  readonly nodeMac: string
  readonly mtu: number
  readonly alias: string
  readonly podAddresses: readonly { readonly address: Address; readonly prefixLength: number }[]
  /** In the pod: everything goes to the node. */
  readonly podRoutes: readonly { readonly destination: Prefix; readonly gateway: Address }[]
  readonly podNeighbours: readonly { readonly address: Address; readonly mac: string }[]
  /** On the node: one host route per address. */
  readonly nodeRoutes: readonly { readonly destination: Prefix; readonly source: Address | undefined }[]
  readonly nodeNeighbours: readonly { readonly address: Address; readonly mac: string }[]
}

/**
 * The wiring of one attachment. Neighbours are permanent on both ends: nothing is resolved on a link with two known
 * ends, the first packet leaves at once and no IPv6 address waits for duplicate address detection.
 */
export function wire(
  attachment: Attachment,
  node: { readonly addresses: Readonly<Partial<Record<Family, Address>>>; readonly mtu: number },
): Wiring {
  const { addresses } = attachment
  const podMac = macFor(attachment)
  const used = [...new Set(addresses.map(familyOf))]
  return {
    nodeLink: nodeLinkName(attachment.containerId, attachment.interfaceName),
    podLink: attachment.interfaceName,
    podMac,
    nodeMac: gatewayMac,
    mtu: node.mtu,
    alias: renderAlias(attachment),
    podAddresses: addresses.map((address) => ({ address, prefixLength: familyOf(address) === 4 ? 32 : 128 })),
    podRoutes: used.map((family) => ({ destination: anywhere[family], gateway: gateways[family] })),
    podNeighbours: used.map((family) => ({ address: gateways[family], mac: gatewayMac })),
    nodeRoutes: addresses.map((address) => ({
      destination: hostPrefix(address),
      source: node.addresses[familyOf(address)],
    })),
    nodeNeighbours: addresses.map((address) => ({ address, mac: podMac })),
  }
}

/** How the node's ends of pod links begin: nobody else's links do, so a rule can name them all. */
export const linkPrefix = 'plumb'

/** The node's end of a pod link: `plumb` and 10 hex digits, within IFNAMSIZ and the same for the same attachment. */
export function nodeLinkName(containerId: string, interfaceName: string): string {
  return `${linkPrefix}${createHash('sha256').update(`${containerId}/${interfaceName}`).digest('hex').slice(0, 10)}`
}

/** What the link's alias says: the kernel keeps it, so it is also how a restarted agent knows its pods again. */
export function renderAlias(attachment: Attachment): string {
  return `pod ${attachment.namespace}/${attachment.pod} ${attachment.interfaceName} ${attachment.containerId}`
}

/** The attachment that an alias tells of, without its addresses (those are in the routes), or undefined. */
export function parseAlias(alias: string): Omit<Attachment, 'addresses'> | undefined {
  const match = /^pod ([^ /]+)\/([^ ]+) ([^ ]+) ([^ ]+)$/.exec(alias)
  if (match === null) return undefined
  const [, namespace = '', pod = '', interfaceName = '', containerId = ''] = match
  return { namespace, pod, interfaceName, containerId }
}

/** Locally administered, and the same for the same address: a pod that gets an address again is no stranger to its neighbours. */
function macFor(attachment: Attachment): string {
  const [first] = attachment.addresses
  const seed = first === undefined ? new Uint8Array() : bytesOf(first)
  const digest = seed.length === 4 ? seed : createHash('sha256').update(seed).digest().subarray(0, 4)
  return ['0a', '58', ...Array.from(digest, (byte) => byte.toString(16).padStart(2, '0'))].join(':')
}
