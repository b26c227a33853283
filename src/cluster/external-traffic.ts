import type { Family } from '../addr/index.ts'
import type { EndpointSlice, Node, Service } from '../objects/index.ts'

const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers'

/** Whether nodes may bear a Service's external traffic of a family. */
export function bearsExternalTraffic(...asked: Parameters<typeof refusesExternalTraffic>): (node: Node) => boolean {
  const refusal = refusesExternalTraffic(...asked)
  return (node) => refusal(node) === undefined
}

/**
 * Why nodes may not bear a Service's external traffic of a family, undefined for those that may: not one that is leaving, excluded by its label or without
 * network; with `externalTrafficPolicy: Local` only those with an endpoint of their own; none while nobody serves. A node that is cordoned may.
 */
export function refusesExternalTraffic(
  service: Service,
  slices: readonly EndpointSlice[],
  family: Family,
): (node: Node) => string | undefined {
  const serving = servingNodes(slices, family)
  const local = service.spec.externalTrafficPolicy === 'Local'
  return ({ metadata, status }) => {
    if (metadata.deletionTimestamp !== undefined) return 'it is being deleted'
    if (metadata.labels?.[excludeLabel] !== undefined) return `it has the label ${excludeLabel}`
    const isCutOff = status?.conditions?.some(({ type, status }) => type === 'NetworkUnavailable' && status === 'True')
    if (isCutOff === true) return 'its condition NetworkUnavailable is True'
    if (serving.size === 0) return 'the Service has no ready endpoint'
    if (local && !serving.has(metadata.name)) return 'externalTrafficPolicy is Local, and it has no ready endpoint'
    return undefined
  }
}

/** The nodes of endpoints that are ready; when there is none, of those that still serve while they terminate (KEP-1669). */
function servingNodes(slices: readonly EndpointSlice[], family: Family): ReadonlySet<string> {
  const type = family === 4 ? 'IPv4' : 'IPv6'
  const endpoints = slices.filter(({ addressType }) => addressType === type).flatMap((slice) => slice.endpoints ?? [])
  const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false)
  const chosen = ready.length > 0 ? ready : endpoints.filter(({ conditions }) => conditions?.serving === true)
  return new Set(chosen.map(({ nodeName = '' }) => nodeName))
}
