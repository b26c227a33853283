import { ApiError } from '../client/index.ts'
import { type Deployment, Deployments, type Pod, type ReplicaSet, ReplicaSets } from '../objects/index.ts'
import { claim } from './claim.ts'
import type { Context } from './context.ts'
import {
  currentSize,
  expiredHistory,
  isScaling,
  newReplicaSet,
  nextRevision,
  type Resize,
  replicaSetAnnotations,
  revisionAnnotation,
  scaleProportionally,
  shrinkOld,
  sizeAnnotations,
  sizeOf,
  splitReplicaSets,
} from './deployment-plan.ts'
import { deploymentStatus, isComplete, type RolloutNews } from './deployment-status.ts'
import type { ObjectIndex } from './object-index.ts'
import { findController } from './owner.ts'
import { hasEnded } from './pod-state.ts'
import { isTerminating } from './pod-writes.ts'
import { writeStatus } from './status-write.ts'
import { sameTemplate } from './template-hash.ts'
import { candidatesFor } from './workload.ts'

const component = 'deployment-controller'

/** What every rollout needs. */
export interface RolloutParts {
  readonly context: Context
  readonly podIndex: ObjectIndex<Pod>
  readonly setIndex: ObjectIndex<ReplicaSet>
}

/** One look at one Deployment: what its ReplicaSets are, and what they should be next. */
export class Rollout {
  readonly #parts: RolloutParts
  readonly #context: Context
  #deployment: Deployment
  #current: ReplicaSet | undefined
  #old: readonly ReplicaSet[] = []
  #news: RolloutNews

  constructor(parts: RolloutParts, deployment: Deployment) {
    this.#parts = parts
    this.#context = parts.context
    this.#deployment = deployment
  }

