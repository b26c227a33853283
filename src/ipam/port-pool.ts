import { type AllocationFailure, type Pick, Pool } from './pool.ts'

/** Ports `first` to `last`, both included. */
export interface PortRange {
  readonly first: number
  readonly last: number
}

/** The range that `text` spells as kube-apiserver's `--service-node-port-range` does: `30000-32767`. Undefined otherwise. */
export function findPortRange(text: string): PortRange | undefined {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const first = Number(match[1])
  const last = Number(match[2])
  return first >= 1 && last <= 65_535 && first <= last ? { first, last } : undefined
}

/** The size of the band kept for explicit requests: min(max(16, size/32), 128), none for 16 ports or fewer (KEP-3668). */
export function portBand(size: number): number {
  return size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 32)), 128)
}

/** Node ports. A number is one allocation, whatever the protocols that share it. */
export class PortPool {
  readonly range: PortRange
  readonly #pool: Pool

  constructor(range: PortRange) {
    this.range = range
    const size = range.last - range.first + 1
    this.#pool = new Pool(size, portBand(size))
  }

  get free(): number {
    return this.#pool.free
  }

  has(port: number): boolean {
    return this.#pool.has(port - this.range.first)
  }

  take(port: number): AllocationFailure | undefined {
    return this.#pool.take(port - this.range.first)
  }

  takeNext(pick: Pick): number | undefined {
    const offset = this.#pool.takeNext(pick)
    return offset === undefined ? undefined : this.range.first + offset
  }

  release(port: number): void {
    this.#pool.release(port - this.range.first)
  }
}
