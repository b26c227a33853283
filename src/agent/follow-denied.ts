import type { Client } from '../client/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import type { Network } from '../host/index.ts'
import type { NodePlan } from '../nodeplan/index.ts'
import type { Log } from './contract.ts'
import type { CutConnection } from './cut-denied.ts'
import { DeniedFlows, type NamedFlow } from './denied-flows.ts'
import { FlowEvents } from './flow-events.ts'
import { FlowRing } from './flow-ring.ts'
import type { Metrics } from './metrics.ts'
import type { DeniedFlow } from './observe.ts'

interface Parts {
  readonly client: Client
  readonly network: Network
  readonly snapshot: Snapshot
  readonly plan: NodePlan
  readonly nodeName: string
  readonly metrics: Metrics
}

/** Label values that a metric may have; whatever comes after counts as `other`. */
const maximumSeries = 1000

/** Follows what policies deny, audit or cut on this node: remembers it, writes Events and counts what was logged. */
export function followDenied(
  { client, network, snapshot, plan, nodeName, metrics }: Parts,
  log: Log,
): { readonly flows: FlowRing; cut(connection: CutConnection): void; stop(): void } {
  const flows = new FlowRing()
  const events = new FlowEvents(client, snapshot, nodeName)
  const series = new Set<string>()
  const count = ({ verdict, pod, direction, policies }: DeniedFlow): void => {
    let labels = [verdict, pod.split('/')[0] ?? '', direction, policies[0] ?? '']
    if (!series.has(labels.join()) && series.size >= maximumSeries) labels = [verdict, 'other', direction, 'other']
    else series.add(labels.join())
    metrics.record('plumb_policy_logged_packets_total', 1, ...labels)
  }
  const remember = (flow: NamedFlow): void => {
    const known = flows.add(flow)
    events.record(known)
    if (known.verdict !== 'cut') count(known)
  }
  const denied = new DeniedFlows({ network, snapshot, plan }, remember, log)
  return { flows, cut: (connection) => denied.cut(connection), stop: () => denied.close() }
}
