import type { Endpoint } from '../endpoint.ts'
import { type Filter, preferring } from './filter.ts'

/**
 * Instances of the own zone, all of them when there is none. Where every instance carries zone hints (EndpointSlices of a Service
 * with `trafficDistribution` or topology-aware routing) those decide, as for kube-proxy. Zones compare without case, as in Spring.
 */
export function zonePreference(zone: string, node?: string): Filter {
  const own = zone.toLowerCase()
  const isHinted = ({ instance: { hints } }: Endpoint) =>
    (node !== undefined && hints?.nodes?.includes(node) === true) ||
    hints?.zones?.some((other) => other.toLowerCase() === own) === true
  const isNear = ({ instance }: Endpoint) => (instance.zone ?? instance.metadata?.zone)?.toLowerCase() === own
  return {
    name: 'zone-preference',
    apply(endpoints) {
      const hinted = endpoints.every(
        ({ instance: { hints } }) => hints?.zones !== undefined || hints?.nodes !== undefined,
      )
      return preferring(endpoints, hinted ? isHinted : isNear)
    },
    because: ({ instance }) => `zone ${instance.zone ?? instance.metadata?.zone ?? 'unknown'} is not ${zone}`,
  }
}
