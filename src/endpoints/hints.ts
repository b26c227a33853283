import type { Endpoint, Service } from '../objects/index.ts'

/** Which hints a Service asks for: none, its endpoint's zone, or its endpoint's node and zone (KEP-4444, KEP-3015). */
export type HintMode = 'none' | 'zone' | 'node'

/**
 * The hint mode of a Service. The topology-mode annotation set to Auto silences `spec.trafficDistribution`, as upstream; Plumb gives no
 * hints for Auto itself.
 */
export function hintMode(service: Service): HintMode {
  const annotations = service.metadata.annotations ?? {}
  const auto =
    annotations['service.kubernetes.io/topology-aware-hints'] ?? annotations['service.kubernetes.io/topology-mode']
  if (auto === 'Auto' || auto === 'auto') return 'none'
  switch (service.spec.trafficDistribution) {
    case 'PreferClose':
    case 'PreferSameZone':
      return 'zone'
    case 'PreferSameNode':
      return 'node'
    default:
      return 'none'
  }
}

/** The hints of one endpoint: only ready ones get any. */
export function hintsFor(endpoint: Endpoint, mode: HintMode): Endpoint['hints'] {
  if (mode === 'none' || endpoint.conditions?.ready === false) return undefined
  const zones = endpoint.zone === undefined ? {} : { forZones: [{ name: endpoint.zone }] }
  const nodes = mode === 'zone' || endpoint.nodeName === undefined ? {} : { forNodes: [{ name: endpoint.nodeName }] }
  const hints = { ...zones, ...nodes }
  return Object.keys(hints).length === 0 ? undefined : hints
}
