import type { Client, Resource } from '../client/index.ts'
import type { Snapshot } from '../cluster/index.ts'
import type { KubeEvent } from '../objects/index.ts'
import { sayPolicies } from '../policies/index.ts'
import type { DeniedFlow } from './observe.ts'

const events: Resource = { group: '', version: 'v1', plural: 'events', namespaced: true, kind: 'Event' }

/** client-go's spam filter: a burst of 25 for one object, then one in 5 minutes. */
const burst = 25
const refillMs = 5 * 60_000
/** How often the count of an event that repeats is written. */
const repeatMs = 60_000
const maximumRemembered = 2048

interface Written {
  readonly name: string
  readonly namespace: string
  at: number
}

/** Writes an Event on the pod whose flow a policy denied, audited or cut: one for each flow, counted up, within a rate. Best effort. */
export class FlowEvents {
  readonly #client: Client
  readonly #snapshot: Snapshot
  readonly #node: string
  readonly #now: () => number
  readonly #written = new Map<string, Written>()
  readonly #buckets = new Map<string, { tokens: number; at: number }>()

  constructor(client: Client, snapshot: Snapshot, node: string, now: () => number = Date.now) {
    this.#client = client
    this.#snapshot = snapshot
    this.#node = node
    this.#now = now
  }

  record(flow: DeniedFlow): void {
    const now = this.#now()
    const key = `${flow.pod} ${sayFlow(flow)}`
    const known = this.#written.get(key)
    if (known !== undefined) {
      if (now - known.at < repeatMs) return
      known.at = now
      const patch = { count: flow.packets, lastTimestamp: seconds(now) }
      this.#client.patch(events, known.namespace, known.name, 'merge', patch).catch(() => this.#written.delete(key))
      return
    }
    const pod = this.#snapshot.pods.get(flow.pod)
    if (pod === undefined || !this.#allowed(flow.pod, now)) return
    const { namespace = 'default', name, uid } = pod.metadata
    const event: KubeEvent = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${now.toString(16)}${flow.sequence.toString(16)}`, namespace },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', name, namespace, ...(uid === undefined ? {} : { uid }) },
      type: flow.verdict === 'audited' ? 'Normal' : 'Warning',
      reason: reasons[flow.verdict],
      message: sayFlow(flow),
      count: flow.packets,
      firstTimestamp: seconds(now),
      lastTimestamp: seconds(now),
      source: { component: 'plumb-agent', host: this.#node },
      reportingComponent: 'plumb-agent',
    }
    remember(this.#written, key, { name: event.metadata.name, namespace, at: now })
    this.#client.create(events, event).catch(() => this.#written.delete(key))
  }

  #allowed(pod: string, now: number): boolean {
    const bucket = this.#buckets.get(pod) ?? { tokens: burst, at: now }
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.at) / refillMs)
    bucket.at = now
    remember(this.#buckets, pod, bucket)
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }
}

const reasons = { denied: 'PolicyDenied', audited: 'PolicyAudited', cut: 'PolicyCut' } as const
const verdicts = { denied: 'is denied', audited: 'would be denied', cut: 'was open, and is cut' } as const

/** `egress to pod/shop/db 10.244.1.5 port 5432/tcp is denied by networkpolicy/shop/web`. */
export function sayFlow({ verdict, direction, peer, protocol, port, policies }: DeniedFlow): string {
  const who = peer.pod === undefined ? (peer.node === undefined ? '' : `node/${peer.node} `) : `pod/${peer.pod} `
  const where = port === undefined ? protocol : `port ${port}/${protocol}`
  const what = verdicts[verdict]
  const by = policies.length === 0 ? 'policies that have changed since' : sayPolicies(policies)
  return `${direction} ${direction === 'egress' ? 'to' : 'from'} ${who}${peer.address} ${where} ${what} by ${by}`
}

function seconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}

/** A map that forgets its oldest entries. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > maximumRemembered) map.delete(map.keys().next().value as string)
}
