import { ApiError, type Client, type Informer, openDiscovery, type Resource } from '../client/index.ts'
import { CustomResourceDefinitions, type KubeObject, type OwnerReference } from '../objects/index.ts'
import { forEachLimited } from './batch.ts'
import type { Context } from './context.ts'
import {
  decideCollection,
  isOrphaning,
  isWaiting,
  type OwnerState,
  openOwnerGraph,
  type Vertex,
} from './owner-graph.ts'
import type { Queue } from './queue.ts'

/** Following every kind costs dozens of watches; the first seconds belong to what brings pods up. */
const startDelayMs = 500
/** uids that are known to be gone; forgetting one costs a request. */
const maxAbsent = 5000

/** Deletes what has lost its owners, over every kind that the server lists; keeps foreground and orphan deletions' promises. */
export function garbageCollector(context: Context): void {
  const collector = new Collector(context)
  context.onSynced(() => {
    const timer = setTimeout(() => collector.start(), startDelayMs)
    context.onClose(() => clearTimeout(timer))
  })
  context.onClose(() => collector.close())
  context.onClose(context.informer(CustomResourceDefinitions).onChange(() => collector.refreshSoon()))
}

class Collector {
  readonly #context: Context
  readonly #client: Client
  readonly #graph = openOwnerGraph()
  readonly #absent = new Set<string>()
  readonly #informers = new Map<string, Informer<KubeObject>>()
  readonly #queue: Queue
  #discovery
  #refresh: NodeJS.Timeout | undefined
  #started = false
  #closed = false
  /** All kinds have been listed: only then is a missing dependent truly missing. */
  #complete = false

  constructor(context: Context) {
    this.#context = context
    this.#client = context.client
    this.#discovery = openDiscovery(context.client)
    this.#queue = context.queue({ name: 'garbage-collector', workers: 20, work: (uid) => this.#work(uid) })
  }

