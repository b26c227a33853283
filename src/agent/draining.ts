import { families } from '../addr/index.ts'
import type { ObjectKey } from '../cluster/index.ts'
import type { Connection, Network } from '../host/index.ts'
import type { Operation } from '../nft/index.ts'
import type { NodePlan } from '../nodeplan/index.ts'
import { sets, tableOf } from '../services/index.ts'
import { forget } from './conntrack.ts'
import type { Log } from './contract.ts'

/** How long a client whose connection was cut is told so when it sends again. */
const toldSeconds = 300
const transports: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' }

/**
 * Cuts the connections to endpoints that went, when the time is over that their Service gives them: their conntrack entries go, and
 * clients of TCP get a reset for the next segment. Until then, and of Services that give none, connections go on until they end.
 */
export class Draining {
  readonly #network: Network
  readonly #plan: Pick<NodePlan, 'drains' | 'findFrontend'>
  readonly #log: Log
  readonly #onCut: (count: number) => void
  /** Endpoints that were there last time, by Service. */
  readonly #staying = new Map<ObjectKey, ReadonlySet<string>>()
  readonly #deadlines = new Map<string, NodeJS.Timeout>()
  readonly #due = new Map<ObjectKey, Set<string>>()
  #cutting: Promise<void> | undefined

  constructor(
    network: Network,
    plan: Pick<NodePlan, 'drains' | 'findFrontend'>,
    log: Log,
    onCut: (count: number) => void,
  ) {
    this.#network = network
    this.#plan = plan
    this.#log = log
    this.#onCut = onCut
  }

  /** After a round: sets deadlines for who went, and takes back those of who came again or whose Service gives no time any more. */
  update(): void {
    const { drains } = this.#plan
    if (drains.size === 0 && this.#staying.size === 0) return
    for (const [key, { seconds, staying, leaving }] of drains) {
      const before = this.#staying.get(key) ?? new Set()
      if (before === staying) continue
      for (const endpoint of [...before, ...leaving]) {
        if (staying.has(endpoint)) continue
        const id = `${key} ${endpoint}`
        if (this.#deadlines.has(id) || this.#due.get(key)?.has(endpoint) === true) continue
        this.#deadlines.set(id, setTimeout(() => this.#expire(key, endpoint), seconds * 1000).unref())
      }
      for (const endpoint of staying) this.#pardon(key, endpoint)
      this.#staying.set(key, staying)
    }
    for (const key of this.#staying.keys()) {
      if (drains.has(key)) continue
      this.#staying.delete(key)
      this.#due.delete(key)
      for (const [id, timer] of this.#deadlines) {
        if (!id.startsWith(`${key} `)) continue
        clearTimeout(timer)
        this.#deadlines.delete(id)
      }
    }
  }

  /** Resolves when what is due has been cut. */
  async settled(): Promise<void> {
    await this.#cutting
  }

  close(): void {
    for (const timer of this.#deadlines.values()) clearTimeout(timer)
    this.#deadlines.clear()
  }

  #pardon(key: ObjectKey, endpoint: string): void {
    const id = `${key} ${endpoint}`
    clearTimeout(this.#deadlines.get(id))
    this.#deadlines.delete(id)
    this.#due.get(key)?.delete(endpoint)
  }

  #expire(key: ObjectKey, endpoint: string): void {
    this.#deadlines.delete(`${key} ${endpoint}`)
    const due = this.#due.get(key) ?? new Set()
    this.#due.set(key, due.add(endpoint))
    // Endpoints that went together are cut together.
    this.#cutting ??= new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => this.#cut())
      .catch((error: unknown) =>
        this.#log.warn({ error: String(error) }, 'connections to endpoints that went are not cut'),
      )
      .finally(() => {
        this.#cutting = undefined
      })
  }

  async #cut(): Promise<void> {
    const due = new Map([...this.#due].map(([key, endpoints]) => [key, new Set(endpoints)]))
    const connections = this.#network.connections().filter((one) => this.#isDue(one, due))
    const operations = families.flatMap((family) => told(family, connections))
    // Before the entries go: the next segment may come at once.
    if (operations.length > 0) await this.#network.commit(operations)
    const count = connections.filter((one) => forget(this.#network, one)).length
    for (const [key, endpoints] of due) for (const endpoint of endpoints) this.#due.get(key)?.delete(endpoint)
    if (count > 0)
      this.#log.info({ connections: count, services: [...due.keys()] }, 'connections to endpoints that went are cut')
    this.#onCut(count)
  }

  #isDue({ protocol, original, reply }: Connection, due: ReadonlyMap<ObjectKey, ReadonlySet<string>>): boolean {
    const transport = transports[protocol]
    if (transport === undefined) return false
    const owner = this.#plan.findFrontend(`${original.destination} . ${transport} . ${original.destinationPort}`)?.owner
    return owner !== undefined && due.get(owner)?.has(`${reply.source} . ${reply.sourcePort}`) === true
  }
}

/** The elements by which clients of TCP are told. */
function told(family: (typeof families)[number], connections: readonly Connection[]): readonly Operation[] {
  const elements = connections
    .filter((one) => one.family === family && one.protocol === 6)
    .map(({ original: { source, sourcePort, destination, destinationPort } }) => ({
      key: `${source} . ${sourcePort} . ${destination} . ${destinationPort}`,
      timeoutSeconds: toldSeconds,
    }))
  return elements.length === 0 ? [] : [{ kind: 'add-elements', ...tableOf(family), set: sets[family].cut, elements }]
}
