import { isDeepStrictEqual } from 'node:util'
import { ApiError } from '../client/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import {
  compileEndpoints,
  endpointsManagedByLabel,
  hasSelectedEndpoints,
  overCapacityAnnotation,
  StalenessTracker,
  sameAsEndpoint,
  sameEndpoints,
  TriggerTime,
  withTriggerTime,
} from '../endpoints/index.ts'
import { type Endpoints, EndpointsKind, type Pod, type Service, Services } from '../objects/index.ts'
import type { Context } from './context.ts'
import { isTerminating } from './pod-writes.ts'
import { servicePods } from './service-pods.ts'

const component = 'endpoint-controller'
/** Old leader elections keep their record in Endpoints that no Service has. */
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader'

/** A Service rests for so many times what its last compilation took: 1 ms for a few pods, a fifth of a second for thousands. */
const restFactor = 20

/** Keeps the Endpoints object of every Service that has a selector, for clients that do not know slices. */
export function endpointsController(context: Context): void {
  const cache = context.informer<Endpoints>(EndpointsKind)
  const services = context.informer<Service>(Services)
  const followed = servicePods(context)
  const tracker = new StalenessTracker()
  const triggers = new Map<ObjectKey, TriggerTime>()
  /** When a Service may be compiled again: the object is made anew from all pods, so large ones are not made for each pod. */
  const notBefore = new Map<ObjectKey, number>()
  const known = new Map<ObjectKey, Service>()
  const pods = new Map<ObjectKey, Pod>()
  /** Services whose deletion was seen. */
  const gone = new Set<ObjectKey>()
  /** Keys that wait for the cache to show an own write. */
  const deferred = new Set<ObjectKey>()
  const queue = context.queue({ name: 'endpoints', workers: 16, work: sync })
  const wake = (key: ObjectKey) => queue.addAfter(key, (notBefore.get(key) ?? 0) - performance.now())

  followed.onService((key, service) => {
    const old = known.get(key)
    if (service === undefined) {
      if (known.delete(key)) gone.add(key)
      triggers.delete(key)
      notBefore.delete(key)
    } else {
      gone.delete(key)
      known.set(key, service)
      if (old !== undefined && isSame(old, service)) return
      const trigger = triggers.get(key) ?? new TriggerTime(service)
      triggers.set(key, trigger)
      trigger.setService(service)
      for (const [podKey, pod] of followed.pods.selectedBy(service)) trigger.setPod(podKey, pod)
    }
    queue.add(key)
  })
  followed.onPod((key, pod, touched, selected) => {
    const old = pods.get(key)
    if (pod === undefined || selected.size === 0) pods.delete(key)
    else pods.set(key, pod)
    if (old !== undefined && pod !== undefined && sameAsEndpoint(old, pod) && sameLabels(old, pod)) return
    for (const service of touched) {
      triggers.get(service)?.setPod(key, selected.has(service) ? pod : undefined)
      wake(service)
    }
  })
  context.onClose(
    cache.onChange((old, current, key) => {
      const seen = current ?? old
      const isOwn = seen !== undefined && tracker.saw(key, seen, current === undefined)
      // An own write says nothing new; what others wrote is put right.
      if (!isOwn || deferred.delete(key)) wake(key)
    }),
  )

  async function sync(key: ObjectKey): Promise<void> {
    const service = services.get(key)
    const current = cache.get(key)
    if (service === undefined) {
      if (isLeftover(current, gone.has(key))) await remove(context, current)
      gone.delete(key)
      return
    }
    if (!hasSelectedEndpoints(service) || service.metadata.deletionTimestamp !== undefined) return
    if (tracker.isStale(key, context.now())) {
      deferred.add(key)
      return queue.addAfter(key, 1000)
    }
    const startedAt = performance.now()
    const selected = [...followed.pods.selectedBy(service)].map(([, pod]) => pod)
    const wanted = compileEndpoints(service, selected)
    const endedAt = performance.now()
    notBefore.set(key, endedAt + (endedAt - startedAt) * restFactor)
    if (current !== undefined && sameEndpoints(current, wanted)) return
    const trigger = triggers.get(key)
    const time = trigger?.take()
    try {
      const written = await write(context, current, withTriggerTime(merge(current, wanted), time))
      if (written !== undefined) tracker.wrote(key, written, cache.get(key), context.now())
    } catch (error) {
      trigger?.restore(time)
      report(context, service, current, error)
      throw error
    }
  }
}

/**
 * Whether Endpoints without a Service are to go: those that this controller made, and all of a Service that was deleted. Endpoints
 * made by hand may come before their Service does.
 */
function isLeftover(current: Endpoints | undefined, hadService: boolean): current is Endpoints {
  if (current === undefined || current.metadata.annotations?.[leaderAnnotation] !== undefined) return false
  return hadService || current.metadata.labels?.[endpointsManagedByLabel] === component
}

async function remove(context: Context, { metadata }: Endpoints): Promise<void> {
  const { namespace, name, uid } = metadata
  await context.client.delete(EndpointsKind, namespace, name, uid ? { preconditions: { uid } } : {}).catch((error) => {
    if (!(error instanceof ApiError && error.code === 404)) throw error
  })
}

/** `wanted` in the place of `current`, with the annotations that others put there. */
function merge(current: Endpoints | undefined, wanted: Endpoints): Endpoints {
  if (current === undefined) return wanted
  const { [overCapacityAnnotation]: _, ...others } = current.metadata.annotations ?? {}
  const { labels = {}, annotations } = wanted.metadata
  return { ...wanted, metadata: { ...current.metadata, labels, annotations: { ...others, ...annotations } } }
}

/** What the server stored; undefined when the namespace is going away. */
async function write(
  { client }: Context,
  current: Endpoints | undefined,
  object: Endpoints,
): Promise<Endpoints | undefined> {
  try {
    return await (current === undefined ? client.create(EndpointsKind, object) : client.update(EndpointsKind, object))
  } catch (error) {
    if (isTerminating(error)) return undefined
    throw error
  }
}

function report({ events }: Context, service: Service, current: Endpoints | undefined, error: unknown): void {
  if (error instanceof ApiError && error.reason === 'Conflict') return
  const key = `${service.metadata.namespace}/${service.metadata.name}`
  const { message } = error as Error
  if (current === undefined) {
    const says = `Failed to create endpoint for service ${key}: ${message}`
    events.record(service, 'Warning', 'FailedToCreateEndpoint', says, component)
  } else
    events.record(
      current,
      'Warning',
      'FailedToUpdateEndpoint',
      `Failed to update endpoint ${key}: ${message}`,
      component,
    )
}

function isSame(a: Service, b: Service): boolean {
  const shown = ({ metadata, spec }: Service) => [metadata.uid, metadata.labels, metadata.deletionTimestamp, spec]
  return isDeepStrictEqual(shown(a), shown(b))
}

function sameLabels(a: Pod, b: Pod): boolean {
  return isDeepStrictEqual(a.metadata.labels, b.metadata.labels)
}
