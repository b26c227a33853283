import type { Client } from '../client/index.ts'
import type { OwnershipSource, Snapshot } from '../cluster/index.ts'
import type { Egress } from '../objects/index.ts'
import type { Log, NodeModule } from './contract.ts'
import { egresses } from './resources.ts'

/** When a status that could not be written is written again, in milliseconds. */
const retryMs = 5000

/**
 * Tells on each Egress which of its addresses this node holds. Owners write by server-side apply, each its own addresses; the next owner's
 * word takes the former's place.
 */
export class EgressStatus implements NodeModule {
  readonly name = 'egress-status'
  readonly #client: Client
  readonly #node: string
  readonly #ownership: OwnershipSource
  readonly #log: Log
  readonly #told = new Map<string, string>()
  /** When this node took what it holds, in RFC 3339. */
  readonly #since = new Map<string, string>()
  readonly #retries = new Set<NodeJS.Timeout>()
  #snapshot: Snapshot | undefined

  constructor(client: Client, node: string, ownership: OwnershipSource, log: Log) {
    this.#client = client
    this.#node = node
    this.#ownership = ownership
    this.#log = log
  }

  update(snapshot: Snapshot): void {
    this.#snapshot = snapshot
    const owners = this.#ownership.owners()
    for (const address of this.#since.keys())
      if (owners.get(address as never) !== this.#node) this.#since.delete(address)
    for (const [name, egress] of snapshot.egresses) {
      const held = addressesOf(egress).filter((address) => owners.get(address as never) === this.#node)
      const text = held.join()
      if (text === (this.#told.get(name) ?? '')) continue
      this.#told.set(name, text)
      void this.#tell(egress, held)
    }
    for (const name of this.#told.keys()) if (!snapshot.egresses.has(name)) this.#told.delete(name)
  }

  close(): void {
    for (const timer of this.#retries) clearTimeout(timer)
  }

  #sinceOf(address: string): string {
    const since = this.#since.get(address) ?? secondsOf(new Date())
    this.#since.set(address, since)
    return since
  }

  async #tell(egress: Egress, held: readonly string[]): Promise<void> {
    const { name } = egress.metadata
    const first = held.includes(addressesOf(egress)[0] ?? '')
    const status = {
      addresses: held.map((address) => ({ address, node: this.#node, since: this.#sinceOf(address) })),
      ...(first ? { egressNode: this.#node, conditions: [assigned(this.#node, held)] } : {}),
    }
    const { apiVersion, kind } = { apiVersion: `${egresses.group}/${egresses.version}`, kind: egresses.kind }
    try {
      await this.#client.patch(
        egresses,
        undefined,
        name,
        'apply',
        { apiVersion, kind, metadata: { name }, status },
        { subresource: 'status', fieldManager: `plumb-egress-${this.#node}`, force: true },
      )
    } catch (error) {
      this.#log.warn({ egress: name, error: String(error) }, 'the status of an Egress could not be written')
      this.#told.delete(name)
      const timer = setTimeout(() => {
        this.#retries.delete(timer)
        if (this.#snapshot !== undefined) this.update(this.#snapshot)
      }, retryMs)
      timer.unref()
      this.#retries.add(timer)
    }
  }
}

function secondsOf(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`
}

function addressesOf({ spec, status }: Egress): readonly string[] {
  return spec.egressIPs ?? (spec.egressIP === undefined ? (status?.egressIPs ?? []) : [spec.egressIP])
}

function assigned(node: string, held: readonly string[]) {
  const lastTransitionTime = secondsOf(new Date())
  return {
    type: 'IPAssigned',
    status: 'True',
    reason: 'Assigned',
    message: `${node} answers for ${held.join(', ')}`,
    lastTransitionTime,
  }
}
