import type { Endpoint, Service } from '../objects/index.ts'

/**
 * Which hints a Service asks for: none, its endpoint's zone, its endpoint's node and zone (KEP-4444, KEP-3015), or a part of all
 * endpoints for each zone (KEP-2433).
 */
export type HintMode = 'none' | 'zone' | 'node' | 'auto'

/** The hint mode of a Service. Annotated as Auto it is that, whatever `spec.trafficDistribution` says; the deprecated annotation counts first. */
export function hintMode(service: Service): HintMode {
  const annotations = service.metadata.annotations ?? {}
  const auto =
    annotations['service.kubernetes.io/topology-aware-hints'] ?? annotations['service.kubernetes.io/topology-mode']
  if (auto === 'Auto' || auto === 'auto') return 'auto'
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

/** The hints that one endpoint has of itself: only ready ones get any, and none where all endpoints are hinted together. */
export function hintsFor(endpoint: Endpoint, mode: HintMode): Endpoint['hints'] {
  if (mode === 'none' || mode === 'auto' || endpoint.conditions?.ready === false) return undefined
  const zones = endpoint.zone === undefined ? {} : { forZones: [{ name: endpoint.zone }] }
  const nodes = mode === 'zone' || endpoint.nodeName === undefined ? {} : { forNodes: [{ name: endpoint.nodeName }] }
  const hints = { ...zones, ...nodes }
  return Object.keys(hints).length === 0 ? undefined : hints
}
