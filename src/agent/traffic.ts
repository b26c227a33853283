import type { ObjectKey } from '../cluster/index.ts'
import type { Connection, Network } from '../host/index.ts'
import type { Transport } from '../services/index.ts'

/** What came to a Service through this node since the agent began to count. */
export interface ServiceTotals {
  /** Connections that began. */
  readonly connections: number
  readonly requestPackets: number
  /** Of IP packets, headers included. */
  readonly requestBytes: number
  readonly replyPackets: number
  readonly replyBytes: number
}

type Mutable = { -readonly [K in keyof ServiceTotals]: ServiceTotals[K] }

const transports = new Map<number, Transport>([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
])

/**
 * Counts connections, packets and bytes by Service out of what conntrack accounts anyway: events tell beginnings and ends, and
 * a reading adds what is alive. The rules count nothing and are never listed, so their size and speed stay what they are.
 */
export class ServiceTraffic {
  readonly #network: Network
  readonly #ownerOf: (frontend: string) => ObjectKey | undefined
  /** Connections that ended, and the beginnings of all. */
  readonly #ended = new Map<ObjectKey, Mutable>()
  /** The last reading: a counter never goes back, also when events were lost. */
  #read = new Map<ObjectKey, Mutable>()
  readonly #watch: { close(): void }
  #lost = 0

  /** `ownerOf` knows the Service behind `ADDRESS . PROTOCOL . PORT`. Only connections that begin from now on are accounted. */
  constructor(network: Network, ownerOf: (frontend: string) => ObjectKey | undefined) {
    this.#network = network
    this.#ownerOf = ownerOf
    network.setSysctl('net.netfilter.nf_conntrack_acct', 1)
    this.#watch = network.watchConnections(
      (event, connection) => this.#take(event, connection),
      () => this.#lost++,
      ['new', 'destroy'],
    )
  }

  close(): void {
    this.#watch.close()
  }

  /** How often events came too fast and some were lost: then counters lag behind. */
  get lost(): number {
    return this.#lost
  }

  /** Everything so far, by Service. One dump of conntrack. */
  read(): ReadonlyMap<ObjectKey, ServiceTotals> {
    const sums = new Map([...this.#ended].map(([key, totals]) => [key, { ...totals }]))
    for (const connection of this.#network.connections()) {
      const owner = connection.traffic === undefined ? undefined : this.#ownerOfConnection(connection)
      if (owner !== undefined) addTraffic(totalsOf(sums, owner), connection)
    }
    for (const [key, sum] of sums) {
      const before = this.#read.get(key)
      if (before === undefined) continue
      for (const field of fields) sum[field] = Math.max(sum[field], before[field])
    }
    this.#read = sums
    return sums
  }

  /** Forgets Services that are gone. */
  keep(isThere: (key: ObjectKey) => boolean): void {
    for (const key of this.#ended.keys()) if (!isThere(key)) this.#ended.delete(key)
    for (const key of this.#read.keys()) if (!isThere(key)) this.#read.delete(key)
  }

  #take(event: 'new' | 'update' | 'destroy', connection: Connection): void {
    const owner = this.#ownerOfConnection(connection)
    if (owner === undefined) return
    const totals = totalsOf(this.#ended, owner)
    if (event === 'new') totals.connections++
    else addTraffic(totals, connection)
  }

  #ownerOfConnection({ protocol, original }: Connection): ObjectKey | undefined {
    const transport = transports.get(protocol)
    return transport && this.#ownerOf(`${original.destination} . ${transport} . ${original.destinationPort}`)
  }
}

const fields = ['connections', 'requestPackets', 'requestBytes', 'replyPackets', 'replyBytes'] as const

function totalsOf(map: Map<ObjectKey, Mutable>, key: ObjectKey): Mutable {
  let totals = map.get(key)
  if (totals === undefined) {
    totals = { connections: 0, requestPackets: 0, requestBytes: 0, replyPackets: 0, replyBytes: 0 }
    map.set(key, totals)
  }
  return totals
}

function addTraffic(totals: Mutable, { traffic }: Connection): void {
  if (traffic === undefined) return
  totals.requestPackets += traffic.original.packets
  totals.requestBytes += traffic.original.bytes
  totals.replyPackets += traffic.reply.packets
  totals.replyBytes += traffic.reply.bytes
}
