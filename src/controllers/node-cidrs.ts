import {
  addressAt,
  type Family,
  findPrefix,
  offsetOf,
  overlaps,
  type Prefix,
  prefixAddress,
  prefixFamily,
  prefixLength,
} from '../addr/index.ts'

/** Hands out equal blocks of one cluster prefix; a block in use is never handed out again before it is released. */
export class BlockPool {
  readonly cluster: Prefix
  readonly blockLength: number
  readonly #count: bigint
  readonly #base: bigint
  readonly #blockBits: bigint
  readonly #used = new Set<bigint>()
  /** Upstream goes round, so that a block that was just released is the last to be used again. */
  #next = 0n

  constructor(cluster: Prefix, blockLength: number) {
    const bits = this.#bits(prefixFamily(cluster))
    if (blockLength < prefixLength(cluster) || blockLength > bits)
      throw new RangeError(`cluster prefix ${cluster} has no blocks of /${blockLength}; choose a longer node mask`)
    this.cluster = cluster
    this.blockLength = blockLength
    this.#count = 1n << BigInt(blockLength - prefixLength(cluster))
    this.#base = offsetOf(prefixAddress(cluster))
    this.#blockBits = BigInt(bits - blockLength)
  }

  get family(): Family {
    return prefixFamily(this.cluster)
  }

  /** Marks every block that this prefix touches; prefixes elsewhere are no concern of this pool. */
  occupy(prefix: Prefix): void {
    for (const index of this.#touched(prefix)) this.#used.add(index)
  }

  release(prefix: Prefix): void {
    for (const index of this.#touched(prefix)) this.#used.delete(index)
  }

  /** A free block, now in use; undefined when all are. */
  take(): Prefix | undefined {
    if (BigInt(this.#used.size) >= this.#count) return undefined
    while (this.#used.has(this.#next)) this.#next = (this.#next + 1n) % this.#count
    const index = this.#next
    this.#used.add(index)
    this.#next = (index + 1n) % this.#count
    const address = addressAt(this.family, this.#base + (index << this.#blockBits))
    return findPrefix(`${address}/${this.blockLength}`)
  }

  #touched(prefix: Prefix): bigint[] {
    if (prefixFamily(prefix) !== this.family || !overlaps(prefix, this.cluster)) return []
    if (prefixLength(prefix) < prefixLength(this.cluster)) return this.#range(0n, this.#count - 1n)
    const first = (offsetOf(prefixAddress(prefix)) - this.#base) >> this.#blockBits
    const extra = BigInt(Math.max(0, this.blockLength - prefixLength(prefix)))
    return this.#range(first, first + (1n << extra) - 1n)
  }

  #range(first: bigint, last: bigint): bigint[] {
    const found: bigint[] = []
    // A node with a prefix far wider than a block would mark millions; 65,536 is upstream's bound on blocks per cluster prefix.
    for (let index = first; index <= last && found.length < 65_536; index++) found.push(index)
    return found
  }

  #bits(family: Family): number {
    return family === 4 ? 32 : 128
  }
}
