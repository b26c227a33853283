import type { Client } from '../client/index.ts'
import { Events, type KubeEvent, type Pod } from '../objects/index.ts'
import { timestamp } from './container-runner.ts'

/** One thing that happened to a pod, in kubelet's words. */
export interface PodEvent {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
  readonly container?: string
}

interface Recorded {
  event: KubeEvent
  writing: Promise<unknown>
}

// Repetitions raise the count of the first, as client-go's correlator does; the oldest are forgotten.
const recent = new Map<string, Recorded>()
const maximumRecent = 500

/** Writes an event about a pod; best effort, as events are. */
export function recordEvent(
  client: Client,
  pod: Pod,
  node: string,
  { type, reason, message, container }: PodEvent,
): void {
  const key = [pod.metadata.uid, reason, message].join('\0')
  const known = recent.get(key)
  const now = timestamp()
  if (known !== undefined) {
    known.event = { ...known.event, count: (known.event.count ?? 1) + 1, lastTimestamp: now }
    const { count, lastTimestamp, metadata } = known.event
    known.writing = known.writing.then(() =>
      client.patch(Events, metadata.namespace, metadata.name, 'merge', { count, lastTimestamp }).catch(() => undefined),
    )
    return
  }
  const event = newEvent(pod, node, { type, reason, message, ...(container && { container }) }, now)
  recent.set(key, { event, writing: client.create(Events, event).catch(() => undefined) })
  if (recent.size > maximumRecent) recent.delete(recent.keys().next().value ?? '')
}

let sequence = 0

function newEvent(pod: Pod, node: string, { type, reason, message, container }: PodEvent, now: string): KubeEvent {
  const { namespace, name, uid } = pod.metadata
  const suffix = (BigInt(Date.now()) * 1_000_000n + BigInt(sequence++ % 1_000_000)).toString(16)
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.${suffix}`, ...(namespace && { namespace }) },
    involvedObject: {
      apiVersion: 'v1',
      kind: 'Pod',
      name,
      ...(namespace && { namespace }),
      ...(uid && { uid }),
      ...(container && { fieldPath: `spec.containers{${container}}` }),
    },
    type,
    reason,
    message,
    count: 1,
    firstTimestamp: now,
    lastTimestamp: now,
    source: { component: 'kubelet', host: node },
    reportingComponent: 'kubelet',
  }
}
