import type { Network, Route } from '../host/index.ts'
import { type PodNetwork, routeProtocol } from '../pods/index.ts'

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

/** Makes the routes to other nodes' pods what the model says; touches only routes that carry Plumb's protocol number. */
export function applyNodeRoutes(network: Network, pods: PodNetwork): { added: number; removed: number } {
  const current = new Map(
    network
      .routes({ protocol: routeProtocol })
      .flatMap((route): [string, Route][] => (route.gateway === undefined ? [] : [[route.destination, route]])),
  )
  let added = 0
  for (const { destination, gateway } of pods.routes) {
    if (current.get(destination)?.gateway !== gateway) {
      network.setRoute({ destination, gateway, protocol: routeProtocol })
      added++
    }
    current.delete(destination)
  }
  for (const route of current.values()) network.deleteRoute(route)
  return { added, removed: current.size }
}
