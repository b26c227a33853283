import { randomBytes } from 'node:crypto'
import type { Client } from '../client/index.ts'
import type { KubeEvent, Service } from '../objects/index.ts'
import { events } from './resources.ts'

const component = 'plumb-speaker'

/** Tells on the Service which node announces it, in the words that MetalLB's users know. Best effort: nothing waits for it. */
export function tellAssigned(client: Client, service: Service, node: string): void {
  const { name, namespace = 'default', uid } = service.metadata
  const now = new Date()
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z')
  const event: KubeEvent = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.${now.getTime().toString(16)}${randomBytes(3).toString('hex')}`, namespace },
    involvedObject: { apiVersion: 'v1', kind: 'Service', name, namespace, ...(uid !== undefined && { uid }) },
    type: 'Normal',
    reason: 'nodeAssigned',
    message: `announcing from node "${node}" with protocol "layer2"`,
    count: 1,
    firstTimestamp: time,
    lastTimestamp: time,
    source: { component, host: node },
    reportingComponent: component,
  }
  client.create(events, event).catch(() => undefined)
}
