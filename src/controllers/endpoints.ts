import { ApiError } from '../client/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import {
  compileEndpoints,
  hasSelectedEndpoints,
  sameEndpoints,
  TriggerTime,
  withTriggerTime,
} from '../endpoints/index.ts'
import { type Endpoints, EndpointsKind, type Service, Services } from '../objects/index.ts'
import type { Context } from './context.ts'
import { isTerminating } from './pod-writes.ts'
import { servicePods } from './service-pods.ts'

/** Keeps the Endpoints object of every Service that has a selector, for clients that do not know slices. */
export function endpointsController(context: Context): void {
  const cache = context.informer<Endpoints>(EndpointsKind)
  const services = context.informer<Service>(Services)
  const followed = servicePods(context)
  const triggers = new Map<ObjectKey, TriggerTime>()
  const queue = context.queue({
    name: 'endpoints',
    workers: 16,
    async work(key) {
      const service = services.get(key)
      const current = cache.get(key)
      if (service === undefined) return removeOrphan(context, current)
      if (!hasSelectedEndpoints(service) || service.metadata.deletionTimestamp !== undefined) return
      const wanted = compileEndpoints(
        service,
        [...followed.pods.selectedBy(service)].map(([, pod]) => pod),
      )
      if (current !== undefined && sameEndpoints(current, wanted)) return
      const trigger = triggers.get(key)
      const time = trigger?.take()
      try {
        await write(context, current, withTriggerTime(wanted, time))
      } catch (error) {
        trigger?.restore(time)
        throw error
      }
    },
  })
  followed.onService((key, service) => {
    const known = triggers.get(key)
    if (service === undefined) triggers.delete(key)
    else if (known !== undefined) known.setService(service)
    else triggers.set(key, new TriggerTime(service))
    queue.add(key)
  })
  followed.onPod((key, pod, touched, selected) => {
    for (const service of touched) {
      triggers.get(service)?.setPod(key, selected.has(service) ? pod : undefined)
      queue.add(service)
    }
  })
  context.onClose(cache.onChange((_, __, key) => queue.add(key)))
}

/** Endpoints that someone made by hand outlive a Service that never was; those of a deleted Service go with it. */
async function removeOrphan(context: Context, current: Endpoints | undefined): Promise<void> {
  if (current?.metadata.labels?.['endpoints.kubernetes.io/managed-by'] !== 'endpoint-controller') return
  const { namespace, name, uid } = current.metadata
  await context.client.delete(EndpointsKind, namespace, name, uid ? { preconditions: { uid } } : {}).catch((error) => {
    if (!(error instanceof ApiError && error.code === 404)) throw error
  })
}

async function write(context: Context, current: Endpoints | undefined, wanted: Endpoints): Promise<void> {
  try {
    if (current === undefined) return void (await context.client.create(EndpointsKind, wanted))
    const { uid, resourceVersion } = current.metadata
    const annotations = { ...current.metadata.annotations, ...wanted.metadata.annotations }
    const metadata = { ...current.metadata, ...wanted.metadata, annotations, uid, resourceVersion }
    await context.client.update(EndpointsKind, { ...wanted, metadata } as Endpoints)
  } catch (error) {
    if (!isTerminating(error)) throw error
  }
}
