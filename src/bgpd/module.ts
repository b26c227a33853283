import { join } from 'node:path'
import type { Log, NodeModule } from '../agent/index.ts'
import { BgpCompiler, type BgpModel, lowerBgp } from '../bgp/index.ts'
import { type BirdSession, renderBird } from '../bird/index.ts'
import type { Client } from '../client/index.ts'
import { type Finding, type ObjectKey, type OwnershipSource, type Snapshot, snapshotOf } from '../cluster/index.ts'
import type { Namespace } from '../host/index.ts'
import type { Node } from '../objects/index.ts'
import { HeldAddresses } from './held-addresses.ts'
import { renderSessionMetrics } from './metrics.ts'
import { BgpObjects } from './objects.ts'
import { BirdMissing, BirdProcess, BirdRefused } from './process.ts'
import { ServiceStatus } from './service-status.ts'
import { establishedOf, SessionStatus } from './session-status.ts'

export interface BgpOptions {
  readonly client: Client
  readonly namespace: Namespace
  readonly nodeName: string
  /** For BIRD's configuration and control socket. */
  readonly directory: string
  readonly log: Log
  /** Who holds which egress address; none is told unless given. */
  readonly ownership?: OwnershipSource
  /** How often sessions are looked at, in milliseconds; every second unless told. */
  readonly pollMs?: number
}

/** Somebody has to install it, or to correct an object, first. */
const troubleRetryMs = 10_000
const noPeers: BgpModel['peers'] = []

