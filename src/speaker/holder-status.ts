import type { Address } from '../addr/index.ts'
import { type Log, ToldObjects, toldName, toldOfService } from '../agent/index.ts'
import type { Client } from '../client/index.ts'
import type { ObjectKey, Snapshot } from '../cluster/index.ts'
import type { Service, ServiceL2Status } from '../objects/index.ts'
import type { EngineState } from './engine.ts'
import { serviceL2Statuses } from './resources.ts'

/** Addresses often come several at once. */
const gatherMs = 50

interface Sources {
  readonly client: Client
  readonly node: string
  readonly log: Log
  /** What the engine holds, asked when there is something to write. */
  state(): Promise<EngineState | undefined>
  /** The names of the links that the address is for on this node; all when undefined. */
  links(address: Address): readonly string[] | undefined
  servicesByAddress(): ReadonlyMap<Address, readonly ObjectKey[]>
  snapshot(): Snapshot | undefined
}

/** Tells in a ServiceL2Status for which addresses of which Services this node answers, since when and on which links. */
export class HolderStatus {
  readonly #sources: Sources
  readonly #objects: ToldObjects
  readonly #since = new Map<Address, string>()
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(sources: Sources) {
    this.#sources = sources
    this.#objects = new ToldObjects(sources.client, serviceL2Statuses, sources.node, sources.log)
  }

  /** `from`: who held it and is not heard any more, so that it cannot take back its word. */
  taken(address: Address, from: string | undefined, services: readonly Service[]): void {
    this.#since.set(address, `${new Date().toISOString().slice(0, 19)}Z`)
    if (from !== undefined) for (const service of services) this.#objects.retract(toldName(service, from, address))
    this.refresh()
  }

  lost(address: Address): void {
    this.#since.delete(address)
    this.refresh()
  }

  /** Services or links may be others than before. */
  refresh(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      void this.#tell()
    }, gatherMs).unref()
  }

  /** Takes everything back; resolves when that is written, or could not be in time. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#closed = true
    await this.#objects.end()
  }

  async #tell(): Promise<void> {
    const { node, links, servicesByAddress, snapshot } = this.#sources
    const state = await this.#sources.state()
    const objects = snapshot()?.services
    if (state === undefined || objects === undefined || this.#closed) return
    const up = state.links.map(({ name }) => name)
    const services = servicesByAddress()
    this.#objects.want(
      state.held.flatMap(({ address, why }) => {
        const since = this.#since.get(address)
        const only = links(address)
        const on = only === undefined ? up : up.filter((name) => only.includes(name))
        return (services.get(address) ?? []).flatMap((key) => {
          const service = objects.get(key)
          if (service === undefined || since === undefined) return []
          const { name, namespace = 'default' } = service.metadata
          const status: ServiceL2Status['status'] = {
            ...{ node, serviceName: name, serviceNamespace: namespace, address },
            interfaces: on.toSorted().map((link) => ({ name: link })),
            since,
            reason: why,
          }
          return [toldOfService(serviceL2Statuses, service, node, address, status)]
        })
      }),
    )
  }
}