  async sync(): Promise<number | undefined> {
    const { spec, metadata } = this.#deployment
    const candidates = candidatesFor(this.#parts.setIndex, this.#deployment, spec.selector)
    const owner = { object: this.#deployment, resource: Deployments, selector: spec.selector }
    const owned = await claim(this.#context.client, owner, ReplicaSets, candidates)
    const { current, old } = splitReplicaSets(this.#deployment, owned)
    this.#current = current
    this.#old = old
    if (metadata.deletionTimestamp === undefined) await this.#advance()
    return this.#writeStatus()
  }

  async #advance(): Promise<void> {
    const { spec } = this.#deployment
    const active = [...this.#old, ...(this.#current ? [this.#current] : [])].filter((one) => sizeOf(one) > 0)
    if (spec.paused || isScaling(this.#deployment, active)) {
      if (this.#current !== undefined) await this.#syncRevision(this.#current)
      await this.#rescale()
      return
    }
    if (spec.strategy?.type === 'Recreate') await this.#recreate()
    else await this.#roll()
    const { status } = deploymentStatus(this.#deployment, this.#current, this.#old, undefined, this.#context.now())
    if (isComplete(this.#deployment, status)) await this.#cleanUp()
  }

  async #roll(): Promise<void> {
    const current = await this.#ensureCurrent()
    if (current === undefined) return
    const all = [...this.#old, current]
    const size = this.#currentSize(all, current)
    if (size !== sizeOf(current)) {
      this.#current = await this.#resize({ replicaSet: current, replicas: size })
      return
    }
    for (const resize of shrinkOld(this.#deployment, this.#old, current)) await this.#resize(resize)
  }

  async #recreate(): Promise<void> {
    const running = this.#old.filter((one) => sizeOf(one) > 0)
    for (const replicaSet of running) await this.#resize({ replicaSet, replicas: 0 })
    if (running.length > 0 || this.#old.some((one) => this.#hasPods(one))) return
    const current = await this.#ensureCurrent()
    const replicas = this.#deployment.spec.replicas ?? 1
    if (current !== undefined && sizeOf(current) !== replicas)
      this.#current = await this.#resize({ replicaSet: current, replicas })
  }

  #hasPods(replicaSet: ReplicaSet): boolean {
    return this.#parts.podIndex.find(replicaSet.metadata.uid ?? '').some((pod) => !hasEnded(pod))
  }

  /** The size of the current set may also shrink: someone scaled it by hand. */
  #currentSize(all: readonly ReplicaSet[], current: ReplicaSet): number {
    const replicas = this.#deployment.spec.replicas ?? 1
    return sizeOf(current) > replicas ? replicas : currentSize(this.#deployment, all, current)
  }

  /** A change of size alone: no new ReplicaSet is made. */
  async #rescale(): Promise<void> {
    const replicas = this.#deployment.spec.replicas ?? 1
    const all = [...this.#old, ...(this.#current ? [this.#current] : [])]
    const active = all.filter((one) => sizeOf(one) > 0)
    const only = active.length === 1 ? active[0] : active.length === 0 ? (this.#current ?? all.at(-1)) : undefined
    if (only !== undefined) {
      await this.#store(await this.#resize({ replicaSet: only, replicas }, true))
      return
    }
    const current = this.#current
    if (current !== undefined && isSaturated(this.#deployment, current)) {
      for (const replicaSet of this.#old.filter((one) => sizeOf(one) > 0))
        await this.#resize({ replicaSet, replicas: 0 }, true)
      return
    }
    if (this.#deployment.spec.strategy?.type === 'Recreate') return
    for (const resize of scaleProportionally(this.#deployment, all)) await this.#store(await this.#resize(resize, true))
  }

  #store(changed: ReplicaSet): void {
    if (changed.metadata.uid === this.#current?.metadata.uid) this.#current = changed
  }

  /** The ReplicaSet of the current template, made when there is none; undefined when the name is to be chosen anew. */
  async #ensureCurrent(): Promise<ReplicaSet | undefined> {
    if (this.#current !== undefined) {
      this.#news = 'found'
      this.#current = await this.#syncRevision(this.#current)
      return this.#current
    }
    const wanted = newReplicaSet(this.#deployment, this.#old)
    try {
      this.#current = await this.#context.client.create<ReplicaSet>(ReplicaSets, wanted)
    } catch (error) {
      if (isTerminating(error)) return undefined
      if (!(error instanceof ApiError && error.reason === 'AlreadyExists')) throw error
      return this.#takeExisting(wanted)
    }
    this.#news = 'created'
    const { name } = this.#current.metadata
    this.#record('ScalingReplicaSet', `Scaled up replica set ${name} from 0 to ${sizeOf(this.#current)}`)
    await this.#setOwnRevision(this.#current)
    return this.#current
  }

  /** The name is taken: by our own that the cache has not shown yet, or by another template with the same hash. */
  async #takeExisting(wanted: ReplicaSet): Promise<ReplicaSet | undefined> {
    const { namespace, name } = wanted.metadata
    const existing = await this.#context.client.get<ReplicaSet>(ReplicaSets, namespace, name)
    const ours = findController(existing)?.uid === this.#deployment.metadata.uid
    if (ours && sameTemplate(existing.spec.template, this.#deployment.spec.template)) {
      this.#current = existing
      return existing
    }
    const collisionCount = (this.#deployment.status?.collisionCount ?? 0) + 1
    await writeStatus(this.#context, Deployments, this.#deployment, { collisionCount })
    throw new Error(`ReplicaSet ${namespace}/${name} has another template; choosing another name`)
  }

  /** Puts revision, size and copied annotations on the current ReplicaSet, and its revision on the Deployment. */
  async #syncRevision(replicaSet: ReplicaSet): Promise<ReplicaSet> {
    const known = replicaSet.metadata.annotations ?? {}
    const revision = Math.max(nextRevision(this.#old), Number(known[revisionAnnotation]) || 0)
    const wanted = replicaSetAnnotations(this.#deployment, known, revision)
    const changed = Object.fromEntries(Object.entries(wanted).filter(([key, value]) => known[key] !== value))
    const { minReadySeconds } = this.#deployment.spec
    const sameSeconds = (minReadySeconds ?? 0) === (replicaSet.spec.minReadySeconds ?? 0)
    let result = replicaSet
    if (Object.keys(changed).length > 0 || !sameSeconds) {
      const spec = sameSeconds ? {} : { spec: { minReadySeconds: minReadySeconds ?? 0 } }
      result = await this.#patch(replicaSet, { metadata: { annotations: changed }, ...spec })
    }
    await this.#setOwnRevision(result)
    return result
  }

  async #setOwnRevision(replicaSet: ReplicaSet): Promise<void> {
    const revision = replicaSet.metadata.annotations?.[revisionAnnotation]
    const { namespace, name, annotations } = this.#deployment.metadata
    if (revision === undefined || annotations?.[revisionAnnotation] === revision) return
    const patch = { metadata: { annotations: { [revisionAnnotation]: revision } } }
    this.#deployment = await this.#context.client.patch(Deployments, namespace, name, 'merge', patch)
  }

  async #resize({ replicaSet, replicas }: Resize, always = false): Promise<ReplicaSet> {
    const from = sizeOf(replicaSet)
    const annotations = sizeAnnotations(this.#deployment)
    const known = replicaSet.metadata.annotations ?? {}
    const sameAnnotations = Object.entries(annotations).every(([key, value]) => known[key] === value)
    if (from === replicas && (!always || sameAnnotations)) return replicaSet
    const changed = await this.#patch(replicaSet, { metadata: { annotations }, spec: { replicas } })
    const direction = replicas > from ? 'up' : 'down'
    if (from !== replicas)
      this.#record(
        'ScalingReplicaSet',
        `Scaled ${direction} replica set ${replicaSet.metadata.name} from ${from} to ${replicas}`,
      )
    return changed
  }

  /** With the resourceVersion that the decision was made on: a stale cache must lose, not scale twice. */
  #patch(replicaSet: ReplicaSet, patch: { metadata?: object; spec?: object }): Promise<ReplicaSet> {
    const { namespace, name, resourceVersion } = replicaSet.metadata
    const body = { ...patch, metadata: { ...patch.metadata, resourceVersion } }
    return this.#context.client.patch<ReplicaSet>(ReplicaSets, namespace, name, 'merge', body)
  }

  async #cleanUp(): Promise<void> {
    for (const { metadata } of expiredHistory(this.#deployment, this.#old))
      await this.#context.client
        .delete(ReplicaSets, metadata.namespace, metadata.name, { propagationPolicy: 'Background' })
        .catch((error) => {
          if (!(error instanceof ApiError && error.code === 404)) throw error
        })
  }

  async #writeStatus(): Promise<number | undefined> {
    const now = this.#context.now()
    const { status, nextInMs } = deploymentStatus(this.#deployment, this.#current, this.#old, this.#news, now)
    await writeStatus(this.#context, Deployments, this.#deployment, status)
    return nextInMs
  }

  #record(reason: string, message: string): void {
    this.#context.events.record(this.#deployment, 'Normal', reason, message, component)
  }
}

/** The current ReplicaSet alone has all replicas that are asked for, and they are available. */
function isSaturated(deployment: Deployment, replicaSet: ReplicaSet): boolean {
  const replicas = deployment.spec.replicas ?? 1
  return (
    sizeOf(replicaSet) === replicas &&
    Number(replicaSet.metadata.annotations?.['deployment.kubernetes.io/desired-replicas']) === replicas &&
    replicaSet.status?.availableReplicas === replicas
  )
}
