import type { Family } from '../addr/index.ts'
import type { ElementSink } from './element-changes.ts'
import { affinityRules, growTimeout, makeChain, rewriteChain } from './layout.ts'
import type { Element, Operation } from './lower.ts'
import { type Class, classElement, classidOf, numberOf, sets } from './sets.ts'

/** Endpoints among which the clients of a Service port keep theirs. */
export interface AffinityRequest {
  /** The Service port: clients keep their seats whatever address of it they ask. */
  readonly port: string
  /** `outside`: policy Local for who comes from outside. */
  readonly scope: 'cluster' | 'local' | 'outside'
  readonly endpoints: readonly string[]
  readonly seconds: number
  /** For whoever lists the chain. */
  readonly comment: string
}

interface AffinityChain {
  readonly id: number
  request: AffinityRequest
  /** How many frontends lead here. */
  uses: number
  /** What the plans so far have put there. */
  written: AffinityRequest | undefined
}

interface Seat {
  readonly number: number
  readonly endpoint: string
  uses: number
}

/** Classes are numbers of 16 bits; ports beyond are balanced afresh for each connection. */
const maxChains = 0xffff

/**
 * The chains of one family's Service ports with affinity. An endpoint's seat is made of its port's and its own name and the time, so that
 * clients return to it whatever becomes of the other endpoints, and after a restart.
 */
export class AffinityChains {
  readonly #family: Family
  readonly #chains = new Map<string, AffinityChain>()
  readonly #touched = new Map<string, AffinityChain>()
  readonly #free: number[] = []
  #last = 0
  /** Chains that are in the kernel, be they empty. */
  readonly #made = new Set<number>()
  readonly #timeouts = new Set<number>()
  readonly #seats = new Map<string, Seat>()
  readonly #taken = new Set<number>()

  constructor(family: Family) {
    this.#family = family
  }

  /** The class that leads to the endpoints; undefined when there are too many such ports. */
  take(request: AffinityRequest): Class | undefined {
    const key = keyOf(request)
    let chain = this.#chains.get(key)
    if (chain === undefined) {
      const id = this.#free.pop() ?? this.#last + 1
      if (id > maxChains) return undefined
      this.#last = Math.max(this.#last, id)
      chain = { id, request, uses: 0, written: undefined }
      this.#chains.set(key, chain)
    }
    chain.request = request
    chain.uses++
    this.#touched.set(key, chain)
    return classOf(chain)
  }

  /** The frontend leads there no longer. */
  release(request: AffinityRequest): void {
    const key = keyOf(request)
    const chain = this.#chains.get(key)
    if (chain === undefined) return
    chain.uses--
    this.#touched.set(key, chain)
  }

  /** What taking and releasing came to: the chains first, then elements that lead to them. */
  settle(elements: ElementSink): readonly Operation[] {
    const operations: Operation[] = []
    for (const [key, chain] of this.#touched) {
      if (chain.uses === 0) this.#drop(key, chain, operations, elements)
      else if (chain.written === undefined || !sameRequest(chain.written, chain.request)) {
        this.#write(chain, operations, elements)
      }
    }
    this.#touched.clear()
    return operations
  }

  /** Everything, for a table that is not there. */
  full(elements: ElementSink): readonly Operation[] {
    this.#made.clear()
    this.#timeouts.clear()
    const operations: Operation[] = []
    for (const chain of this.#chains.values()) {
      this.#make(chain, operations)
      elements.add(this.#family, this.#classes(chain), elementOf(chain))
    }
    for (const seat of this.#seats.values()) this.#putSeat(elements, 'add', seat)
    return operations
  }

  /** Whether somebody's seat it is: seats that clients have from before are kept where it is. */
  hasSeat(seat: string): boolean {
    return this.#taken.has(numberOf(seat))
  }

  #write(chain: AffinityChain, operations: Operation[], elements: ElementSink): void {
    const { written, request } = chain
    for (const endpoint of request.endpoints) this.#sit(request, endpoint, elements)
    for (const endpoint of written?.endpoints ?? []) this.#rise(written!, endpoint, elements)
    chain.written = request
    this.#make(chain, operations)
    if (written === undefined) elements.add(this.#family, this.#classes(chain), elementOf(chain))
  }

  #drop(key: string, chain: AffinityChain, operations: Operation[], elements: ElementSink): void {
    this.#chains.delete(key)
    this.#free.push(chain.id)
    const { written } = chain
    if (written === undefined) return
    for (const endpoint of written.endpoints) this.#rise(written, endpoint, elements)
    elements.remove(this.#family, this.#classes(chain), elementOf(chain))
    // Older kernels call a chain busy in the transaction that takes away the element which led there, so it stays for the next port.
    operations.push(...rewriteChain(this.#family, nameOf(chain), []))
  }

  #make(chain: AffinityChain, operations: Operation[]): void {
    const { seconds, endpoints, scope, comment } = chain.request
    if (!this.#timeouts.has(seconds)) {
      this.#timeouts.add(seconds)
      operations.push(...growTimeout(this.#family, seconds))
    }
    const seats = endpoints.flatMap((endpoint) => this.#seats.get(seatKey(chain.request, endpoint))?.number ?? [])
    const rules = affinityRules(this.#family, seats, seconds, scope === 'outside', comment)
    const write = this.#made.has(chain.id) ? rewriteChain : makeChain
    this.#made.add(chain.id)
    operations.push(...write(this.#family, nameOf(chain), rules))
  }

  #sit(request: AffinityRequest, endpoint: string, elements: ElementSink): void {
    const key = seatKey(request, endpoint)
    const known = this.#seats.get(key)
    if (known !== undefined) {
      known.uses++
      return
    }
    let number = hash(key)
    while (this.#taken.has(number)) number = (number + 1) >>> 0
    const seat = { number, endpoint, uses: 1 }
    this.#taken.add(number)
    this.#seats.set(key, seat)
    this.#putSeat(elements, 'add', seat)
  }

  #rise(request: AffinityRequest, endpoint: string, elements: ElementSink): void {
    const key = seatKey(request, endpoint)
    const known = this.#seats.get(key)
    if (known === undefined || --known.uses > 0) return
    this.#seats.delete(key)
    this.#taken.delete(known.number)
    this.#putSeat(elements, 'remove', known)
  }

  #putSeat(elements: ElementSink, how: 'add' | 'remove', { number, endpoint }: Seat): void {
    elements[how](this.#family, sets[this.#family].seats, { key: classidOf(number), value: endpoint })
  }

  #classes(chain: AffinityChain) {
    return sets[this.#family][chain.request.scope === 'outside' ? 'localClasses' : 'classes']
  }
}

function keyOf({ port, scope }: AffinityRequest): string {
  return `${port} ${scope}`
}

/** The time is part of it: refreshing a seat with another than its own leaves it expiring after its time-out, and nft loads no such listing. */
function seatKey({ port, seconds }: AffinityRequest, endpoint: string): string {
  return `${port} ${seconds} ${endpoint}`
}

function classOf({ id, request }: AffinityChain): Class {
  return { kind: request.scope === 'outside' ? 'local-affinity' : 'affinity', id }
}

function nameOf({ id }: AffinityChain): string {
  return `affinity-${id}`
}

function elementOf(chain: AffinityChain): Element {
  return classElement(classOf(chain), nameOf(chain))
}

function sameRequest(a: AffinityRequest, b: AffinityRequest): boolean {
  if (a.seconds !== b.seconds || a.endpoints.length !== b.endpoints.length) return false
  return a.endpoints.every((endpoint, index) => endpoint === b.endpoints[index])
}

/** FNV-1a of 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}
