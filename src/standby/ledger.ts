import type { Address } from '../addr/index.ts'
import type { Connection, Network } from '../host/index.ts'
import { type Flow, findFlow, keyOf, keyOfConnection } from './flow.ts'

/** How often the entries are listed, in milliseconds: those of before the watch tell no event of their end, and events may be lost. */
const listMs = 60_000
/** Flows that one node keeps; those beyond end with the node. */
const maximumFlows = 1 << 18

/** The flows of the addresses that this node holds, as conntrack has them. */
export class Ledger {
  readonly #network: Network
  readonly #onChange: (flow: Flow, isGone: boolean) => void
  readonly #flows = new Map<Address, Map<string, Flow>>()
  #count = 0
  #watch: { close(): void } | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(network: Network, onChange: (flow: Flow, isGone: boolean) => void) {
    this.#network = network
    this.#onChange = onChange
  }

  get count(): number {
    return this.#count
  }

  flowsOf(address: Address): readonly Flow[] {
    return [...(this.#flows.get(address)?.values() ?? [])]
  }

  /** Looks after these addresses, and no others any more. What they have already is known when this returns, and not told as a change. */
  setAddresses(addresses: ReadonlySet<Address>): void {
    for (const [address, flows] of this.#flows) {
      if (addresses.has(address)) continue
      this.#flows.delete(address)
      this.#count -= flows.size
    }
    const added = [...addresses].filter((address) => !this.#flows.has(address))
    for (const address of added) this.#flows.set(address, new Map())
    if (addresses.size === 0) this.close()
    if (added.length === 0) return
    this.#watch ??= this.#network.watchConnections(
      (event, connection) => this.#take(event, connection),
      () => this.#list(true),
    )
    this.#timer ??= setInterval(() => this.#list(true), listMs).unref()
    this.#list(false)
  }

  close(): void {
    this.#watch?.close()
    clearInterval(this.#timer)
    this.#watch = undefined
    this.#timer = undefined
  }

  #take(event: 'new' | 'update' | 'destroy', connection: Connection): void {
    const flows = this.#flows.get(connection.original.destination)
    if (flows === undefined) return
    const flow = event === 'destroy' ? undefined : findFlow(connection)
    if (flow === undefined) this.#remove(flows, keyOfConnection(connection))
    else this.#put(flows, flow, true)
  }

  /** What conntrack has is all there is. */
  #list(isTold: boolean): void {
    const seen = new Set<string>()
    for (const connection of this.#network.connections()) {
      const flows = this.#flows.get(connection.original.destination)
      const flow = flows && findFlow(connection)
      if (flows === undefined || flow === undefined) continue
      seen.add(keyOf(flow))
      this.#put(flows, flow, isTold)
    }
    for (const flows of this.#flows.values())
      for (const key of flows.keys()) if (!seen.has(key)) this.#remove(flows, key)
  }

  #put(flows: Map<string, Flow>, flow: Flow, isTold: boolean): void {
    const key = keyOf(flow)
    const old = flows.get(key)
    if (old === undefined && this.#count >= maximumFlows) return
    if (old === undefined) this.#count++
    flows.set(key, flow)
    const isSame = old?.endpoint === flow.endpoint && old.sourcePort === flow.sourcePort
    if (isTold && !isSame) this.#onChange(flow, false)
  }

  #remove(flows: Map<string, Flow>, key: string): void {
    const flow = flows.get(key)
    if (flow === undefined) return
    flows.delete(key)
    this.#count--
    this.#onChange(flow, true)
  }
}
