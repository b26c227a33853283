import { familyOf, type Prefix, prefixFamily } from '../addr/index.ts'
import type { Informer } from '../client/index.ts'
import { internalAddresses } from '../cluster/index.ts'
import type { Namespace } from '../host/index.ts'
import type { Node } from '../objects/index.ts'
import { staticRoute } from './rack.ts'

/** Keeps routes from the control plane to the pods of each node, by the node's own address: the API server calls webhooks there. */
export function routeToPods({ network }: Namespace, nodes: Informer<Node>): void {
  nodes.onChange((old, current) => {
    const wanted = routesOf(current)
    for (const route of routesOf(old))
      if (!wanted.some(({ destination }) => destination === route.destination)) network.deleteRoute(route)
    for (const route of wanted) network.setRoute(route)
  })
}

function routesOf(node: Node | undefined) {
  const gateways = internalAddresses(node)
  return ((node?.spec?.podCIDRs ?? []) as Prefix[]).flatMap((destination) => {
    const gateway = gateways.find((address) => familyOf(address) === prefixFamily(destination))
    return gateway === undefined ? [] : [{ destination, gateway, protocol: staticRoute }]
  })
}
