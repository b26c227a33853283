import type { Address, Family } from '../addr/index.ts'
import type { LoweredFrontend } from './lower.ts'

/** UDP flows to look through: those to the frontend whose replies come from none of `serving` are to be forgotten. */
export interface StaleFlows {
  readonly family: Family
  readonly address: Address
  readonly port: number
  /** `ADDRESS . PORT` of each endpoint that may keep its flows. */
  readonly serving: ReadonlySet<string>
}

/** Flows are looked through when an endpoint stopped to serve, and when a frontend appears, gets its first endpoint or goes. */
export function findStale(
  before: LoweredFrontend | undefined,
  after: LoweredFrontend | undefined,
): StaleFlows | undefined {
  const frontend = after ?? before
  if (frontend === undefined || frontend.protocol !== 'udp') return undefined
  const flows = staleFlows(frontend, after?.serving ?? [])
  const lost = before?.serving.some((endpoint) => !flows.serving.has(endpoint)) ?? true
  const first = before?.serving.length === 0 && flows.serving.size > 0
  return lost || first || after === undefined ? flows : undefined
}

/** The flows to a frontend that are to be looked through. */
export function staleFlows({ family, address, port }: LoweredFrontend, serving: readonly string[]): StaleFlows {
  return { family, address, port, serving: new Set(serving) }
}