/** The BGP speaker of a node as a part of the agent: BIRD in the node's namespace, as long as a BGPPeer is for this node. */
export class BgpModule implements NodeModule {
  readonly name = 'bgp'
  readonly #options: BgpOptions
  readonly #objects: BgpObjects
  readonly #bird: BirdProcess
  readonly #status: SessionStatus
  readonly #services: ServiceStatus
  readonly #held: HeldAddresses
  readonly #compiler = new BgpCompiler()
  #snapshot: Snapshot = snapshotOf([])
  #model: BgpModel | undefined
  /** Services that have changed since they were compiled; undefined for everything. */
  #changed: Set<ObjectKey> | undefined
  #lingering: NodeJS.Timeout | undefined
  readonly #stopFollowing: (() => void) | undefined
  #trouble: Finding | undefined
  #sessions: readonly BirdSession[] = []
  #runs = false
  #closed = false
  #waiting = false
  #queue: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  constructor(options: BgpOptions) {
    this.#options = options
    this.#held = new HeldAddresses(options.nodeName, options.ownership)
    this.#stopFollowing = options.ownership?.onChange(() => {
      if (this.#objects.hasPeers) this.#wake()
    })
    this.#objects = new BgpObjects(options.client, () => this.#renew())
    const directory = join(options.directory, 'bird')
    this.#bird = new BirdProcess(options.namespace, directory, options.log, () => this.#renew())
    this.#status = new SessionStatus(options.client, options.nodeName)
    this.#services = new ServiceStatus(options.client, options.nodeName, options.log)
    this.#objects.synced.then(
      () => this.#wake(),
      (error: unknown) => options.log.error({ error: String(error) }, 'BGPPeers cannot be followed'),
    )
  }

  get findings(): readonly Finding[] {
    return [...(this.#model?.findings ?? []), ...(this.#trouble === undefined ? [] : [this.#trouble])]
  }

  /** BIRD's process, for those who want to harm it. */
  get pid(): number | undefined {
    return this.#bird.pid
  }

  /** What peers have been told, in the exposition format. */
  get metrics(): string {
    return renderSessionMetrics(this.#sessions)
  }

  update(snapshot: Snapshot, _pods: unknown, changes: Parameters<NodeModule['update']>[2]): void {
    const isFirst = this.#snapshot !== snapshot
    this.#snapshot = snapshot
    // Of Nodes its own alone matters.
    if (isFirst || changes.nodes.has(this.#options.nodeName)) this.#changed = undefined
    for (const key of changes.services) this.#changed?.add(key)
    if (isFirst || changes.egresses.size > 0) this.#held.setEgresses(snapshot)
    const isTouched = this.#changed === undefined || this.#changed.size > 0 || changes.egresses.size > 0
    if (isFirst || (isTouched && this.#objects.hasPeers)) this.#wake()
  }

  /** Resolves when what was told so far is BIRD's configuration, or was refused. */
  async settled(): Promise<void> {
    while (this.#waiting) await this.#queue
    await this.#queue
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#lingering)
    this.#stopFollowing?.()
    this.#objects.close()
    await this.#queue
    await this.#bird.stop(this.#model?.peers.some(({ gracefulRestart }) => gracefulRestart) === true)
    await this.#services.close()
  }

  /** Everything is compiled anew, and told to BIRD. */
  #renew(): void {
    this.#changed = undefined
    this.#wake()
  }

  #wake(): void {
    if (this.#waiting || this.#closed) return
    this.#waiting = true
    this.#queue = this.#queue.then(async () => {
      await this.#objects.synced.catch(() => undefined)
      this.#waiting = false
      if (this.#closed) return
      try {
        await this.#apply()
        this.#trouble = undefined
      } catch (error) {
        this.#trouble = troubleOf(this.#options.nodeName, error)
        this.#options.log.error({ error: String(error) }, 'BGP could not be changed')
      }
      this.#schedule()
    })
  }

  async #apply(): Promise<void> {
    const node = this.#snapshot.nodes.get(this.#options.nodeName)
    if (node === undefined) return
    const changed = this.#changed
    this.#changed = new Set()
    const model = this.#compile(node, changed)
    if (model === undefined && this.#trouble === undefined) return
    this.#model = model ?? this.#model
    const config = this.#model && lowerBgp(this.#model)
    try {
      if (config !== undefined) await this.#bird.configure(renderBird(config))
      else if (this.#runs) await this.#bird.stop(false)
    } catch (error) {
      this.#changed = undefined
      throw error
    }
    this.#runs = config !== undefined
  }

  /** Undefined when peers are told what they were. */
  #compile(node: Node, changed: ReadonlySet<ObjectKey> | undefined): BgpModel | undefined {
    const { held, again } = this.#held.look()
    clearTimeout(this.#lingering)
    if (again !== undefined) this.#lingering = setTimeout(() => this.#wake(), again)
    const input = this.#objects.input(this.#snapshot, node, held)
    return changed === undefined ? this.#compiler.compile(input) : this.#compiler.change(input, changed)
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#closed) return
    if (this.#trouble !== undefined) this.#timer = setTimeout(() => this.#wake(), troubleRetryMs)
    else if (this.#runs || this.#sessions.length > 0)
      this.#timer = setTimeout(() => void this.#look(), this.#options.pollMs ?? 1000)
  }

  async #look(): Promise<void> {
    try {
      this.#sessions = this.#runs ? await this.#bird.sessions() : []
      const peers = this.#model?.peers ?? noPeers
      this.#services.tell(this.#snapshot, peers, establishedOf(peers, this.#sessions))
      await this.#status.tell(peers, this.#sessions)
    } catch (error) {
      this.#options.log.warn({ error: String(error) }, 'BGP sessions could not be looked at or told')
    }
    if (!this.#waiting) this.#schedule()
  }
}

function troubleOf(node: string, error: unknown): Finding {
  const object = `node/${node}`
  const says = error instanceof Error ? error.message : String(error)
  if (error instanceof BirdMissing)
    return {
      code: 'BirdMissing',
      object,
      field: '',
      says: `BIRD 2 is not on this node: ${says}`,
      try: 'apt install bird2',
    }
  const code = error instanceof BirdRefused ? 'BirdRefused' : 'BirdFailed'
  return { code, object, field: '', says, try: 'see the BGPPeers of this node; what BIRD had before goes on' }
}
