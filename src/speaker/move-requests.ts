import { type Address, findAddress } from '../addr/index.ts'
import type { Log } from '../agent/index.ts'
import type { Client, Informer } from '../client/index.ts'
import type { AddressClaim } from '../cluster/index.ts'
import type { AddressMove, Condition } from '../objects/index.ts'
import { addressMoves } from './resources.ts'

/** A move that did not come about is tried again, and a status that could not be written is written again, after so many milliseconds. */
const againMs = 1000

interface Sources {
  readonly client: Client
  readonly node: string
  readonly log: Log
  owners(): ReadonlyMap<Address, string>
  claim(address: Address): AddressClaim | undefined
  /** Hands an address that this node holds to another, if that one is ready. */
  hand(address: Address, to: string): void
}

/**
 * Carries AddressMoves out: the holder of the address hands it over, again and again until the node that is asked for has it and says so. What has an end stays
 * as it is, so nothing comes back by itself; who was restarted goes on with what has none.
 */
export class MoveRequests {
  readonly #sources: Sources
  readonly #moves: Informer<AddressMove>
  readonly #writing = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(sources: Sources) {
    this.#sources = sources
    this.#moves = sources.client.informer<AddressMove>(addressMoves, { optional: true })
    this.#moves.onChange(() => this.consider())
    this.#moves.start().then(
      () => this.consider(),
      () => undefined,
    )
  }

  /** Moves, owners or who may own have changed. */
  consider(): void {
    clearTimeout(this.#timer)
    if (this.#closed) return
    const concerned = [...this.#moves.values()].filter((move) => !hasEnded(move) && this.#carryOut(move))
    if (concerned.length > 0) this.#timer = setTimeout(() => this.consider(), againMs).unref()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#moves.close()
  }

  /** True when this node holds the address, and so has a part in it. */
  #carryOut(move: AddressMove): boolean {
    const { node, owners, claim, hand } = this.#sources
    const address = findAddress(move.spec.address)
    if (address === undefined || owners().get(address) !== node) return false
    const to = move.spec.node
    if (to === node) void this.#end(move, 'Complete', 'Moved', `${node} holds ${address}`)
    else if (claim(address)?.eligible.includes(to) !== true)
      void this.#end(move, 'Failed', 'NotEligible', `${to} may not hold ${address}, which stays with ${node}`)
    else hand(address, to)
    return true
  }

  async #end(move: AddressMove, type: 'Complete' | 'Failed', reason: string, message: string): Promise<void> {
    const { name } = move.metadata
    if (this.#writing.has(name)) return
    this.#writing.add(name)
    const { client, node, log } = this.#sources
    const lastTransitionTime = `${new Date().toISOString().slice(0, 19)}Z`
    const condition: Condition = { type, status: 'True', reason, message, lastTransitionTime }
    const { group, version, kind } = addressMoves
    const body = { apiVersion: `${group}/${version}`, kind, metadata: { name }, status: { conditions: [condition] } }
    try {
      const options = { subresource: 'status', fieldManager: `plumb-speaker-${node}`, force: true }
      await client.patch(addressMoves, undefined, name, 'apply', body, options)
    } catch (error) {
      log.warn({ move: name, error: String(error) }, 'the end of an AddressMove cannot be written now')
    } finally {
      this.#writing.delete(name)
    }
  }
}

/** Whether nothing more happens. */
function hasEnded({ status }: AddressMove): boolean {
  return (status?.conditions ?? []).some(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  )
}
