import {
  type Address,
  contains,
  disjoint,
  type Family,
  familyOf,
  findAddress,
  findPrefix,
  hostPrefix,
  type Prefix,
  prefixFamily,
} from '../addr/index.ts'
import type { Service } from '../objects/index.ts'
import { type Because, type Finding, type FrontendKind, loopback, type NodeView, type Sources } from './model.ts'

/** An address at which every port of a Service answers, or at which its node ports do. */
export interface ServiceAddress {
  readonly kind: FrontendKind
  readonly address: Address
  readonly because: Because
}

/**
 * The addresses of a Service on a node: a ClusterIP per family, and in the families that have one the external addresses. An
 * address that is told twice counts once, by its first kind.
 */
export function serviceAddresses(
  service: Service,
  object: string,
  node: NodeView,
  findings: Finding[],
): readonly ServiceAddress[] {
  const own = clusterAddresses(service, object, findings)
  const families = new Set(own.map(({ address }) => familyOf(address)))
  const external = [...externalIPs(service, object, findings), ...ingressAddresses(service, object, findings)]
  const unserved = external.find(({ address }) => !families.has(familyOf(address)))
  if (unserved !== undefined) findings.push(otherFamily(object, unserved))
  const ports = nodePortAddresses(service, object, node)
  const found = new Map<string, ServiceAddress>()
  for (const one of [...own, ...external, ...ports]) {
    // A node port has a number of its own, so it does not clash with the Service's port at the same address.
    const id = `${one.address} ${one.kind === 'node-port'}`
    if (families.has(familyOf(one.address)) && !found.has(id)) found.set(id, one)
  }
  return [...found.values()]
}

/** ClusterIPs that are addresses, one per family as upstream. */
function clusterAddresses(service: Service, object: string, findings: Finding[]): readonly ServiceAddress[] {
  const { clusterIP, clusterIPs } = service.spec
  const texts =
    clusterIPs !== undefined && clusterIPs.length > 0 ? clusterIPs : clusterIP === undefined ? [] : [clusterIP]
  const addresses = new Map<Family, ServiceAddress>()
  for (const [index, text] of texts.entries()) {
    const field = `spec.clusterIPs[${index}]`
    const address = findAddress(text)
    if (address === undefined) {
      findings.push(
        broken('BrokenClusterIP', object, field, text, 'leave spec.clusterIP empty and the API server picks one'),
      )
    } else if (!addresses.has(familyOf(address))) {
      addresses.set(familyOf(address), { kind: 'cluster-ip', address, because: { object, field, value: text } })
    }
  }
  return [...addresses.values()]
}

function externalIPs({ spec }: Service, object: string, findings: Finding[]): readonly ServiceAddress[] {
  return (spec.externalIPs ?? []).flatMap((text, index): ServiceAddress[] => {
    const field = `spec.externalIPs[${index}]`
    const address = findAddress(text)
    if (address !== undefined) return [{ kind: 'external-ip', address, because: { object, field, value: text } }]
    findings.push(broken('BrokenExternalIP', object, field, text, 'write one IP address, without a prefix length'))
    return []
  })
}

/** Addresses of the load balancer that reach the node as they are; with `ipMode: Proxy` it connects to node ports instead (KEP-1860). */
function ingressAddresses({ spec, status }: Service, object: string, findings: Finding[]): readonly ServiceAddress[] {
  if (spec.type !== 'LoadBalancer') return []
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }, index): ServiceAddress[] => {
    if (ip === undefined || ip === '' || ipMode === 'Proxy') return []
    const field = `status.loadBalancer.ingress[${index}].ip`
    const address = findAddress(ip)
    if (address !== undefined) return [{ kind: 'load-balancer-ip', address, because: { object, field, value: ip } }]
    findings.push(broken('BrokenIngressIP', object, field, ip, 'have the load balancer write an IP address'))
    return []
  })
}

function nodePortAddresses({ spec }: Service, object: string, node: NodeView): readonly ServiceAddress[] {
  if (spec.type !== 'NodePort' && spec.type !== 'LoadBalancer') return []
  const because = { object, field: 'spec.type', value: spec.type }
  const addresses = node.loopbackNodePorts === true ? [...node.nodePortAddresses, loopback] : node.nodePortAddresses
  return addresses.map((address) => ({ kind: 'node-port', address, because }))
}

/**
 * Who may come to a load balancer's address, by `loadBalancerSourceRanges` of its family; undefined for everybody. Where the node
 * may, so may the address itself: the node's own packets to it can carry it as their source.
 */
export function sourcesOf(
  { spec }: Service,
  object: string,
  address: Address,
  node: NodeView,
  findings: Finding[],
): Sources | undefined {
  const texts = spec.loadBalancerSourceRanges ?? []
  if (texts.length === 0) return undefined
  const family = familyOf(address)
  const prefixes: Prefix[] = []
  let wrong = 0
  for (const [index, text] of texts.entries()) {
    const prefix = findPrefix(text.trim(), true)
    if (prefix !== undefined) prefixes.push(prefix)
    else {
      wrong++
      const field = `spec.loadBalancerSourceRanges[${index}]`
      findings.push(broken('BrokenSourceRange', object, field, text, 'write a prefix, such as 192.0.2.0/24'))
    }
  }
  const own = prefixes.filter((prefix) => prefixFamily(prefix) === family)
  // What is broken may have been meant for this family: better nobody than everybody.
  if (own.length === 0 && wrong === 0) return undefined
  const hasNode = node.addresses.some((one) => own.some((prefix) => contains(prefix, one)))
  const allowed = disjoint(hasNode ? [...own, hostPrefix(address)] : own)
  return { allowed, because: { object, field: 'spec.loadBalancerSourceRanges', value: texts.join(', ') } }
}

function otherFamily(object: string, { address, because }: ServiceAddress): Finding {
  const says = `${address} is not served: the Service has no ClusterIP of IPv${familyOf(address)}`
  return {
    code: 'FamilyNotServed',
    object,
    field: because.field,
    says,
    try: 'set spec.ipFamilyPolicy to PreferDualStack',
  }
}

function broken(code: string, object: string, field: string, text: string, remedy: string): Finding {
  const what = code === 'BrokenSourceRange' ? 'a prefix' : 'an IP address'
  return { code, object, field, says: `"${text}" is not ${what}`, try: remedy }
}
