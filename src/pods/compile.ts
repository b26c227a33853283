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
import { type Finding, internalAddresses } from '../cluster/index.ts'
import type { Node } from '../objects/index.ts'
import type { NodeRoute, PodNetwork } from './model.ts'

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
  const others = sorted.filter((node) => node !== self).map(compileNode)
  const podPrefixes = sorted.flatMap(nodePrefixes)
  const nodeHosts = sorted.flatMap((node) => families.flatMap((family) => nodeAddresses(node)[family] ?? []))
  return {
    node: own,
    addresses: self === undefined ? {} : nodeAddresses(self),
    prefixes: self === undefined ? [] : nodePrefixes(self),
    routes: others.flatMap(({ routes }) => routes),
    podPrefixes,
    unmasqueraded: [...podPrefixes, ...nodeHosts.map(hostPrefix)],
    findings: [...(self === undefined ? [] : brokenPrefixes(self)), ...others.flatMap(({ findings }) => findings)],
  }
}

function compileNode(node: Node): { routes: NodeRoute[]; findings: Finding[] } {
  const name = node.metadata.name
  const addresses = nodeAddresses(node)
  const findings = brokenPrefixes(node)
  const routes = podCidrs(node).flatMap((text, index): NodeRoute[] => {
    const destination = findPrefix(text, true)
    if (destination === undefined) return []
    const gateway = addresses[prefixFamily(destination)]
    const field = `spec.podCIDRs[${index}]`
    if (gateway === undefined) {
      findings.push({
        code: 'NodeWithoutAddress',
        object: `node/${name}`,
        field: 'status.addresses',
        says: `${field} is ${destination}, but the node has no InternalIP of IPv${prefixFamily(destination)}`,
        try: `give the kubelet of ${name} an IPv${prefixFamily(destination)} --node-ip`,
      })
      return []
    }
    return [
      { kind: 'direct', node: name, destination, gateway, because: { object: `node/${name}`, field, value: text } },
    ]
  })
  return { routes, findings }
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
