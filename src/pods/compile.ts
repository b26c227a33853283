import {
  type Address,
  type Family,
  families,
  familyOf,
  findPrefix,
  hostPrefix,
  type Prefix,
  prefixFamily,
} from '../addr/index.ts'
import {
  type Because,
  type Finding,
  internalAddresses,
  isOnSegment,
  type Underlay,
  underlayAnnotation,
  underlayOf,
} from '../cluster/index.ts'
import type { Node } from '../objects/index.ts'
import type { NodeRoute, PodNetwork, TunnelEnd } from './model.ts'
import { compileOverlay, tunnelEnd } from './overlay.ts'

/** The addresses of a node inside the cluster, first per family. */
export function nodeAddresses(node: Node): Partial<Record<Family, Address>> {
  const found: Partial<Record<Family, Address>> = {}
  for (const address of internalAddresses(node)) found[familyOf(address)] ??= address
  return found
}

/** The pod prefixes of a node; what is not a prefix is left out and told by `compilePodNetwork`. */
export function nodePrefixes(node: Node): Prefix[] {
  return podCidrs(node).flatMap((text) => findPrefix(text, true) ?? [])
}

/**
 * What pod networking means on the node named `own`: its prefixes, a route to the pods of every other node, and what
 * leaves unmasqueraded. Total: a node without addresses or with a broken podCIDR becomes a finding.
 */
export function compilePodNetwork(own: string, nodes: Iterable<Node>): PodNetwork {
  const sorted = [...nodes].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  const self = sorted.find((node) => node.metadata.name === own)
  const underlay = underlayOf(self)
  const others = sorted.filter((node) => node !== self).map((node) => compileNode(node, underlay))
  const podPrefixes = sorted.flatMap(nodePrefixes)
  const nodeHosts = sorted.flatMap((node) => families.flatMap((family) => nodeAddresses(node)[family] ?? []))
  const addresses = self === undefined ? {} : nodeAddresses(self)
  const ends = others.flatMap(({ end }) => end ?? [])
  const overlay = compileOverlay(underlay, addresses[4], ends)
  return {
    node: own,
    addresses,
    prefixes: self === undefined ? [] : nodePrefixes(self),
    routes: others.flatMap(({ routes }) => routes),
    mtu: overlay?.mtu ?? underlay?.mtu,
    overlay,
    podPrefixes,
    unmasqueraded: [...podPrefixes, ...nodeHosts.map(hostPrefix)],
    findings: [...(self === undefined ? [] : brokenPrefixes(self)), ...others.flatMap(({ findings }) => findings)],
  }
}

function compileNode(
  node: Node,
  underlay: Underlay | undefined,
): { routes: NodeRoute[]; end: TunnelEnd | undefined; findings: Finding[] } {
  const name = node.metadata.name
  const addresses = nodeAddresses(node)
  const end = tunnelEnd(underlay, name, addresses)
  const findings = brokenPrefixes(node)
  const routes = podCidrs(node).flatMap((text, index): NodeRoute[] => {
    const destination = findPrefix(text, true)
    if (destination === undefined) return []
    const family = prefixFamily(destination)
    const address = addresses[family]
    const field = `spec.podCIDRs[${index}]`
    const because = { object: `node/${name}`, field, value: text }
    const route = { node: name, destination, because }
    if (address !== undefined && isOnSegment(underlay, address)) return [{ kind: 'direct', ...route, gateway: address }]
    if (end !== undefined) return [{ kind: 'vxlan', ...route, gateway: end.gateways[family] }]
    findings.push(address === undefined ? withoutAddress(because, family, name) : withoutTunnel(name, address))
    return []
  })
  return { routes, end, findings: [...findings, ...unlikeTunnels(node, underlay, end)] }
}

function withoutAddress({ object, field, value }: Because, family: Family, name: string): Finding {
  return {
    code: 'NodeWithoutAddress',
    object,
    field: 'status.addresses',
    says: `${field} is ${value}, but the node has no InternalIP of IPv${family}`,
    try: `give the kubelet of ${name} an IPv${family} --node-ip`,
  }
}

function withoutTunnel(name: string, address: Address): Finding {
  return {
    code: 'NodeWithoutTunnel',
    object: `node/${name}`,
    field: 'status.addresses',
    says: `${address} is on another segment, and the tunnel there needs an InternalIP of IPv4, which the node has not`,
    try: `give the kubelet of ${name} an IPv4 --node-ip`,
  }
}

/** Ends that do not understand one another: told on both. */
function unlikeTunnels(node: Node, own: Underlay | undefined, end: TunnelEnd | undefined): Finding[] {
  const other = underlayOf(node)
  if (own === undefined || other === undefined || end === undefined) return []
  const say = ({ vxlan: { id, port } }: Underlay) => `VNI ${id}, port ${port}`
  if (say(own) === say(other)) return []
  return [
    {
      code: 'TunnelsDiffer',
      object: `node/${node.metadata.name}`,
      field: `metadata.annotations["${underlayAnnotation}"]`,
      says: `its tunnel has ${say(other)}, and this node's ${say(own)}: no packet passes between their pods`,
      try: 'give all agents the same --vxlan-id and --vxlan-port',
    },
  ]
}

function brokenPrefixes(node: Node): Finding[] {
  return podCidrs(node).flatMap((text, index) =>
    findPrefix(text, true) === undefined
      ? [
          {
            code: 'BrokenPodPrefix',
            object: `node/${node.metadata.name}`,
            field: `spec.podCIDRs[${index}]`,
            says: `"${text}" is not an IP prefix`,
            try: 'write it as 10.244.1.0/24 or fd00:244:0:1::/64',
          },
        ]
      : [],
  )
}

function podCidrs(node: Node): readonly string[] {
  return node.spec?.podCIDRs ?? (node.spec?.podCIDR === undefined ? [] : [node.spec.podCIDR])
}

/** The pods that are reached through the tunnel. */
export function tunnelledPrefixes({ routes }: Pick<PodNetwork, 'routes'>): Prefix[] {
  return routes.flatMap(({ kind, destination }) => (kind === 'vxlan' ? [destination] : []))
}
