import type { NodeModule } from '../agent/index.ts'
import type { Client } from '../client/index.ts'
import { type Finding, type ObjectKey, type Snapshot, snapshotOf } from '../cluster/index.ts'
import { type GatewayModel, Gateways } from '../gateways/index.ts'
import { releaseMemory } from '../memory/index.ts'
import type { Service } from '../objects/index.ts'
import { Balancer, type BalancerOptions } from './balancer.ts'
import { ConfigRefused, HaproxyMissing, leftOut, missing, refused } from './check.ts'
import { FlowLog, type HttpFlowsRequest, type HttpFlowsResponse } from './flows.ts'
import { GatewayObjects, type IsRead } from './objects.ts'
import { Refusals } from './refusals.ts'
import { askServer, type ServerRequest, type ServerState } from './server-state.ts'
import { UdpPorts } from './udp-ports.ts'
import { withoutObjects } from './without.ts'

const retryMs = 1000
/** Reading so many backends and hosts leaves garbage that is worth a pause, once. */
const manyThings = 2000
const calmMs = 1000
/** Somebody has to install it first. */
const missingRetryMs = 10_000
/** As many objects are left out, one after another, until HAProxy takes the rest. */
const mostExcluded = 20
/** The same configuration is refused again, unless something beside the objects was wrong. */
const refusedRetryMs = 30_000

/** The gateway of a node as a part of the agent: HAProxy in the node's namespace, as long as an Ingress or a Gateway of ours exists. */
export class GatewaysModule implements NodeModule {
  readonly name = 'gateways'
  readonly #options: GatewaysOptions
  readonly #gateways = new Gateways()
  readonly #objects: GatewayObjects
  readonly #flows: FlowLog
  readonly #udp: UdpPorts
  readonly #balancer: Balancer
  readonly #refusals: Refusals
  #snapshot: Snapshot = snapshotOf([])
  /** As they were last told. */
  readonly #services = new Map<ObjectKey, Service>()
  #model: GatewayModel | undefined
  #stale = true
  /** The last model that HAProxy took, and one that it refuses. */
  #accepted: GatewayModel | undefined
  #refused: GatewayModel | undefined
  #trouble: Finding | undefined
  /** What HAProxy refuses, by object; tried again when anything changes. */
  readonly #excluded = new Map<string, Finding>()
  readonly #told = new Set<string>()
  #queue: Promise<void> = Promise.resolve()
  #waiting = false
  #retry: NodeJS.Timeout | undefined
  #releasing: NodeJS.Timeout | undefined
  #synced = false
  #closed = false

