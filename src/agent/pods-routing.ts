import { prefixFamily } from '../addr/index.ts'
import { HostError, type Network, type Route } from '../host/index.ts'
import { type NodeRoute, type PodNetwork, routeProtocol, tunnelLink } from '../pods/index.ts'

/** What every node needs before it can forward for pods. `all.rp_filter` stays 0, because the kernel takes the higher of `all` and the interface. */
export const nodeSysctls: readonly (readonly [string, number])[] = [
  ['net.ipv4.ip_forward', 1],
  ['net.ipv6.conf.all.forwarding', 1],
  ['net.ipv4.conf.all.rp_filter', 0],
  ['net.ipv4.conf.default.rp_filter', 0],
  ['net.ipv4.conf.all.send_redirects', 0],
  ['net.ipv4.conf.default.send_redirects', 0],
]

/**
 * Redirects are ended on every link, because the kernel sends them where `all` or the link says so: a client on the nodes' segment
 * would be told to send what a Service translates to another node, and refusals would fall under the redirects' rate limit.
 */
export function applyNodeSysctls(network: Network): void {
  const links = network.links().map(({ name }) => name.replaceAll('.', '/'))
  const redirects = links.map((link) => [`net.ipv4.conf.${link}.send_redirects`, 0] as const)
  for (const [name, value] of [...nodeSysctls, ...redirects]) {
    if (network.sysctl(name).trim() !== String(value)) network.setSysctl(name, value)
  }
}

/**
 * Makes the routes to other nodes' pods what the model says; touches only routes that carry Plumb's protocol number. A gateway that is on no
 * link of the node costs its own route alone: `refused`.
 */
export function applyNodeRoutes(
  network: Network,
  pods: PodNetwork,
): { added: number; removed: number; refused: readonly NodeRoute[] } {
  const current = new Map(
    network
      .routes({ protocol: routeProtocol })
      .flatMap((route): [string, Route][] => (route.gateway === undefined ? [] : [[route.destination, route]])),
  )
  let added = 0
  const refused: NodeRoute[] = []
  for (const route of pods.routes) {
    const { destination, gateway, kind } = route
    const there = current.get(destination)
    current.delete(destination)
    if (there?.gateway === gateway && (there.link === tunnelLink) === (kind === 'vxlan')) continue
    if (setNodeRoute(network, pods, route)) added++
    else refused.push(route)
  }
  for (const route of current.values()) network.deleteRoute(route)
  return { added, removed: current.size, refused }
}

function setNodeRoute(network: Network, { addresses }: PodNetwork, { destination, gateway, kind }: NodeRoute): boolean {
  // Without a source of its own the tunnel's link would have the kernel choose among all addresses of the node.
  const source = addresses[prefixFamily(destination)]
  const tunnel = { link: tunnelLink, onlink: true, ...(source === undefined ? {} : { source }) }
  return trySetRoute(network, { destination, gateway, protocol: routeProtocol, ...(kind === 'vxlan' ? tunnel : {}) })
}

/** What the kernel says to a gateway that no connected prefix has. */
const offLink = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EINVAL'])

/** Whether the route's gateway is on a link of the node, so that there is a route now. */
export function trySetRoute(network: Network, route: Route): boolean {
  try {
    network.setRoute(route)
    return true
  } catch (error) {
    if (!(error instanceof HostError) || !offLink.has(error.errno)) throw error
    return false
  }
}