  start(): void {
    this.#started = true
    this.refreshSoon(0)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#refresh)
    for (const informer of this.#informers.values()) informer.close()
  }

  /** Looks again which kinds there are; a definition is served a moment after it was stored. */
  refreshSoon(ms = 200): void {
    if (!this.#started || this.#closed) return
    clearTimeout(this.#refresh)
    this.#refresh = setTimeout(() => {
      this.#followKinds().catch((error) => {
        this.#context.onTrouble(`garbage-collector: ${(error as Error).message}`)
        this.refreshSoon(5000)
      })
    }, ms)
  }

  async #followKinds(): Promise<void> {
    this.#discovery = openDiscovery(this.#client)
    const resources = (await this.#discovery.all()).filter(({ kind }) => kind !== 'Event')
    if (this.#closed) return
    const served = new Set(resources.map(idOf))
    for (const [id, informer] of this.#informers) {
      if (served.has(id)) continue
      informer.close()
      this.#informers.delete(id)
    }
    const fresh = resources.filter((resource) => !this.#informers.has(idOf(resource)))
    await Promise.all(fresh.map((resource) => this.#follow(resource)))
    this.#complete = true
    for (const informer of this.#informers.values())
      for (const { metadata } of informer.values()) this.#wake(metadata.uid)
  }

  #follow(resource: Resource): Promise<void> {
    const informer = this.#client.informer<KubeObject>(resource)
    this.#informers.set(idOf(resource), informer)
    informer.onChange((old, current) => {
      if (current === undefined) this.#onGone(old?.metadata.uid ?? '')
      else this.#onSeen(this.#graph.set(resource, current))
    })
    return informer.start().catch((error) => {
      if (!this.#closed && this.#informers.has(idOf(resource))) throw error
    })
  }

  #onSeen(vertex: Vertex): void {
    if (!this.#complete) return
    if (vertex.owners.length > 0 || isWaiting(vertex) || isOrphaning(vertex)) this.#queue.add(vertex.uid)
    if (isWaiting(vertex)) for (const { uid } of this.#graph.dependents(vertex.uid)) this.#queue.add(uid)
  }

  #onGone(uid: string): void {
    const owners = this.#graph.get(uid)?.owners ?? []
    this.#graph.remove(uid)
    this.#remember(uid)
    for (const dependent of this.#graph.dependents(uid)) this.#queue.add(dependent.uid)
    // An owner that was deleted in the foreground may have waited for this one.
    for (const owner of owners) this.#wake(owner.uid)
  }

  #wake(uid: string | undefined): void {
    const vertex = uid === undefined ? undefined : this.#graph.get(uid)
    if (vertex !== undefined) this.#onSeen(vertex)
  }

  #remember(uid: string): void {
    this.#absent.add(uid)
    if (this.#absent.size > maxAbsent) this.#absent.delete(this.#absent.values().next().value as string)
  }

  async #work(uid: string): Promise<void> {
    const vertex = this.#graph.get(uid)
    if (vertex === undefined || !this.#complete) return
    if (isOrphaning(vertex)) return this.#orphan(vertex)
    if (isWaiting(vertex)) return this.#awaitDependents(vertex)
    if (vertex.isDeleting || vertex.owners.length === 0) return
    const owners = []
    for (const reference of vertex.owners) owners.push({ reference, state: await this.#stateOf(vertex, reference) })
    const decision = decideCollection(owners, this.#graph.dependents(uid).length > 0)
    switch (decision.kind) {
      case 'keep':
        return
      case 'drop-references':
        return this.#dropReferences(vertex, decision.uids)
      case 'delete':
        return this.#delete(vertex, decision.propagationPolicy)
      default:
        return decision satisfies never
    }
  }

  async #stateOf(dependent: Vertex, reference: OwnerReference): Promise<OwnerState> {
    const known = this.#graph.get(reference.uid)
    // An owner in another namespace is no owner.
    if (known !== undefined && (known.namespace === undefined || known.namespace === dependent.namespace))
      return isWaiting(known) ? 'waiting' : 'solid'
    if (this.#absent.has(reference.uid)) return 'absent'
    const resource = await this.#discovery.find(reference.apiVersion, reference.kind)
    if (resource === undefined)
      throw new Error(
        `${dependent.resource.kind} ${dependent.namespace ?? ''}/${dependent.name}: owner kind ${reference.apiVersion} ${reference.kind} is not served`,
      )
    const live =
      resource.namespaced && dependent.namespace === undefined
        ? undefined
        : await this.#client.find<KubeObject>(resource, dependent.namespace, reference.name)
    if (live?.metadata.uid === reference.uid) return 'solid'
    this.#remember(reference.uid)
    return 'absent'
  }

  /** Foreground: the dependents see to themselves; the owner goes when none is left that blocks it. */
  async #awaitDependents(vertex: Vertex): Promise<void> {
    const blocking = this.#graph
      .dependents(vertex.uid)
      .filter(({ owners }) => owners.some((one) => one.uid === vertex.uid && one.blockOwnerDeletion === true))
    if (blocking.length === 0) await this.#removeFinalizer(vertex, 'foregroundDeletion')
  }

  async #orphan(vertex: Vertex): Promise<void> {
    await forEachLimited(this.#graph.dependents(vertex.uid), 16, (one) => this.#dropReferences(one, [vertex.uid]))
    await this.#removeFinalizer(vertex, 'orphan')
  }

  /** On a fresh read: a merge patch replaces the whole list. */
  async #dropReferences(vertex: Vertex, uids: readonly string[]): Promise<void> {
    await this.#change(vertex, ({ ownerReferences = [] }) => {
      const kept = ownerReferences.filter(({ uid }) => !uids.includes(uid))
      return kept.length === ownerReferences.length ? undefined : { ownerReferences: kept }
    })
  }

  async #removeFinalizer(vertex: Vertex, finalizer: string): Promise<void> {
    await this.#change(vertex, ({ finalizers = [] }) =>
      finalizers.includes(finalizer) ? { finalizers: finalizers.filter((one) => one !== finalizer) } : undefined,
    )
  }

  async #change(
    { resource, namespace, name, uid }: Vertex,
    change: (metadata: KubeObject['metadata']) => Partial<KubeObject['metadata']> | undefined,
  ): Promise<void> {
    const live = await this.#client.find<KubeObject>(resource, namespace, name)
    if (live === undefined || live.metadata.uid !== uid) return
    const changed = change(live.metadata)
    if (changed === undefined) return
    const { resourceVersion } = live.metadata
    const patch = { metadata: { uid, resourceVersion, ...changed } }
    await this.#client.patch(resource, namespace, name, 'merge', patch).catch(ignoreMissing)
  }

  async #delete(vertex: Vertex, propagationPolicy: 'Foreground' | 'Background'): Promise<void> {
    const { resource, namespace, name, uid } = vertex
    // Finalizers that the object brought along say how its own dependents are to be treated.
    const policy = vertex.finalizers.includes('orphan')
      ? 'Orphan'
      : vertex.finalizers.includes('foregroundDeletion')
        ? 'Foreground'
        : propagationPolicy
    await this.#client
      .delete(resource, namespace, name, { propagationPolicy: policy, preconditions: { uid } })
      .catch(ignoreMissing)
  }
}

function idOf({ group, version, plural }: Resource): string {
  return `${group}/${version}/${plural}`
}

/** Gone, or replaced by another of the same name (409 on the uid). */
function ignoreMissing(error: unknown): void {
  if (error instanceof ApiError && error.code === 404) return
  if (error instanceof ApiError && error.code === 409 && /uid/i.test(error.message)) return
  throw error
}