  constructor(options: GatewaysOptions) {
    this.#options = options
    this.#balancer = new Balancer(options, () => this.#wake())
    this.#udp = new UdpPorts(options.host, options.namespace, options.log)
    this.#flows = new FlowLog(`${options.directory}/flows.sock`)
    this.#refusals = new Refusals(options.client, options.nodeName, options.log)
    const isRead: IsRead = (kind, key) => this.#gateways.isRead(kind, key)
    const onChange = (): void => {
      this.#stale = true
      this.#wake()
    }
    this.#objects = new GatewayObjects(options.client, onChange, isRead)
    this.#objects.synced.then(
      () => {
        this.#synced = true
        this.#wake()
      },
      (error: unknown) => options.log.error({ error: String(error) }, 'Ingresses and Gateways cannot be followed'),
    )
  }

  get pid(): number | undefined {
    return this.#balancer.pid
  }

  /** Reloads since the start. */
  get reloads(): number {
    return this.#balancer.reloads
  }

  get findings(): readonly Finding[] {
    return [
      ...(this.#model?.findings ?? []),
      ...this.#excluded.values(),
      ...(this.#trouble === undefined ? [] : [this.#trouble]),
    ]
  }

  /** Returns at once: nobody's packets wait for HAProxy. */
  update(snapshot: Snapshot, _pods: unknown, changes: Parameters<NodeModule['update']>[2]): void {
    const first = this.#snapshot !== snapshot
    this.#snapshot = snapshot
    if (!first && changes.services.size === 0 && changes.slices.size === 0) return
    for (const key of changes.services) {
      // A Service is told of when its slices change, too.
      this.#balancer.note(key)
      const service = snapshot.services.get(key)
      if (this.#services.get(key) !== service || this.#gateways.isRead('slices', key)) this.#stale = true
      if (service === undefined) this.#services.delete(key)
      else this.#services.set(key, service)
    }
    this.#stale ||= first
    this.#wake()
  }

  /** The last requests, for the agent's socket. */
  flows(request: HttpFlowsRequest): HttpFlowsResponse {
    const pods = new Map<string, string>()
    for (const { metadata, endpoints = [], ports = [] } of this.#snapshot.slices.values())
      for (const { addresses, targetRef } of endpoints)
        for (const { port } of ports)
          if (targetRef?.name !== undefined)
            pods.set(`${addresses[0]}:${port}`, `${metadata.namespace}/${targetRef.name}`)
    return this.#flows.answer(request, (server) => pods.get(server))
  }

  /** What HAProxy says of one server, for the agent's socket. */
  server(request: ServerRequest): Promise<ServerState> {
    const backend = this.#balancer.nameOf(request.backend)
    return askServer(`${this.#options.directory}/runtime.sock`, { ...request, backend })
  }

  /** Resolves when what was told so far serves, or was refused. */
  async settled(): Promise<void> {
    while (this.#waiting) await this.#queue
    await this.#queue
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    clearTimeout(this.#releasing)
    this.#objects.stop()
    this.#refusals.close()
    await this.#queue
    await this.#balancer.stop(this.#options.drainMs)
    this.#flows.close()
    this.#udp.close()
  }

  #wake(): void {
    if (this.#waiting || !this.#synced || this.#closed) return
    this.#waiting = true
    this.#queue = this.#queue.then(async () => {
      this.#waiting = false
      if (this.#closed) return
      try {
        await this.#apply()
        this.#refusals.update([...this.#excluded.values()], (object) => this.#objects.find(object))
      } catch (error) {
        // The last good state goes on serving.
        if (error instanceof HaproxyMissing) this.#tell(missing(error))
        else this.#options.log.error({ error: String(error) }, 'the gateway could not be changed')
        this.#retryIn(error instanceof HaproxyMissing ? missingRetryMs : retryMs)
      }
    })
  }

  #retryIn(ms: number): void {
    if (this.#closed) return
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#stale = true
      this.#wake()
    }, ms)
  }

  /** Keeps a finding until the gateway is as the objects want it; one that is known is not logged again. */
  #tell(trouble: Finding): void {
    if (trouble.says !== this.#trouble?.says)
      this.#options.log.error({ code: trouble.code, try: trouble.try }, trouble.says)
    this.#trouble = trouble
  }

  async #apply(): Promise<void> {
    const model = this.#compile()
    this.#udp.update(model, this.#snapshot)
    if (!model.wanted) {
      await this.#balancer.stop(this.#options.drainMs)
      this.#settle(undefined)
      return
    }
    await this.#flows.start()
    if (model !== this.#refused) {
      try {
        await this.#balancer.become(model, this.#snapshot)
        this.#settle(model)
        this.#release(model)
        if (this.#excluded.size > 0) this.#retryIn(refusedRetryMs)
        else this.#told.clear()
        return
      } catch (error) {
        if (!(error instanceof ConfigRefused)) throw error
        if (this.#exclude(error)) return this.#apply()
        this.#refused = model
        this.#tell(refused(error, this.#accepted !== undefined))
        this.#retryIn(refusedRetryMs)
      }
    }
    // What was taken before goes on, and follows its pods.
    if (this.#accepted !== undefined) await this.#balancer.become(this.#accepted, this.#snapshot)
  }

  /** Answers whether there is something to be left out. */
  #exclude(error: ConfigRefused): boolean {
    const { object } = error
    if (object === undefined || this.#excluded.has(object) || this.#excluded.size >= mostExcluded) return false
    const finding = leftOut(error)
    this.#excluded.set(object, finding)
    if (!this.#told.has(finding.says)) this.#options.log.error({ code: finding.code, try: finding.try }, finding.says)
    this.#told.add(finding.says)
    this.#model = undefined
    return true
  }

  /** What reading everything for the first time left behind is given back. */
  #release({ backends, entrances }: GatewayModel): void {
    const things = entrances.reduce((sum, { tiers }) => sum + tiers.length, backends.length)
    if (things >= manyThings) this.#releasing ??= setTimeout(releaseMemory, calmMs).unref()
  }

  #settle(accepted: GatewayModel | undefined): void {
    clearTimeout(this.#retry)
    this.#accepted = accepted
    this.#refused = undefined
    this.#trouble = undefined
  }

  #compile(): GatewayModel {
    if (this.#model !== undefined && !this.#stale) return this.#model
    if (this.#stale) this.#excluded.clear()
    this.#stale = false
    const sources = this.#objects.sources(this.#snapshot)
    this.#model = this.#gateways.compile(withoutObjects(sources, new Set(this.#excluded.keys())))
    return this.#model
  }
}

export interface GatewaysOptions extends BalancerOptions {
  readonly client: Client
  readonly nodeName: string
}
