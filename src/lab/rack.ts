import { type Address, familyOf, type Prefix, prefixLength } from '../addr/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import { hostAddress, hostNumber, nextPrefix, nodeName } from './addressing.ts'
import type { LabNetwork } from './config.ts'

/** A machine of the rack: a namespace with one link to a segment. */
export interface Machine {
  readonly name: string
  readonly namespace: Namespace
  /** Its addresses on its segment, IPv4 first. */
  readonly addresses: readonly Address[]
}

/** The machines of a lab and what is between them. Closing it frees all namespaces. */
export interface Rack {
  readonly switches: Namespace
  readonly router: Namespace
  readonly control: Machine
  readonly outside: Machine
  readonly nodes: readonly Machine[]
}

/** RTPROT_STATIC: routes of the machine itself, which are not the agent's to take away (rtnetlink.h). */
export const staticRoute = 4

const anywhere: readonly Prefix[] = ['0.0.0.0/0' as Prefix, '::/0' as Prefix]

/**
 * Builds the rack: the namespace `switches` holds a bridge for each segment of nodes and one for the segment beyond the router.
 *
 *     control .2  node-1 .11  node-2 .12 …            outside .10
 *          └─────────┴───────────┴──── br-nodes   br-outside ──┘
 *                                        └ .1 router .1 ┘
 *
 * With more segments nodes are on them in turn, behind the same router, which knows no pod. The control plane has a link to each segment, because
 * it reaches pods through their nodes.
 */
export function buildRack(host: Host, network: LabNetwork, nodeCount: number, segments = 1): Rack {
  const switches = host.createNamespace()
  quieten(switches)
  const bridges = Array.from({ length: segments }, (_, i) => (i === 0 ? 'br-nodes' : `br-nodes-${i + 1}`))
  for (const bridge of [...bridges, 'br-outside']) {
    switches.network.addBridge(bridge)
    switches.network.setLink(bridge, { up: true })
  }
  const prefixesOf = (segment: number) => network.nodePrefixes.map((prefix) => nextPrefix(prefix, segment))
  const router = host.createNamespace()
  quieten(router)
  plug(switches, 'br-nodes', 'router', router, 'eth0', network.nodePrefixes, hostNumber.router)
  plug(switches, 'br-outside', 'router-out', router, 'eth1', network.outsidePrefixes, hostNumber.router)
  for (const [i, bridge] of bridges.entries())
    if (i > 0) plug(switches, bridge, `router-${i + 1}`, router, `eth${i + 1}`, prefixesOf(i), hostNumber.router)
  router.network.setSysctl('net.ipv4.ip_forward', 1)
  router.network.setSysctl('net.ipv6.conf.all.forwarding', 1)

  const machine = (name: string, bridge: string, prefixes: readonly Prefix[], number: number): Machine => {
    const namespace = host.createNamespace()
    quieten(namespace)
    const addresses = plug(switches, bridge, name, namespace, 'eth0', prefixes, number)
    for (const prefix of prefixes) {
      const gateway = hostAddress(prefix, hostNumber.router)
      namespace.network.setRoute({
        destination: anywhere[familyOf(gateway) === 4 ? 0 : 1]!,
        gateway,
        link: 'eth0',
        protocol: staticRoute,
      })
    }
    return { name, namespace, addresses }
  }
  const control = machine('control', 'br-nodes', network.nodePrefixes, hostNumber.control)
  for (const [i, bridge] of bridges.entries())
    if (i > 0)
      plug(switches, bridge, `control-${i + 1}`, control.namespace, `eth${i}`, prefixesOf(i), hostNumber.control)
  return {
    switches,
    router,
    control,
    outside: machine('outside', 'br-outside', network.outsidePrefixes, hostNumber.outside),
    nodes: Array.from({ length: nodeCount }, (_, i) =>
      machine(nodeName(i + 1), bridges[i % segments]!, prefixesOf(i % segments), hostNumber.node(i + 1)),
    ),
  }
}

/** Nobody else assigns addresses here, so duplicate detection would only delay link-local addresses by a second. */
function quieten(namespace: Namespace): void {
  namespace.network.setLink('lo', { up: true })
  namespace.network.setSysctl('net.ipv6.conf.default.accept_dad', 0)
  namespace.network.setSysctl('net.ipv6.conf.default.accept_ra', 0)
}

/** A cable: `link` in `namespace`, its other end named after the machine in a port of the bridge. */
function plug(
  switches: Namespace,
  bridge: string,
  port: string,
  namespace: Namespace,
  link: string,
  prefixes: readonly Prefix[],
  number: number,
): Address[] {
  switches.network.addVeth({ name: port, peerName: link, peerNamespace: namespace })
  switches.network.setLink(port, { master: bridge, up: true })
  namespace.network.setLink(link, { up: true })
  return prefixes.map((prefix) => {
    const address = hostAddress(prefix, number)
    namespace.network.addAddress(link, address, prefixLength(prefix))
    return address
  })
}
