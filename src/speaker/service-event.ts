import { randomBytes } from 'node:crypto'
import type { Client } from '../client/index.ts'
import type { Finding } from '../cluster/index.ts'
import type { KubeEvent, Service } from '../objects/index.ts'
import { events } from './resources.ts'

const component = 'plumb-speaker'

/** What is told on a Service. */
export interface ServiceEvent {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

/** Which node announces it, in the words that MetalLB's users know. */
export function assigned(node: string): ServiceEvent {
  return { type: 'Normal', reason: 'nodeAssigned', message: `announcing from node "${node}" with protocol "layer2"` }
}

/** A finding about one of its addresses. */
export function told({ code, says, try: remedy }: Finding): ServiceEvent {
  return { type: 'Warning', reason: code, message: `${says}; ${remedy}` }
}

/** Tells on the Service what happened to it on this node. Best effort: nothing waits for it. */
export function tellService(
  client: Client,
  service: Service,
  node: string,
  { type, reason, message }: ServiceEvent,
): void {
  const { name, namespace = 'default', uid } = service.metadata
  const now = new Date()
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z')
  const event: KubeEvent = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.${now.getTime().toString(16)}${randomBytes(3).toString('hex')}`, namespace },
    involvedObject: { apiVersion: 'v1', kind: 'Service', name, namespace, ...(uid !== undefined && { uid }) },
    type,
    reason,
    message,
    count: 1,
    firstTimestamp: time,
    lastTimestamp: time,
    source: { component, host: node },
    reportingComponent: component,
  }
  client.create(events, event).catch(() => undefined)
}
