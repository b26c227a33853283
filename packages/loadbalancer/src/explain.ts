import type { Endpoint } from './endpoint.ts'
import { addressOf } from './instance.ts'

/** What becomes of one instance for one request. */
export interface InstanceVerdict {
  readonly instanceId: string
  readonly address: string
  readonly verdict: 'picked' | 'candidate' | 'excluded'
  /** Which step left it out: `availability`, `zone-preference`, `retry`, … */
  readonly by?: string
  readonly because: string
  readonly active: number
  readonly latencyMs?: number
  readonly failureRate: number
}

/** Where a request would go now, and why nowhere else. */
export interface Explanation {
  readonly serviceId: string
  readonly source: string
  readonly stale: boolean
  readonly trouble?: string
  readonly policy: string
  readonly panic: boolean
  readonly picked?: string
  readonly because: string
  readonly instances: readonly InstanceVerdict[]
}

/** A step's name and whom it left out. */
export interface Exclusion {
  readonly by: string
  readonly because: string
}

export function verdictOf(
  endpoint: Endpoint,
  nowMs: number,
  decision: { picked?: Endpoint; because: string; exclusion?: Exclusion },
): InstanceVerdict {
  const { picked, because, exclusion } = decision
  const isPicked = endpoint === picked
  return {
    instanceId: endpoint.instance.instanceId,
    address: addressOf(endpoint.instance),
    verdict: exclusion !== undefined ? 'excluded' : isPicked ? 'picked' : 'candidate',
    ...(exclusion === undefined ? {} : { by: exclusion.by }),
    because: exclusion?.because ?? (isPicked ? because : 'it was another’s turn'),
    active: endpoint.active,
    ...(endpoint.samples === 0 ? {} : { latencyMs: endpoint.latencyMs(nowMs) }),
    failureRate: endpoint.failureRateAt(nowMs),
  }
}

/** The explanation for people, a line per instance. */
export function renderExplanation(explanation: Explanation): string {
  const { serviceId, source, stale, trouble, policy, panic, instances } = explanation
  const head = `${serviceId}: ${instances.length} instances from ${source}${stale ? ' (stale)' : ''}, policy ${policy}`
  const width = instances.reduce((most, { address }) => Math.max(most, address.length), 0)
  return [
    trouble === undefined ? head : `${head}; ${trouble}`,
    ...(panic ? ['panic: too few instances are well, so sickness is ignored'] : []),
    ...instances.map(({ address, verdict, by, because, active, latencyMs }) => {
      const load = `${active} active${latencyMs === undefined ? '' : `, ${latencyMs.toFixed(1)} ms`}`
      return `  ${address.padEnd(width)}  ${verdict.padEnd(9)}  ${by === undefined ? '' : `${by}: `}${because} (${load})`
    }),
    ...(explanation.picked === undefined ? [`none: ${explanation.because}`] : []),
  ].join('\n')
}
