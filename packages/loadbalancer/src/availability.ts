import type { Endpoint } from './endpoint.ts'

/** What may take new requests at a moment, and why the others may not. */
export interface Availability {
  readonly endpoints: readonly Endpoint[]
  readonly because: (endpoint: Endpoint) => string
  /** So few are well that sickness is ignored: better a try than all load on the last ones (Envoy's panic threshold). */
  readonly panic: boolean
  /** When it must be looked at again, by the clock; Infinity when only events change it. */
  readonly untilMs: number
}

/**
 * Ready instances; when none is ready, those that are ending but still serve (KEP-1669). Of these, the ones that pass their health check and are
 * not ejected, unless fewer than `panicThresholdPercent` would remain; 0 turns panic off.
 */
export function availabilityOf(all: readonly Endpoint[], panicThresholdPercent: number, nowMs: number): Availability {
  const ready = all.filter(({ instance }) => instance.ready !== false && instance.terminating !== true)
  const offered =
    ready.length > 0 ? ready : all.filter(({ instance }) => instance.terminating === true && instance.serving === true)
  const well = offered.filter((endpoint) => !endpoint.unhealthy && endpoint.ejectedUntilMs <= nowMs)
  const panic = offered.length > 0 && (well.length * 100) / offered.length < panicThresholdPercent
  let untilMs = Number.POSITIVE_INFINITY
  for (const endpoint of offered) {
    const times = [endpoint.ejectedUntilMs, endpoint.warmUntilMs]
    for (const time of times) if (time > nowMs && time < untilMs) untilMs = time
  }
  return {
    endpoints: panic ? offered : well,
    panic,
    untilMs,
    because(endpoint) {
      const { instance } = endpoint
      if (instance.terminating === true && ready.length > 0) return 'draining: it is terminating'
      if (!offered.includes(endpoint))
        return instance.terminating === true ? 'terminating and no longer serving' : 'not ready'
      if (endpoint.unhealthy) return 'its health check fails'
      return `ejected for ${Math.ceil((endpoint.ejectedUntilMs - nowMs) / 1000)} s more: ${endpoint.ejectedBecause}`
    },
  }
}
