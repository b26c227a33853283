import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Address, findAddress } from '../addr/index.ts'
import type { Log, NodeModule } from '../agent/index.ts'
import { defaultTiming, type Timing, timingOf } from '../announce/index.ts'
import type { Client } from '../client/index.ts'
import { type Changes, drainAnnotation, type Finding, type OwnershipSource, type Snapshot } from '../cluster/index.ts'
import type { Host, Namespace } from '../host/index.ts'
import type { Service } from '../objects/index.ts'
import type { PodNetwork } from '../pods/index.ts'
import type { Cared } from '../standby/index.ts'
import { Announcements, membersOf } from './announcements.ts'
import { type SpeakerAnswer, speakerAnswer } from './answer.ts'
import { ArbiterLease } from './arbiter-lease.ts'
import type { EngineEvent } from './engine.ts'
import { type EngineHandle, startEngine } from './engine-handle.ts'
import { foreignFinding, noKey } from './findings.ts'
import { HolderStatus } from './holder-status.ts'
import { MoveRequests } from './move-requests.ts'
import { assigned, type ServiceEvent, tellService, told } from './service-event.ts'
import { SpeakerObjects } from './speaker-objects.ts'
import { Survival } from './survival.ts'

/** UDP port of the heartbeats. */
const heartbeatPort = 10_261
/** How long the next holder's hooks may take, in milliseconds. */
const prepareMs = 1500
/** How long an agent that ends waits until others have its addresses, in milliseconds. */
const leaveMs = 1000

export interface SpeakerOptions {
  readonly client: Client
  readonly host: Host
  readonly namespace: Namespace
  readonly nodeName: string
  readonly log: Log
  /** Between two heartbeats, the same on all nodes; 200 unless told. */
  readonly heartbeatMs?: number
}

/** Announces external addresses, as a part of the agent: claims out of objects, election and announcements in an engine. */
export class SpeakerModule implements NodeModule, OwnershipSource {
  readonly name = 'speaker'
  readonly #options: SpeakerOptions
  readonly #objects: SpeakerObjects
  readonly #announcements = new Announcements()
  readonly #arbiter: ArbiterLease
  readonly #status: HolderStatus
  readonly #moves: MoveRequests
  readonly #listeners = new Set<(changed: readonly Address[]) => void>()
  readonly #survival: Survival
  readonly #timing: Timing
  readonly #foreign = new Map<Address, Finding>()
  #snapshot: Snapshot | undefined
  #pods: PodNetwork | undefined
  #knownPods: PodNetwork | undefined
  #cared: readonly Cared[] = []
  #engine: EngineHandle | undefined
  #owners: ReadonlyMap<Address, string> = new Map()
  #membersText = ''
  #isDraining = false

