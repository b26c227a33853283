import { findAddress } from '../addr/index.ts'
import type { Finding } from '../cluster/index.ts'
import { type Allocation, serviceRequest } from '../ipam/index.ts'
import { type Namespace, Namespaces, type Service, Services } from '../objects/index.ts'
import { managesBalancer } from './balancer-status.ts'
import type { Context } from './context.ts'
import { externalAddresses } from './external-addresses.ts'
import { withCondition } from './pod-state.ts'
import { writeStatus } from './status-write.ts'

const component = 'plumb-loadbalancer'
/** By which `managedFields` tells our addresses from those of a cloud's controller. */
const fieldManager = 'plumb-loadbalancer'
/** Tells on a Service whether it has the addresses that it asks for. */
const conditionType = 'plumb.network/AddressesAssigned'

/** Gives Services of type LoadBalancer their external addresses, and takes them back when the Service is ours no longer. */
export function loadBalancerController(context: Context): void {
  const services = context.informer<Service>(Services)
  const namespaces = context.informer<Namespace>(Namespaces)
  const addresses = externalAddresses(context)
  const findings = new Map<string, Finding>()
  const told = new Map<string, string>()
  const queue = context.queue({
    name: 'loadbalancer',
    async work(key) {
      const service = services.get(key)
      if (service === undefined || service.metadata.deletionTimestamp !== undefined) return
      const finding = findings.get(key)
      const allocation = finding ? ({ kind: 'refused', finding } as const) : addresses.find(`service/${key}`)
      if (allocation !== undefined) await tell(context, service, allocation, told)
      else if (serviceRequest(service, undefined) === undefined) await takeBack(context, service)
    },
  })
  const ask = (key: string, service: Service | undefined): void => {
    const labels = namespaces.get(service?.metadata.namespace ?? '')?.metadata.labels
    const request = service && serviceRequest(service, labels)
    findings.delete(key)
    if (request !== undefined && 'use' in request) addresses.put(request)
    else addresses.delete(`service/${key}`)
    if (request !== undefined && 'code' in request) findings.set(key, request)
    if (service === undefined) told.delete(key)
    else queue.add(key)
  }
  addresses.onChange((key) => {
    if (key.startsWith('service/')) queue.add(key.slice('service/'.length))
  })
  context.onClose(services.onChange((_, service, key) => ask(key, service)))
  context.onClose(
    namespaces.onChange((old, namespace, name) => {
      if (JSON.stringify(old?.metadata.labels) === JSON.stringify(namespace?.metadata.labels)) return
      for (const service of services.values())
        if (service.metadata.namespace === name) ask(`${name}/${service.metadata.name}`, service)
    }),
  )
}

/** Writes addresses and condition, and tells what changed in the words that MetalLB's users know. */
async function tell(
  context: Context,
  service: Service,
  allocation: Allocation,
  told: Map<string, string>,
): Promise<void> {
  const { namespace, name } = service.metadata
  const ips = allocation.kind === 'assigned' ? allocation.addresses : []
  const ingress = ips.map((ip) => ({ ip, ipMode: 'VIP' as const }))
  const before = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '' }) => findAddress(ip) ?? [])
  const finding = allocation.kind === 'assigned' ? allocation.lacks : allocation.finding
  const condition = finding
    ? ({
        type: conditionType,
        status: ips.length === 0 ? 'False' : 'True',
        reason: finding.code,
        message: sentence(finding),
      } as const)
    : ({ type: conditionType, status: 'True', reason: 'Assigned', message: `out of ${poolOf(allocation)}` } as const)
  const conditions = withCondition([...(service.status?.conditions ?? [])], condition, context.now())
  await writeStatus(context, Services, service, { loadBalancer: { ingress }, conditions }, fieldManager)
  const news = `${ips} ${finding?.says ?? ''}`
  const key = `${namespace}/${name}`
  const isNews = told.get(key) !== news && (finding !== undefined || before.join() !== ips.join())
  told.set(key, news)
  if (!isNews) return
  const lost = before.filter((ip) => !ips.includes(ip))
  if (lost.length > 0)
    context.events.record(service, 'Warning', 'ClearAssignment', `${lost.join(', ')} is no longer assigned`, component)
  if (finding !== undefined) {
    const message = `Failed to allocate IP for "${key}": ${finding.field}: ${sentence(finding)}`
    context.events.record(service, 'Warning', 'AllocationFailed', message, component)
  }
  if (ips.some((ip) => !before.includes(ip)))
    context.events.record(service, 'Normal', 'IPAllocated', `Assigned IP ${JSON.stringify(ips)}`, component)
}

function sentence({ says, try: remedy }: Finding): string {
  return `${says}; ${remedy}`
}

function poolOf(allocation: Allocation): string {
  return allocation.kind === 'assigned' && allocation.pool !== undefined ? `pool "${allocation.pool}"` : 'no pool'
}

async function takeBack(context: Context, service: Service): Promise<void> {
  if (!(await managesBalancer(context, Services, service, fieldManager))) return
  const conditions = (service.status?.conditions ?? []).filter(({ type }) => type !== conditionType)
  await writeStatus(context, Services, service, { loadBalancer: {}, conditions }, fieldManager)
}
