import { type Address, type Family, families, familyOf } from '../addr/index.ts'
import type { Resource } from '../client/index.ts'
import { internalAddresses } from '../cluster/index.ts'
import type { Allocation } from '../ipam/index.ts'
import { type Condition, type Egress, type Node, Nodes } from '../objects/index.ts'
import type { Context } from './context.ts'
import { egressOfRequest, egressPrefix, egressRequests } from './egress-request.ts'
import { externalAddresses } from './external-addresses.ts'
import { withCondition } from './pod-state.ts'
import { writeStatus } from './status-write.ts'

const component = 'plumb-egress'

/** How to address an Egress. */
const egresses: Resource = {
  group: 'plumb.network',
  version: 'v1alpha1',
  plural: 'egresses',
  namespaced: false,
  kind: 'Egress',
}

/** Gives Egresses their addresses, out of the allocator that Services have theirs from, and tells it on them. */
export function egressController(context: Context): void {
  const objects = context.informer<Egress>(egresses, { optional: true })
  const nodes = context.informer<Node>(Nodes)
  const addresses = externalAddresses(context)
  /** Keys of requests by Egress. */
  const asked = new Map<string, readonly string[]>()
  let clusterFamilies: readonly Family[] = []
  const queue = context.queue({
    name: 'egress',
    async work(name) {
      const egress = objects.get(name)
      if (egress === undefined || egress.metadata.deletionTimestamp !== undefined) return
      const allocations = (asked.get(name) ?? []).map((key) => addresses.find(key))
      if (allocations.some((allocation) => allocation === undefined)) return
      await tell(context, egress, allocations as Allocation[])
    },
  })
  const ask = (name: string, egress: Egress | undefined): void => {
    const requests = egress === undefined ? [] : egressRequests(egress, clusterFamilies)
    for (const key of asked.get(name) ?? []) if (!requests.some((one) => one.key === key)) addresses.delete(key)
    for (const request of requests) addresses.put(request)
    if (egress === undefined) asked.delete(name)
    else {
      asked.set(
        name,
        requests.map(({ key }) => key),
      )
      queue.add(name)
    }
  }
  addresses.onChange((key) => {
    if (key.startsWith(egressPrefix)) queue.add(egressOfRequest(key))
  })
  context.onClose(objects.onChange((_, egress, name) => ask(name, egress)))
  context.onClose(
    nodes.onChange(() => {
      const now = familiesOf(nodes.values())
      if (now.join() === clusterFamilies.join()) return
      clusterFamilies = now
      for (const egress of objects.values()) ask(egress.metadata.name, egress)
    }),
  )
}

/** The families of which nodes have addresses: pods cannot leave by others. */
function familiesOf(nodes: Iterable<Node>): Family[] {
  const found = new Set([...nodes].flatMap((node) => internalAddresses(node).map(familyOf)))
  return families.filter((family) => found.has(family))
}

async function tell(context: Context, egress: Egress, allocations: readonly Allocation[]): Promise<void> {
  const held = allocations.flatMap((one): readonly Address[] => (one.kind === 'assigned' ? one.addresses : []))
  const egressIPs = [...new Set(held)].sort((a, b) => familyOf(a) - familyOf(b))
  const condition = allocated(allocations, egressIPs)
  const before = egress.status?.egressIPs ?? []
  const old = egress.status?.conditions?.find(({ type }) => type === condition.type)
  const status = {
    egressIPs,
    egressIP: egressIPs[0] ?? '',
    conditions: withCondition(egress.status?.conditions, condition, context.now()),
  }
  await writeStatus(context, egresses, egress, status)
  const lost = before.filter((text) => !egressIPs.includes(text as Address))
  const events = context.events
  if (lost.length > 0)
    events.record(egress, 'Warning', 'ClearAssignment', `${lost.join(', ')} is no longer assigned`, component)
  if (condition.status === 'False' && old?.message !== condition.message)
    events.record(egress, 'Warning', 'AllocationFailed', condition.message ?? '', component)
  if (egressIPs.some((address) => !before.includes(address)))
    events.record(egress, 'Normal', 'IPAllocated', `Assigned IP ${JSON.stringify(egressIPs)}`, component)
}

function allocated(
  allocations: readonly Allocation[],
  addresses: readonly Address[],
): Omit<Condition, 'lastTransitionTime'> {
  const type = 'IPAllocated'
  const refused = allocations.find((one) => one.kind === 'refused')
  const lacking = allocations.find((one) => one.kind === 'assigned' && one.lacks !== undefined)
  const finding =
    refused?.kind === 'refused' ? refused.finding : lacking?.kind === 'assigned' ? lacking.lacks : undefined
  const message = finding && `${finding.field}: ${finding.says}; ${finding.try}`
  if (addresses.length === 0)
    return { type, status: 'False', reason: finding?.code ?? 'NoAddress', message: message ?? 'it asks for no address' }
  const has = addresses.join(', ')
  return { type, status: 'True', reason: finding?.code ?? 'Allocated', message: message ? `${has}; ${message}` : has }
}
