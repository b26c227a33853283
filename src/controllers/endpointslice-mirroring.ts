import type { ObjectKey } from '../cluster/index.ts'
import { serviceNameLabel } from '../cluster/index.ts'
import { compileMirroredSlices, managedByLabel, mirroringController, StalenessTracker } from '../endpoints/index.ts'
import {
  type EndpointSlice,
  EndpointSlices,
  type Endpoints,
  EndpointsKind,
  type Service,
  Services,
} from '../objects/index.ts'
import type { Context } from './context.ts'
import { openIndex } from './object-index.ts'
import { writeSlices } from './slice-writes.ts'

/** Mirrors Endpoints that users wrote for Services without selector into slices, the only thing that proxies read. */
export function endpointSliceMirroringController(context: Context): void {
  const cache = context.informer<Endpoints>(EndpointsKind)
  const services = context.informer<Service>(Services)
  const slices = context.informer<EndpointSlice>(EndpointSlices)
  const slicesByService = openIndex(slices, (slice) => {
    const key = findOwner(slice)
    return key === undefined ? [] : [key]
  })
  const tracker = new StalenessTracker()
  const queue = context.queue({
    name: 'endpointslice-mirroring',
    async work(key) {
      if (tracker.isStale(key, context.now())) return queue.addAfter(key, 1000)
      const endpoints = cache.get(key)
      const { skipped, ...plan } = compileMirroredSlices(endpoints, services.get(key), slicesByService.find(key))
      if (plan.create.length + plan.update.length + plan.delete.length === 0) return
      // Users write the trigger time themselves, if at all.
      const time = endpoints?.metadata.annotations?.['endpoints.kubernetes.io/last-change-trigger-time']
      await writeSlices({ context, slices, tracker, owner: key }, plan, time)
      if (endpoints !== undefined && skipped.invalid > 0)
        record(
          context,
          endpoints,
          'InvalidAddresses',
          `Skipped ${skipped.invalid} invalid IP addresses when mirroring to EndpointSlices`,
        )
      if (endpoints !== undefined && skipped.tooMany > 0)
        record(
          context,
          endpoints,
          'TooManyAddressesToMirror',
          `A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. ${skipped.tooMany} addresses were skipped`,
        )
    },
  })
  context.onClose(cache.onChange((_, __, key) => queue.add(key)))
  context.onClose(services.onChange((_, __, key) => queue.add(key)))
  context.onClose(
    slices.onChange((old, slice) => {
      const known = slice ?? old
      const key = known && findOwner(known)
      if (known === undefined || key === undefined) return
      tracker.saw(key, known, slice === undefined)
      queue.add(key)
    }),
  )
}

function findOwner({ metadata }: EndpointSlice): ObjectKey | undefined {
  const name = metadata.labels?.[serviceNameLabel]
  if (name === undefined || metadata.labels?.[managedByLabel] !== mirroringController) return undefined
  return `${metadata.namespace}/${name}`
}

function record(context: Context, endpoints: Endpoints, reason: string, message: string): void {
  context.events.record(endpoints, 'Warning', reason, message, 'endpoint-slice-mirroring-controller')
}
