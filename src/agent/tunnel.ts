import { type Address, families, hostPrefix, type Prefix, prefixFamily } from '../addr/index.ts'
import type { Network, Route, Rule } from '../host/index.ts'
import { type Overlay, type PodNetwork, tunnelLink } from '../pods/index.ts'

/** The routing protocol number (RTPROT_*) of routes from this node's pods to nodes behind the tunnel. */
const protocol = 0x52
/** Their table, and where the rules that lead there stand: before the main table (32766), behind those of egress. */
const table = 0x5052
const priority = 20562

/** Makes the tunnel's link, its entries and the ways to nodes behind it what is wanted; without an overlay nothing of them stays. */
export function applyTunnel(network: Network, pods: PodNetwork): void {
  const { overlay, prefixes } = pods
  if (overlay === undefined) {
    removeTunnel(network)
    return
  }
  makeLink(network, overlay)
  applyNeighbours(network, overlay)
  applyForwardings(network, overlay)
  applyHostRoutes(network, overlay.ends, prefixes)
}

/** Takes the link away, and with it all routes by it, and the rules. */
export function removeTunnel(network: Network): void {
  if (network.findLink(tunnelLink) !== undefined) network.deleteLink(tunnelLink)
  applyHostRoutes(network, [], [])
}

/** The kernel changes neither number nor port of a link that is there. */
function makeLink(network: Network, { id, port, local, mac, mtu }: Overlay): void {
  const alias = `tunnel ${id}:${port} ${local}`
  const there = network.findLink(tunnelLink)
  if (there !== undefined && there.alias === alias && there.mac === mac) {
    if (there.mtu !== mtu) network.setLink(tunnelLink, { mtu })
    if (!there.up) network.setLink(tunnelLink, { up: true })
    return
  }
  if (there !== undefined) network.deleteLink(tunnelLink)
  network.addVxlan({ name: tunnelLink, id, port, local, mtu })
  network.setSysctl(`net.ipv6.conf.${tunnelLink}.accept_ra`, 0)
  network.setSysctl(`net.ipv4.conf.${tunnelLink}.rp_filter`, 0)
  network.setLink(tunnelLink, { mac, up: true })
  // The alias comes last: a link that has it is whole.
  network.setLink(tunnelLink, { alias })
}

function applyNeighbours(network: Network, { ends }: Overlay): void {
  const wanted = new Map<Address, string>(
    ends.flatMap(({ mac, gateways }) => families.map((family) => [gateways[family], mac] as const)),
  )
  for (const { address, link, mac, state } of network.neighbours()) {
    if (link !== tunnelLink || state === 'noarp') continue
    if (state === 'permanent' && wanted.get(address) === mac) wanted.delete(address)
    else if (!wanted.has(address)) network.deleteNeighbour(address, tunnelLink)
  }
  for (const [address, mac] of wanted) network.setNeighbour({ address, mac, link: tunnelLink, state: 'permanent' })
}

function applyForwardings(network: Network, { ends }: Overlay): void {
  const wanted = new Map(ends.map(({ mac, address }) => [mac, address]))
  for (const { mac, destination } of network.forwardings(tunnelLink)) {
    if (wanted.get(mac) === destination) wanted.delete(mac)
    else if (!wanted.has(mac)) network.deleteForwarding(tunnelLink, mac, destination)
  }
  for (const [mac, address] of wanted) network.setForwarding(tunnelLink, mac, address)
}

/** Pods alone take these routes: packets of the tunnel itself are for the same addresses, under the node's. */
function applyHostRoutes(network: Network, ends: Overlay['ends'], prefixes: readonly Prefix[]): void {
  const routes = new Map(network.routes({ table }).map((route): [string, Route] => [route.destination, route]))
  const rules = new Map(
    network
      .rules()
      .filter((rule) => rule.priority === priority && rule.table === table)
      .map((rule): [string, Rule] => [rule.from ?? '', rule]),
  )
  for (const { gateways, hosts } of ends) {
    for (const destination of hosts.map(hostPrefix)) {
      const gateway = gateways[prefixFamily(destination)]
      if (routes.get(destination)?.gateway !== gateway)
        network.setRoute({ destination, gateway, link: tunnelLink, onlink: true, table, protocol })
      routes.delete(destination)
    }
  }
  for (const route of routes.values()) network.deleteRoute(route)
  for (const from of prefixes) {
    if (!rules.delete(from)) network.addRule({ family: prefixFamily(from), priority, table, from })
  }
  for (const rule of rules.values()) network.deleteRule(rule)
}