  constructor(options: SpeakerOptions) {
    this.#options = options
    const { client, nodeName, log } = options
    this.#survival = new Survival(options)
    this.#timing = options.heartbeatMs === undefined ? defaultTiming : timingOf(options.heartbeatMs)
    this.#arbiter = new ArbiterLease(client, nodeName, (forMs) => this.#engine?.command({ kind: 'arbiter', forMs }))
    this.#objects = new SpeakerObjects(client, () => this.#refresh())
    this.#status = new HolderStatus({
      ...{ client, node: nodeName, log },
      state: async () => this.#engine?.ask(),
      links: (address) => this.#announcements.all.get(address)?.links.get(nodeName),
      servicesByAddress: () => this.#announcements.servicesByAddress(),
      snapshot: () => this.#snapshot,
    })
    this.#moves = new MoveRequests({
      ...{ client, node: nodeName, log },
      owners: () => this.#owners,
      claim: (address) => this.#announcements.all.get(address)?.claim,
      hand: (address, to) => this.#engine?.command({ kind: 'move', address, to }),
    })
  }

  get findings(): readonly Finding[] {
    const needed = this.#announcements.all.size > 0 && this.#engine === undefined
    return [...this.#announcements.findings, ...this.#foreign.values(), ...(needed ? [noKey] : [])]
  }

  owners(): ReadonlyMap<Address, string> {
    return this.#owners
  }

  onChange(listener: (changed: readonly Address[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  update(snapshot: Snapshot, pods: PodNetwork, changes: Changes): void {
    this.#snapshot = snapshot
    this.#pods = pods
    this.#configure(snapshot, pods, changes)
  }

  /** Answers `POST /addresses`. */
  async answer(): Promise<SpeakerAnswer> {
    return speakerAnswer({
      node: this.#options.nodeName,
      hasKey: this.#objects.key() !== undefined,
      announcements: this.#announcements.all,
      owners: this.#owners,
      state: await this.#engine?.ask(true),
      connections: await this.#survival.state(),
    })
  }

  /** Answers `POST /addresses/move`: hands an address that this node holds to another. */
  move(body: unknown): { readonly error?: string } {
    const { address: text = '', to = '' } = body as { address?: string; to?: string }
    const address = findAddress(text)
    if (address === undefined) return { error: `"${text}" is not an IP address` }
    if (this.#owners.get(address) !== this.#options.nodeName)
      return { error: `${address} is held by ${this.#owners.get(address) ?? 'no node'}, not by this one` }
    this.#engine?.command({ kind: 'move', address, to })
    return {}
  }

  async close(): Promise<void> {
    this.#arbiter.close()
    this.#moves.close()
    const engine = this.#engine
    if (engine === undefined) return this.#status.close()
    engine.command({ kind: 'drain', isDraining: true })
    const end = performance.now() + leaveMs
    while (performance.now() < end && (await engine.ask()).held.length > 0) await pause(10)
    await this.#status.close()
    await engine.close()
    await this.#survival.close()
  }

  /** A pool, an advertisement or the key changed. */
  #refresh(): void {
    if (this.#snapshot !== undefined && this.#pods !== undefined) this.#configure(this.#snapshot, this.#pods, nothing)
  }

  #configure(snapshot: Snapshot, pods: PodNetwork, changes: Pick<Changes, 'services' | 'egresses'>): void {
    const objects = this.#objects.read()
    if (objects === undefined) return
    const { pools, advertisements, byRoute } = objects
    const hasNews = this.#announcements.update(snapshot, changes, pools, advertisements, byRoute)
    // Before the first address there is nothing to hold, and a thread with its memory to save.
    const isNew = this.#engine === undefined && this.#announcements.all.size > 0 && this.#start()
    const hasPods = pods !== this.#knownPods
    if (this.#engine === undefined || !(hasNews || isNew || hasPods)) return
    this.#knownPods = pods
    const members = membersOf(snapshot.nodes.values())
    if (hasNews || isNew) this.#cared = this.#announcements.cared(snapshot)
    this.#survival.configure(members, this.#cared, pods, snapshot.nodes.values())
    if (!hasNews && !isNew) return
    const membersText = JSON.stringify(members)
    if (isNew || membersText !== this.#membersText) this.#engine.command({ kind: 'members', members })
    this.#membersText = membersText
    const { nodeName } = this.#options
    const isDraining = snapshot.nodes.get(nodeName)?.metadata.annotations?.[drainAnnotation] !== undefined
    if (isDraining !== this.#isDraining) this.#engine.command({ kind: 'drain', isDraining })
    this.#isDraining = isDraining
    const spoken = [...this.#announcements.all.values()]
    const addresses = spoken.map(({ claim, links }) => ({ claim, links: links.get(nodeName) }))
    this.#engine.command({ kind: 'addresses', addresses })
    this.#status.refresh()
    this.#moves.consider()
    for (const address of this.#foreign.keys()) if (!this.#announcements.all.has(address)) this.#foreign.delete(address)
  }

  /** Starts the engine when the key is there; it takes part from then on, and answers for nothing before. */
  #start(): boolean {
    const key = this.#objects.key()
    if (key === undefined) return false
    const { nodeName, host, namespace } = this.#options
    this.#engine = startEngine({
      node: nodeName,
      boot: randomBytes(8).toString('hex'),
      timing: this.#timing,
      key,
      port: heartbeatPort,
      host,
      namespace,
      onEvent: (event) => this.#onEvent(event),
    })
    this.#survival.start(key)
    return true
  }

  #onEvent(event: EngineEvent): void {
    const { log, nodeName } = this.#options
    switch (event.kind) {
      case 'owners':
        this.#setOwners(event.owners)
        break
      case 'taken':
        log.info({ address: event.address }, 'this node answers for the address')
        this.#foreign.delete(event.address)
        this.#follow(event.address, this.#survival.taken(event.address, event.from))
        this.#tell(event.address, assigned(nodeName))
        this.#status.taken(event.address, event.from, this.#servicesOf(event.address))
        break
      case 'lost':
        log.info({ address: event.address, why: event.why }, 'this node does not answer for the address any more')
        this.#follow(event.address, this.#survival.lost(event.address, event.to))
        this.#status.lost(event.address)
        break
      case 'prepare':
        void this.#prepare(event.address, event.from)
        break
      case 'foreign':
        log.warn({ ...event }, 'another machine has the address')
        this.#foreign.set(event.address, foreignFinding(nodeName, event))
        this.#tell(event.address, told(foreignFinding(nodeName, event)))
        break
      case 'arbiter':
        this.#arbiter.setNeeded(event.isNeeded)
        break
      case 'trouble':
        log.error({}, event.message)
        break
      default:
        event satisfies never
    }
  }

  async #prepare(address: Address, from: string): Promise<void> {
    const prepared = this.#survival.prepare(address, from)
    this.#follow(address, prepared)
    await Promise.race([prepared.catch(() => undefined), pause(prepareMs)])
    this.#engine?.command({ kind: 'prepared', address, from })
  }

  /** What goes wrong with connections holds no move up. */
  #follow(address: Address, work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.#options.log.warn({ address, error: String(error) }, 'connections of before a move may end')
    })
  }

  #setOwners(owners: ReadonlyMap<Address, string>): void {
    const before = this.#owners
    this.#owners = owners
    const changed = [...new Set([...before.keys(), ...owners.keys()])].filter(
      (address) => before.get(address) !== owners.get(address),
    )
    if (changed.length === 0) return
    this.#follow(changed[0]!, this.#survival.setOwners(owners, changed))
    this.#moves.consider()
    for (const listener of this.#listeners) listener(changed)
  }

  #tell(address: Address, event: ServiceEvent): void {
    const { client, nodeName } = this.#options
    for (const service of this.#servicesOf(address)) tellService(client, service, nodeName, event)
  }

  #servicesOf(address: Address): readonly Service[] {
    return this.#announcements.servicesOf(address).flatMap((key) => this.#snapshot?.services.get(key) ?? [])
  }
}

const nothing = { services: new Set<string>(), egresses: new Set<string>() }
