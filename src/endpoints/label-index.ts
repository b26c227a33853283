import { type MapSelector, matches, type ObjectKey } from '../cluster/index.ts'
import type { Pod, Service } from '../objects/index.ts'
import { hasSelectedEndpoints } from './address-types.ts'

/** Which Services select a Pod, found by the Pod's own labels: never a walk over all Services. */
export class SelectorIndex {
  readonly #servicesByPair = new Map<string, Map<ObjectKey, MapSelector>>()
  readonly #pairByService = new Map<ObjectKey, string>()

  set(key: ObjectKey, service: Service | undefined): void {
    const old = this.#pairByService.get(key)
    if (old !== undefined) {
      const services = this.#servicesByPair.get(old)
      services?.delete(key)
      if (services?.size === 0) this.#servicesByPair.delete(old)
      this.#pairByService.delete(key)
    }
    if (service === undefined || !hasSelectedEndpoints(service)) return
    const selector = service.spec.selector!
    const pair = this.#rarestPair(service.metadata.namespace ?? '', selector)
    const services = this.#servicesByPair.get(pair)
    if (services === undefined) this.#servicesByPair.set(pair, new Map([[key, selector]]))
    else services.set(key, selector)
    this.#pairByService.set(key, pair)
  }

  /** The keys of the Services that select the Pod. */
  servicesOf(pod: Pod): ObjectKey[] {
    const { namespace = '', labels } = pod.metadata
    const found: ObjectKey[] = []
    for (const [key, value] of Object.entries(labels ?? {})) {
      for (const [service, selector] of this.#servicesByPair.get(pairKey(namespace, key, value)) ?? [])
        if (matches(selector, labels)) found.push(service)
    }
    return found
  }

  /** A Service stands under one pair alone, the one that fewest others stand under: `app=web` rather than `tier=prod`. */
  #rarestPair(namespace: string, selector: MapSelector): string {
    const pairs = Object.entries(selector).map(([key, value]) => pairKey(namespace, key, value))
    const load = (pair: string) => this.#servicesByPair.get(pair)?.size ?? 0
    return pairs.reduce((best, pair) => (load(pair) < load(best) ? pair : best))
  }
}

/** Pods by label pair: which Pods a selector selects, without a walk over the namespace. */
export class PodIndex {
  readonly #pods = new Map<ObjectKey, Pod>()
  readonly #podsByPair = new Map<string, Set<ObjectKey>>()

  set(key: ObjectKey, pod: Pod | undefined): void {
    const old = this.#pods.get(key)
    if (pod === undefined) this.#pods.delete(key)
    else this.#pods.set(key, pod)
    // Most changes of a Pod leave its labels alone.
    if (old !== undefined && pod !== undefined && sameLabels(old, pod)) return
    for (const pair of pairsOf(old)) {
      const pods = this.#podsByPair.get(pair)
      pods?.delete(key)
      if (pods?.size === 0) this.#podsByPair.delete(pair)
    }
    for (const pair of pairsOf(pod)) {
      const pods = this.#podsByPair.get(pair)
      if (pods === undefined) this.#podsByPair.set(pair, new Set([key]))
      else pods.add(key)
    }
  }

  get(key: ObjectKey): Pod | undefined {
    return this.#pods.get(key)
  }

  /** The Pods that the Service selects, with their keys. */
  *selectedBy(service: Service): Iterable<readonly [ObjectKey, Pod]> {
    if (!hasSelectedEndpoints(service)) return
    const { namespace = '' } = service.metadata
    const selector = service.spec.selector!
    const sets = Object.entries(selector).map(([key, value]) => this.#podsByPair.get(pairKey(namespace, key, value)))
    const smallest = sets.reduce((best, set) => ((set?.size ?? 0) < (best?.size ?? 0) ? set : best))
    for (const key of smallest ?? []) {
      const pod = this.#pods.get(key)
      if (pod !== undefined && matches(selector, pod.metadata.labels)) yield [key, pod]
    }
  }
}

function pairsOf(pod: Pod | undefined): string[] {
  const { namespace = '', labels } = pod?.metadata ?? {}
  return Object.entries(labels ?? {}).map(([key, value]) => pairKey(namespace, key, value))
}

function sameLabels(a: Pod, b: Pod): boolean {
  if (a.metadata.namespace !== b.metadata.namespace) return false
  const labels = a.metadata.labels ?? {}
  const keys = Object.keys(labels)
  const others = b.metadata.labels ?? {}
  return keys.length === Object.keys(others).length && keys.every((key) => labels[key] === others[key])
}

/** Label keys and values hold no spaces, and neither do namespaces. */
function pairKey(namespace: string, key: string, value: string): string {
  return `${namespace} ${key} ${value}`
}
