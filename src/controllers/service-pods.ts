import type { ObjectKey } from '../cluster/index.ts'
import { PodIndex, SelectorIndex } from '../endpoints/index.ts'
import { type Pod, Pods, type Service, Services } from '../objects/index.ts'
import type { Context } from './context.ts'

/** What the endpoint controllers share: which Services select which pods, followed once. */
export interface ServicePods {
  readonly pods: PodIndex
  servicesOf(pod: Pod): ObjectKey[]
  onService(callback: (key: ObjectKey, service: Service | undefined) => void): void
  /** `services` are those that selected the pod before or select it now; `selected` tells which do now. */
  onPod(
    callback: (
      key: ObjectKey,
      pod: Pod | undefined,
      services: readonly ObjectKey[],
      selected: ReadonlySet<ObjectKey>,
    ) => void,
  ): void
}

const shared = new WeakMap<Context, ServicePods>()

/** The one of this context. */
export function servicePods(context: Context): ServicePods {
  const known = shared.get(context) ?? openServicePods(context)
  shared.set(context, known)
  return known
}

function openServicePods(context: Context): ServicePods {
  const selectors = new SelectorIndex()
  const pods = new PodIndex()
  const onService: Parameters<ServicePods['onService']>[0][] = []
  const onPod: Parameters<ServicePods['onPod']>[0][] = []
  context.onClose(
    context.informer<Service>(Services).onChange((_, service, key) => {
      selectors.set(key, service)
      for (const callback of onService) callback(key, service)
    }),
  )
  context.onClose(
    context.informer<Pod>(Pods).onChange((old, pod, key) => {
      pods.set(key, pod)
      const selected = new Set(pod === undefined ? [] : selectors.servicesOf(pod))
      const services = [...new Set([...(old === undefined ? [] : selectors.servicesOf(old)), ...selected])]
      for (const callback of onPod) callback(key, pod, services, selected)
    }),
  )
  return {
    pods,
    servicesOf: (pod) => selectors.servicesOf(pod),
    onService: (callback) => void onService.push(callback),
    onPod: (callback) => void onPod.push(callback),
  }
}
