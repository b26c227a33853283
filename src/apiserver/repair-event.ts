import { createHash, randomUUID } from 'node:crypto'
import type { KubeEvent, KubeObject } from '../objects/index.ts'
import type { Transaction } from './store.ts'
import { copyOf, timestamp } from './value.ts'

const events = '/events'

/** Tells a warning of the server's own about an object. The same warning again counts the first one up. */
export function warnAbout(
  about: KubeObject,
  what: { readonly reason: string; readonly action: string; readonly message: string; readonly reporter: string },
  transaction: Transaction,
): void {
  const { name, namespace, uid, resourceVersion } = about.metadata
  const { reason, action, message, reporter } = what
  const digest = createHash('sha256').update(`${uid} ${reason} ${message}`).digest('hex').slice(0, 16)
  const place = namespace ?? 'default'
  const key = `${place}/${name}.${digest}`
  const time = timestamp()
  const known = transaction.find(events, key)?.value as KubeEvent | undefined
  if (known !== undefined) {
    transaction.put(events, key, { ...copyOf(known), count: (known.count ?? 1) + 1, lastTimestamp: time } as KubeEvent)
    return
  }
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.${digest}`, namespace: place, uid: randomUUID(), creationTimestamp: time },
    involvedObject: {
      apiVersion: about.apiVersion,
      kind: about.kind,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    type: 'Warning',
    reason,
    action,
    message,
    count: 1,
    firstTimestamp: time,
    lastTimestamp: time,
    source: { component: reporter },
    reportingComponent: reporter,
    reportingInstance: 'plumb-apiserver',
  }
  transaction.put(events, key, event as KubeObject)
}
