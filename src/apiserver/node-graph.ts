import type { Container, Pod } from '../objects/index.ts'
import type { StoreEvent } from './entry.ts'
import type { Store } from './store.ts'

const pods = '/pods'

/**
 * Which nodes have to do with which objects: a pod, and what it refers to, belongs to the node that it is bound to. Built when a node
 * first asks, and kept from then on.
 */
export class NodeGraph {
  readonly #store: Store
  /** `secrets ns/name` → node → how many of its pods refer to it. */
  readonly #nodes = new Map<string, Map<string, number>>()
  #built = false

  constructor(store: Store) {
    this.#store = store
  }

  /** Whether a pod of the node is, or refers to, the object. */
  relates(node: string, resource: string, namespace: string, name: string): boolean {
    this.#build()
    return this.#nodes.get(`${resource} ${namespace}/${name}`)?.has(node) ?? false
  }

  #build(): void {
    if (this.#built) return
    this.#built = true
    for (const { value } of this.#store.collection(pods).range('')) this.#count(value as Pod, 1)
    this.#store.subscribe(pods, (events) => {
      for (const event of events) this.#follow(event)
    })
  }

  #follow({ type, entry, previous }: StoreEvent): void {
    if (previous !== undefined) this.#count(previous.value as Pod, -1)
    if (type !== 'DELETED') this.#count(entry.value as Pod, 1)
  }

  #count(pod: Pod, by: 1 | -1): void {
    const node = pod.spec?.nodeName
    if (!node) return
    for (const target of new Set(targetsOf(pod))) {
      const counts = this.#nodes.get(target) ?? new Map<string, number>()
      const count = (counts.get(node) ?? 0) + by
      if (count > 0) counts.set(node, count)
      else counts.delete(node)
      if (counts.size > 0) this.#nodes.set(target, counts)
      else this.#nodes.delete(target)
    }
  }
}

/** What a pod refers to, each as `resource namespace/name`; the pod itself too. */
function targetsOf({ metadata, spec }: Pod): string[] {
  const { secrets, configMaps, claims } = referencesOf(spec)
  const at = (resource: string) => (name: string) => `${resource} ${metadata.namespace}/${name}`
  return [
    at('pods')(metadata.name),
    ...(spec.serviceAccountName ? [at('serviceaccounts')(spec.serviceAccountName)] : []),
    ...secrets.map(at('secrets')),
    ...configMaps.map(at('configmaps')),
    ...claims.map(at('persistentvolumeclaims')),
  ]
}

interface Named {
  readonly name?: string
}
interface Source {
  readonly secret?: Named & { readonly secretName?: string }
  readonly configMap?: Named
}
interface Referring {
  readonly imagePullSecrets?: readonly Named[]
  readonly volumes?: readonly (Source & {
    readonly projected?: { readonly sources?: readonly Source[] }
    readonly persistentVolumeClaim?: { readonly claimName?: string }
  })[]
}

/** The names of objects that a pod cannot run without. */
export function referencesOf(spec: Pod['spec']): {
  readonly secrets: readonly string[]
  readonly configMaps: readonly string[]
  readonly claims: readonly string[]
} {
  const { imagePullSecrets = [], volumes = [] } = spec as Referring
  const sources: readonly Source[] = volumes.flatMap((volume) => [volume, ...(volume.projected?.sources ?? [])])
  const containers: readonly Container[] = [
    ...(spec.initContainers ?? []),
    ...(spec.containers ?? []),
    ...((spec.ephemeralContainers ?? []) as readonly Container[]),
  ]
  const values = containers.flatMap(({ env = [] }) => env.map((item) => item.valueFrom))
  const whole = containers.flatMap(({ envFrom = [] }) => envFrom)
  const names = (found: readonly (string | undefined)[]) => found.filter((name) => name !== undefined && name !== '')
  return {
    secrets: names([
      ...imagePullSecrets.map(({ name }) => name),
      ...sources.map(({ secret }) => secret?.secretName ?? secret?.name),
      ...values.map((value) => value?.secretKeyRef?.name),
      ...whole.map(({ secretRef }) => secretRef?.name),
    ]) as string[],
    configMaps: names([
      ...sources.map(({ configMap }) => configMap?.name),
      ...values.map((value) => value?.configMapKeyRef?.name),
      ...whole.map(({ configMapRef }) => configMapRef?.name),
    ]) as string[],
    claims: names(volumes.map(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName)) as string[],
  }
}
