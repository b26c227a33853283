/** Primes, of which one is the size of a table: a hundred slots for each endpoint keep their shares within a few percent. */
const sizes = [2039, 16_381, 65_521] as const
const slotsEach = 100

/** An endpoint and how many parts of the connections it gets. */
export interface Weighted {
  readonly target: string
  readonly weight: number
}

/** The size of the table for so many endpoints; all change their slots when it changes. */
export function tableSize(endpoints: number): number {
  return sizes.find((size) => size >= endpoints * slotsEach) ?? sizes[2]
}

/**
 * Maglev's lookup table (Eisenbud et al., NSDI 2016, section 3.4), with weights: every node makes the same of the same endpoints,
 * whatever their order, and few slots change when an endpoint comes or goes.
 */
export function maglevTable(endpoints: readonly Weighted[]): readonly string[] {
  const taking = endpoints.filter(({ weight }) => weight > 0).sort((a, b) => (a.target < b.target ? -1 : 1))
  const size = tableSize(taking.length)
  const most = taking.reduce((max, { weight }) => Math.max(max, weight), 1)
  const runners = taking.map(({ target, weight }) => ({
    target,
    share: weight / most,
    owed: 0,
    next: hash(target, 0x811c9dc5) % size,
    step: 1 + (hash(target, 0x1b873593) % (size - 1)),
  }))
  const table = new Array<string | undefined>(size)
  for (let filled = 0; filled < size && runners.length > 0; ) {
    for (const runner of runners) {
      runner.owed += runner.share
      if (runner.owed < 1) continue
      runner.owed -= 1
      while (table[runner.next] !== undefined) runner.next = (runner.next + runner.step) % size
      table[runner.next] = runner.target
      if (++filled === size) break
    }
  }
  return table.filter((target) => target !== undefined)
}

/** Each endpoint as often as its weight says, by the smallest whole numbers; those of weight 0 get nothing. */
export function spread(endpoints: readonly Weighted[], limit: number): readonly string[] {
  if (endpoints.every(({ weight }) => weight === 1)) return endpoints.map(({ target }) => target)
  const divisor = endpoints.reduce((common, { weight }) => gcd(common, weight), 0)
  if (divisor === 0) return endpoints.map(({ target }) => target)
  const total = endpoints.reduce((sum, { weight }) => sum + weight / divisor, 0)
  const scale = Math.min(1, limit / total)
  return endpoints.flatMap(({ target, weight }) => {
    const times = weight === 0 ? 0 : Math.max(1, Math.floor((weight / divisor) * scale))
    return new Array<string>(times).fill(target)
  })
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}

/** FNV-1a of 32 bits from a seed, stirred so that texts which differ in their last letters are far apart. */
function hash(text: string, seed: number): number {
  let value = seed
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
