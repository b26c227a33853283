import { serviceNameLabel } from '../cluster/index.ts'
import type { Endpoint, EndpointPort, EndpointSlice, KubeObject, ObjectMeta, Service } from '../objects/index.ts'
import { isHeadless, type SliceFamily } from './address-types.ts'

/** The label that says which controller owns a slice. */
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by'
/** The owner of slices that come from a Service's selector. */
export const sliceController = 'endpointslice-controller.k8s.io'
/** Marks slices and Endpoints of a Service without ClusterIP. */
export const headlessLabel = 'service.kubernetes.io/headless'
/** When the oldest change that a slice or Endpoints object reflects happened, RFC 3339. */
export const triggerTimeAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time'

/** On a pod: how many parts of its Services' connections it gets, from 0 to 100. On its slices `ADDRESS=WEIGHT,…`, under the plural. */
export const weightAnnotation = 'plumb.network/weight'
const weightsAnnotation = 'plumb.network/weights'

/** The slice with the weights that some of its endpoints have, or without when none has; itself when nothing changes. */
export function withWeights(slice: EndpointSlice, weights: ReadonlyMap<string, string>): EndpointSlice {
  const found = slice.endpoints.flatMap(({ addresses }) => {
    const weight = weights.get(addresses[0] ?? '')
    return weight === undefined ? [] : [`${addresses[0]}=${weight}`]
  })
  const wanted = found.length === 0 ? undefined : found.sort().join(',')
  const { [weightsAnnotation]: old, ...kept } = slice.metadata.annotations ?? {}
  if (old === wanted) return slice
  const annotations = wanted === undefined ? kept : { ...kept, [weightsAnnotation]: wanted }
  return { ...slice, metadata: { ...slice.metadata, annotations } }
}

const reserved: ReadonlySet<string> = new Set([serviceNameLabel, managedByLabel, headlessLabel])

/** The labels of a Service's slices: the Service's own without the reserved ones, which the controller alone sets. */
export function sliceLabels(service: Service): Record<string, string> {
  const own = Object.entries(service.metadata.labels ?? {}).filter(([key]) => !reserved.has(key))
  return {
    ...Object.fromEntries(own),
    [serviceNameLabel]: service.metadata.name,
    [managedByLabel]: sliceController,
    ...(isHeadless(service) && { [headlessLabel]: '' }),
  }
}

/** Whether a slice's labels follow the Service's; the reserved ones are not compared, as upstream. */
export function followsLabels(slice: EndpointSlice, wanted: Readonly<Record<string, string>>): boolean {
  const labels = slice.metadata.labels ?? {}
  const own = (keys: string[]) => keys.filter((key) => !reserved.has(key))
  const keys = own(Object.keys(labels))
  return keys.length === own(Object.keys(wanted)).length && keys.every((key) => labels[key] === wanted[key])
}

/** Whether two label or annotation maps are equal; absent is empty. */
export function sameMap(a: Readonly<Record<string, string>> = {}, b: Readonly<Record<string, string>> = {}): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}

/** Whether the slice belongs to this very Service, by uid: one of the same name before it does not count. */
export function isOwnedBy(slice: EndpointSlice, owner: KubeObject): boolean {
  return (slice.metadata.ownerReferences ?? []).some(
    ({ uid, kind, apiVersion }) => uid === owner.metadata.uid && kind === owner.kind && apiVersion === owner.apiVersion,
  )
}

/** The metadata of a new slice, named by the server after its owner. */
export function newSliceMetadata(owner: KubeObject, labels: Record<string, string>): ObjectMeta {
  const { name, namespace, uid = '' } = owner.metadata
  const reference = {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  }
  // A generated name adds 5 characters, so "web-" must be a legal prefix; the name alone is the way out (253 characters).
  const generateName = name.length < 253 ? `${name}-` : name
  return {
    name: '',
    generateName,
    ...(namespace !== undefined && { namespace }),
    labels,
    ownerReferences: [reference],
  }
}

/** A new slice of a Service. */
export function newSlice(
  service: Service,
  addressType: SliceFamily,
  ports: readonly EndpointPort[],
  endpoints: readonly Endpoint[],
): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: newSliceMetadata(service, sliceLabels(service)),
    addressType,
    endpoints: [...endpoints],
    ports: [...ports],
  }
}

/** `slice` in the place of `old`: an update under its name, which only succeeds while `old` is the newest. */
export function inPlaceOf(old: EndpointSlice, slice: EndpointSlice): EndpointSlice {
  const { name, uid, resourceVersion, creationTimestamp } = old.metadata
  const { generateName, ...metadata } = slice.metadata
  return {
    ...slice,
    metadata: {
      ...metadata,
      name,
      ...(generateName !== undefined && { generateName }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(creationTimestamp !== undefined && { creationTimestamp }),
    },
  }
}

/** The slice or Endpoints object with the trigger time set, or cleared when there is none. */
export function withTriggerTime<T extends KubeObject>(object: T, triggerTime: string | undefined): T {
  const { [triggerTimeAnnotation]: _, ...kept } = object.metadata.annotations ?? {}
  const annotations = triggerTime === undefined ? kept : { ...kept, [triggerTimeAnnotation]: triggerTime }
  return { ...object, metadata: { ...object.metadata, annotations } }
}
