import { ApiError, type Discovery, openDiscovery, type Resource } from '../client/index.ts'
import {
  type Condition,
  CustomResourceDefinitions,
  type KubeObject,
  type Namespace,
  Namespaces,
  type Pod,
  Pods,
} from '../objects/index.ts'
import { forEachLimited } from './batch.ts'
import type { Context } from './context.ts'
import { namespaceConditions, type Remains } from './namespace-conditions.ts'
import { canonical } from './template-hash.ts'

const pageSize = 500
const firstWaitMs = 50
const lastWaitMs = 5_000

/** Empties namespaces that are being deleted, kind by kind, and lets them go when nothing is left. */
export function namespaceController(context: Context): void {
  const namespaces = context.informer<Namespace>(Namespaces)
  const pods = context.informer<Pod>(Pods)
  let discovery: Discovery = openDiscovery(context.client)
  let resources: Promise<Resource[]> | undefined
  const waits = new Map<string, number>()
  const queue = context.queue({
    name: 'namespace',
    async work(name) {
      const namespace = namespaces.get(name)
      if (namespace === undefined) return void waits.delete(name)
      const finalizers = namespace.spec?.finalizers ?? []
      if (namespace.metadata.deletionTimestamp === undefined || !finalizers.includes('kubernetes')) return
      resources ??= discovery.all().then((all) => all.filter(({ namespaced }) => namespaced))
      const all = await resources.catch((error) => {
        resources = undefined
        throw error
      })
      // What the first pass deletes without a grace period is gone in the second.
      if ((await empty(context, all, name)).length > 0) {
        const remains = await empty(context, all, name)
        if (remains.length > 0) {
          await report(context, namespace, remains)
          const waitMs = waits.get(name) ?? firstWaitMs
          waits.set(name, Math.min(lastWaitMs, waitMs * 2))
          return queue.addAfter(name, waitMs)
        }
      }
      await finalize(context, name)
      waits.delete(name)
    },
  })
  context.onClose(
    namespaces.onChange((_, namespace, key) => (namespace === undefined ? waits.delete(key) : queue.add(key))),
  )
  // Pods are what mostly holds a namespace: the end of one is worth a look at once.
  context.onClose(
    pods.onChange((old, pod) => {
      const name = old?.metadata.namespace ?? ''
      if (pod === undefined && namespaces.get(name)?.metadata.deletionTimestamp !== undefined) queue.add(name)
    }),
  )
  context.onClose(
    context.informer(CustomResourceDefinitions).onChange(() => {
      resources = undefined
      discovery = openDiscovery(context.client)
    }),
  )
}

/** Deletes everything in the namespace; answers what was there. */
async function empty(context: Context, resources: readonly Resource[], namespace: string): Promise<Remains[]> {
  const remains: Remains[] = []
  await forEachLimited(resources, 8, async (resource) => {
    let token: string | undefined
    const finalizers: string[] = []
    let count = 0
    do {
      const page: { items: KubeObject[]; metadata: { continue?: string } } = await context.client
        .list<KubeObject>(resource, { namespace, limit: pageSize, ...(token && { continue: token }) })
        .catch(ignoreMissing)
      count += page.items.length
      finalizers.push(...page.items.flatMap(({ metadata }) => metadata.finalizers ?? []))
      const alive = page.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      await forEachLimited(alive, 8, ({ metadata: { name, uid } }) =>
        context.client
          .delete(resource, namespace, name, {
            propagationPolicy: 'Background',
            ...(uid && { preconditions: { uid } }),
          })
          .catch((error) => {
            if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error
          }),
      )
      token = page.metadata.continue || undefined
    } while (token !== undefined)
    if (count > 0) remains.push({ resource, count, finalizers })
  })
  return remains
}

/** A custom kind whose definition has just gone has nothing to delete; 405 is a kind that cannot be listed after all. */
function ignoreMissing(error: unknown): { items: never[]; metadata: Record<string, never> } {
  if (error instanceof ApiError && (error.code === 404 || error.code === 405)) return { items: [], metadata: {} }
  throw error
}

async function report(context: Context, namespace: Namespace, remains: readonly Remains[]): Promise<void> {
  const conditions: Condition[] = namespaceConditions(namespace.status?.conditions, remains, context.now())
  if (canonical(conditions) === canonical(namespace.status?.conditions)) return
  const status = { ...namespace.status, conditions }
  await context.client.update(Namespaces, { ...namespace, status }, { subresource: 'status' }).catch((error) => {
    if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error
  })
}

async function finalize(context: Context, name: string): Promise<void> {
  const fresh = await context.client.find<Namespace>(Namespaces, undefined, name)
  if (fresh === undefined || fresh.metadata.deletionTimestamp === undefined) return
  const finalizers = (fresh.spec?.finalizers ?? []).filter((finalizer) => finalizer !== 'kubernetes')
  const wanted = { ...fresh, spec: { ...fresh.spec, finalizers } }
  await context.client.update(Namespaces, wanted, { subresource: 'finalize' }).catch((error) => {
    if (!(error instanceof ApiError && error.code === 404)) throw error
  })
}
