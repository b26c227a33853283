import { isDeepStrictEqual } from 'node:util'
import { ApiError } from '../client/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import { serviceNameLabel } from '../cluster/index.ts'
import {
  hasSelectedEndpoints,
  isManagedSlice,
  ServiceEndpoints,
  StalenessTracker,
  ZoneCapacity,
} from '../endpoints/index.ts'
import { type EndpointSlice, EndpointSlices, type Node, Nodes, type Pod, Pods, type Service } from '../objects/index.ts'
import type { Context } from './context.ts'
import { openIndex } from './object-index.ts'
import { servicePods } from './service-pods.ts'
import { writeSlices } from './slice-writes.ts'

const reporter = 'endpoint-slice-controller'

/** Keeps the EndpointSlices of every Service that has a selector; a change of one pod costs the slices that hold it. */
export function endpointSliceController(context: Context): void {
  const slices = context.informer<EndpointSlice>(EndpointSlices)
  const nodes = context.informer<Node>(Nodes)
  const followed = servicePods(context)
  const podsByNode = openIndex(context.informer<Pod>(Pods), ({ spec }) => (spec.nodeName ? [spec.nodeName] : []))
  const slicesByService = openIndex(slices, (slice) => {
    const key = findOwner(slice)
    return key === undefined ? [] : [key]
  })
  const tracker = new StalenessTracker()
  const services = new Map<ObjectKey, ServiceEndpoints>()
  const zones = new ZoneCapacity()
  const options = {
    ...(context.options.maxEndpointsPerSlice && { maxEndpointsPerSlice: context.options.maxEndpointsPerSlice }),
    findNode: (name: string) => nodes.get(name),
    zoneShares: () => zones.shares,
  }

  const queue = context.queue({
    name: 'endpointslice',
    workers: 16,
    async work(key) {
      const endpoints = services.get(key)
      if (endpoints === undefined) return
      if (tracker.isStale(key, context.now())) return queue.addAfter(key, 1000)
      const plan = endpoints.plan()
      for (const { type, reason, says } of endpoints.takeHintsNews())
        context.events.record(endpoints.service, type, reason, says, reporter)
      if (plan.create.length + plan.update.length + plan.delete.length === 0) return
      const triggerTime = endpoints.takeTriggerTime()
      try {
        // The slices' new versions come back by the informer alone: an answer may be older than what the informer showed meanwhile.
        await writeSlices({ context, slices, tracker, owner: key }, plan, triggerTime)
      } catch (error) {
        endpoints.restoreTriggerTime(triggerTime)
        report(context, endpoints.service, error)
        throw error
      }
    },
  })

  const add = (key: ObjectKey, service: Service) => {
    const endpoints = new ServiceEndpoints(service, options)
    services.set(key, endpoints)
    for (const slice of slicesByService.find(key)) endpoints.setSlice(slice.metadata.name, slice)
    for (const [podKey, pod] of followed.pods.selectedBy(service)) endpoints.setPod(podKey, pod)
  }
  followed.onService((key, service) => {
    const known = services.get(key)
    if (service === undefined || !hasSelectedEndpoints(service)) {
      services.delete(key)
      if (service === undefined) tracker.forget(key)
      return
    }
    const before = known?.service
    // With another selector other pods count; starting over is simpler than comparing, and rare.
    if (before === undefined || !sameSelector(before, service)) add(key, service)
    else if (isShownDifferently(before, service)) known?.setService(service)
    else return
    queue.add(key)
  })
  followed.onPod((key, pod, touched, selected) => {
    for (const service of touched)
      if (services.get(service)?.setPod(key, selected.has(service) ? pod : undefined)) queue.add(service)
  })
  context.onClose(
    slices.onChange((old, slice) => {
      const known = slice ?? old
      if (known === undefined) return
      for (const key of new Set([old && findOwner(old), slice && findOwner(slice)])) {
        if (key === undefined) continue
        const mine = slice !== undefined && findOwner(slice) === key ? slice : undefined
        tracker.saw(key, known, slice === undefined)
        services.get(key)?.setSlice(known.metadata.name, mine)
        queue.add(key)
      }
    }),
  )
  context.onClose(
    nodes.onChange((old, node, name) => {
      if (zones.setNode(name, node)) for (const [key, endpoints] of services) if (endpoints.followsZones) queue.add(key)
      if (old !== undefined && node !== undefined && zoneOf(old) === zoneOf(node)) return
      for (const pod of podsByNode.find(name)) {
        const key = `${pod.metadata.namespace}/${pod.metadata.name}`
        for (const service of followed.servicesOf(pod)) if (services.get(service)?.setPod(key, pod)) queue.add(service)
      }
    }),
  )
}

/** The Service whose slice this is, when it is one of this controller's. */
function findOwner(slice: EndpointSlice): ObjectKey | undefined {
  const name = slice.metadata.labels?.[serviceNameLabel]
  if (name === undefined || !isManagedSlice(slice, name)) return undefined
  return `${slice.metadata.namespace}/${name}`
}

function sameSelector(a: Service, b: Service): boolean {
  return a.metadata.uid === b.metadata.uid && isDeepStrictEqual(a.spec.selector, b.spec.selector)
}

/** Whether slices show the change of a Service: its status they do not. */
function isShownDifferently(a: Service, b: Service): boolean {
  const shown = ({ metadata, spec }: Service) => [
    metadata.labels,
    metadata.annotations,
    metadata.deletionTimestamp,
    spec,
  ]
  return !isDeepStrictEqual(shown(a), shown(b))
}

function report(context: Context, service: Service, error: unknown): void {
  if (error instanceof ApiError && error.reason === 'Conflict') return
  const key = `${service.metadata.namespace}/${service.metadata.name}`
  const says = `Error updating Endpoint Slices for Service ${key}: ${(error as Error).message}`
  context.events.record(service, 'Warning', 'FailedToUpdateEndpointSlices', says, reporter)
}

function zoneOf(node: Node): string {
  return node.metadata.labels?.['topology.kubernetes.io/zone'] ?? ''
}
