import { createHash } from 'node:crypto'
import type { Client } from '../client/index.ts'
import { Events, type KubeEvent, type KubeObject, type ObjectReference } from '../objects/index.ts'

/** Records what controllers did to an object, for `kubectl describe`. Never throws and never waits: events are best effort. */
export interface EventRecorder {
  record(about: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, component: string): void
  /** Resolves when what was recorded so far has been sent or given up. */
  flush(): Promise<void>
}

/** Upstream's spam filter: a burst of 25 for one object and component, then one in 5 minutes. */
const burst = 25
const refillMs = 5 * 60_000
/** Events that wait to be sent; beyond it the newest are dropped. */
const maxWaiting = 1000
const maxRemembered = 4096

interface Known {
  readonly name: string
  readonly namespace: string
  count: number
}

/** A recorder that sends one event at a time per turn, and counts up those that repeat. */
export function openEventRecorder(
  client: Pick<Client, 'create' | 'patch'>,
  now: () => number = Date.now,
): EventRecorder {
  const known = new Map<string, Known>()
  const buckets = new Map<string, { tokens: number; at: number }>()
  const waiting = new Map<string, KubeEvent>()
  let sending: Promise<void> | undefined

  const allowed = (source: string): boolean => {
    const bucket = buckets.get(source) ?? { tokens: burst, at: now() }
    bucket.tokens = Math.min(burst, bucket.tokens + (now() - bucket.at) / refillMs)
    bucket.at = now()
    remember(buckets, source, bucket)
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }

  const send = async (key: string, event: KubeEvent): Promise<void> => {
    const seen = known.get(key)
    if (seen !== undefined) {
      seen.count += event.count ?? 1
      const patch = { count: seen.count, lastTimestamp: event.lastTimestamp, message: event.message }
      const sent = await client.patch(Events, seen.namespace, seen.name, 'merge', patch).catch(() => undefined)
      if (sent !== undefined) return
    }
    await client.create(Events, event)
    const { name, namespace = 'default' } = event.metadata
    remember(known, key, { name, namespace, count: event.count ?? 1 })
  }

  const drain = async () => {
    // Behind the work that the event is about.
    await new Promise((resolve) => setImmediate(resolve))
    for (const [key, event] of waiting) {
      waiting.delete(key)
      await send(key, event).catch(() => {})
    }
    sending = undefined
  }

  return {
    record(about, type, reason, message, component) {
      const object = referenceTo(about)
      const { uid } = object
      if (!allowed(`${component}/${uid}`)) return
      const key = `${component}/${uid}/${type}/${reason}/${message}`
      const repeated = waiting.get(key)
      const time = new Date(now()).toISOString().replace(/\.\d+Z$/, 'Z')
      if (repeated !== undefined) {
        repeated.count = (repeated.count ?? 1) + 1
        repeated.lastTimestamp = time
        return
      }
      if (waiting.size >= maxWaiting) return
      waiting.set(key, render(object, { type, reason, message, component, time, stamp: now() }))
      sending ??= drain()
    },
    async flush() {
      while (sending !== undefined) await sending
    },
  }
}

function render(
  about: ObjectReference,
  what: { type: string; reason: string; message: string; component: string; time: string; stamp: number },
): KubeEvent {
  // Upstream names events after the object and the time in hexadecimal nanoseconds; the digest keeps two of one ms apart.
  const digest = createHash('sha256')
    .update(what.reason + what.message + what.component)
    .digest('hex')
    .slice(0, 5)
  const namespace = about.namespace || 'default'
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${about.name}.${what.stamp.toString(16)}${digest}`, namespace },
    involvedObject: about,
    type: what.type,
    reason: what.reason,
    // The API bounds an event's message to 1024 bytes.
    message: what.message.slice(0, 1000),
    count: 1,
    firstTimestamp: what.time,
    lastTimestamp: what.time,
    source: { component: what.component },
    reportingComponent: what.component,
  }
}

function referenceTo(object: KubeObject): ObjectReference {
  const { name, namespace, uid, resourceVersion } = object.metadata
  const { apiVersion, kind } = object
  return {
    apiVersion,
    kind,
    name,
    ...(namespace && { namespace }),
    ...(uid && { uid }),
    ...(resourceVersion && { resourceVersion }),
  }
}

/** A map that forgets its oldest entries. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > maxRemembered) map.delete(map.keys().next().value as string)
}
