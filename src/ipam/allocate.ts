import { type Address, addressAt, type Family, familyOf } from '../addr/index.ts'
import type { Finding } from '../cluster/index.ts'
import { isBuggy, rangeHas } from './address-range.ts'
import type { AddressRequest, Allocation } from './address-request.ts'
import { type ExternalPool, poolAllows } from './external-pool.ts'
import { Occupancy } from './occupancy.ts'

/**
 * Who gets which address, out of pools and requests alone. What the requests hold already comes first and stays while it may,
 * so the answer does not depend on the order in which they are told, and asking again with the answer changes nothing. Then
 * come requests for certain addresses, then the others, the older first.
 */
export function allocate(
  pools: readonly ExternalPool[],
  requests: Iterable<AddressRequest>,
): ReadonlyMap<string, Allocation> {
  const sorted = [...requests].sort(byAge)
  const round = new Round(pools)
  const open = sorted.filter((request) => !round.keep(request))
  for (const request of open) if (request.wanted !== undefined) round.serve(request)
  for (const request of open) if (request.wanted === undefined) round.serve(request)
  return round.allocations
}

class Round {
  readonly allocations = new Map<string, Allocation>()
  readonly #pools: readonly ExternalPool[]
  readonly #occupancy = new Occupancy()
  readonly #next = new Map<string, bigint>()
  readonly #kept = new Map<string, readonly Address[]>()

  constructor(pools: readonly ExternalPool[]) {
    this.#pools = pools
  }

  /** Takes what the request holds and may keep; true when nothing is missing. */
  keep(request: AddressRequest): boolean {
    const kept: Address[] = []
    for (const family of request.families) {
      const address = request.held.find((one) => familyOf(one) === family && this.#mayKeep(request, one))
      if (address === undefined) continue
      this.#occupancy.take(address, request)
      kept.push(address)
    }
    if (kept.length === 0) return false
    this.#kept.set(request.key, kept)
    const wanted = request.wanted?.length ?? request.families.length
    if (kept.length < wanted) return false
    this.#assign(request, kept)
    return true
  }

  serve(request: AddressRequest): void {
    if (request.wanted !== undefined) this.#serveWanted(request, request.wanted)
    else this.#serveAny(request)
  }

  #serveWanted(request: AddressRequest, wanted: readonly Address[]): void {
    const kept = this.#kept.get(request.key) ?? []
    for (const address of wanted) {
      const problem = kept.includes(address) ? undefined : this.#cannotHave(request, address)
      if (problem !== undefined) {
        this.#refuse(request, problem)
        return
      }
    }
    for (const address of wanted) if (!kept.includes(address)) this.#occupancy.take(address, request)
    this.#assign(request, wanted)
  }

  #serveAny(request: AddressRequest): void {
    const kept = this.#kept.get(request.key) ?? []
    const missing = request.families.filter((family) => !kept.some((one) => familyOf(one) === family))
    // A second family comes out of the same pool: that is where the first one's advertisements are.
    const pools = kept[0] === undefined ? this.#candidates(request) : this.#poolsOf(kept[0])
    const whole = pools.find((pool) => missing.every((family) => this.#peek(pool, family, request) !== undefined))
    const part =
      request.need === 'any' && kept.length === 0
        ? pools.find((pool) => missing.some((family) => this.#peek(pool, family, request) !== undefined))
        : undefined
    const pool = whole ?? part
    const found = pool === undefined ? [] : missing.flatMap((family) => this.#peek(pool, family, request) ?? [])
    for (const address of found) this.#occupancy.take(address, request)
    const addresses = request.families.flatMap(
      (family) => [...kept, ...found].find((one) => familyOf(one) === family) ?? [],
    )
    const lacking = request.families.filter((family) => !addresses.some((one) => familyOf(one) === family))
    if (addresses.length === 0) this.#refuse(request, this.#nothingLeft(request, pools, lacking))
    // One family is all that a pool of one family can give to whom either will do.
    else if (!pools.some((one) => lacking.some((family) => hasFamily(one, family)))) this.#assign(request, addresses)
    else this.#assign(request, addresses, this.#nothingLeft(request, pools, lacking))
  }

  #mayKeep(request: AddressRequest, address: Address): boolean {
    if (request.wanted !== undefined && !request.wanted.includes(address)) return false
    if (this.#occupancy.whyNot(address, request) !== undefined) return false
    const pool = this.#findPool(address)
    if (pool === undefined) return request.poolless === true && request.wanted !== undefined
    return pool.usage.has(request.use) && (request.pool === undefined || request.pool === pool.name)
  }

  #cannotHave(request: AddressRequest, address: Address): Omit<Finding, 'object' | 'field'> | undefined {
    if (!request.families.includes(familyOf(address)))
      return {
        code: 'FamilyMismatch',
        says: `${address} is of another family than the object's (IPv${request.families.join(', IPv')})`,
        try: 'ask for an address of its family, or make it dual-stack',
      }
    const user = this.#occupancy.whyNot(address, request)
    if (user !== undefined) return { code: 'AddressInUse', says: `${address} ${user}`, try: 'ask for another address' }
    const pool = this.#findPool(address)
    if (pool === undefined)
      return request.poolless === true
        ? undefined
        : { code: 'NotInPool', says: `${address} is in no pool`, try: 'add it to an IPAddressPool, or ask for another' }
    return this.#cannotUse(pool, request)
  }

  #cannotUse(pool: ExternalPool, request: AddressRequest): Omit<Finding, 'object' | 'field'> | undefined {
    const no = (code: string, says: string, remedy: string) => ({ code, says, try: remedy })
    if (request.pool !== undefined && request.pool !== pool.name)
      return no(
        'PoolMismatch',
        `the address is in pool "${pool.name}", not in "${request.pool}"`,
        'name one of the two',
      )
    if (!pool.usage.has(request.use))
      return no('PoolUsage', `pool "${pool.name}" is not for ${request.use}`, `add ${request.use} to its spec.usage`)
    if (pool.refusal !== undefined)
      return no(pool.refusal.code, `pool "${pool.name}" gives nothing out: ${pool.refusal.says}`, pool.refusal.try)
    if (!poolAllows(pool, request))
      return no('PoolNotAllowed', `pool "${pool.name}" is for others`, 'look at its spec.serviceAllocation')
    return undefined
  }

  /** The pools that the request may be served from, in the order in which they are tried. */
  #candidates(request: AddressRequest): readonly ExternalPool[] {
    const usable = this.#pools.filter(
      (pool) => pool.usage.has(request.use) && pool.refusal === undefined && poolAllows(pool, request),
    )
    if (request.pool !== undefined) return usable.filter(({ name }) => name === request.pool)
    return usable
      .filter(({ autoAssign }) => autoAssign)
      .sort(
        (a, b) =>
          Number(b.pinned) - Number(a.pinned) ||
          (a.priority === b.priority ? 0 : a.priority - b.priority) ||
          (a.name < b.name ? -1 : 1),
      )
  }

  #poolsOf(address: Address): readonly ExternalPool[] {
    const pool = this.#findPool(address)
    return pool === undefined || pool.refusal !== undefined ? [] : [pool]
  }

  #findPool(address: Address): ExternalPool | undefined {
    const has = (pool: ExternalPool) => pool.ranges.some((range) => rangeHas(range, address))
    return this.#pools.find((pool) => pool.refusal === undefined && has(pool)) ?? this.#pools.find(has)
  }

  /** The address that the pool would give: one that the request may share, or else the lowest free one. */
  #peek(pool: ExternalPool, family: Family, request: AddressRequest): Address | undefined {
    const inPool = (address: Address) =>
      familyOf(address) === family && pool.ranges.some((range) => rangeHas(range, address))
    return this.#occupancy.findShared(request, inPool) ?? this.#lowestFree(pool, family)
  }

  #lowestFree(pool: ExternalPool, family: Family): Address | undefined {
    for (const [index, range] of pool.ranges.entries()) {
      if (range.family !== family) continue
      // Nothing is given back within a round, so what was taken below need not be looked at again.
      const id = `${pool.name} ${index}`
      for (let offset = this.#next.get(id) ?? range.first; offset <= range.last; offset++) {
        this.#next.set(id, offset)
        if (pool.avoidBuggyIPs && isBuggy(family, offset)) continue
        const address = addressAt(family, offset)
        if (this.#occupancy.isFree(address)) return address
      }
      this.#next.set(id, range.last + 1n)
    }
    return undefined
  }

  #nothingLeft(
    request: AddressRequest,
    pools: readonly ExternalPool[],
    lacking: readonly Family[],
  ): Omit<Finding, 'object' | 'field'> {
    const named = request.pool === undefined ? undefined : this.#pools.find(({ name }) => name === request.pool)
    if (request.pool !== undefined && named === undefined)
      return { code: 'NoSuchPool', says: `there is no pool "${request.pool}"`, try: 'create it, or name another' }
    const unusable = named && this.#cannotUse(named, request)
    if (unusable !== undefined) return unusable
    if (pools.length === 0)
      return {
        code: 'NoPool',
        says: `no pool gives addresses for ${request.use} to it`,
        try: 'create an IPAddressPool with autoAssign, or look at serviceAllocation of those that there are',
      }
    const names = `pool ${pools.map(({ name }) => `"${name}"`).join(', ')}`
    const full = lacking.filter((family) => pools.some((pool) => hasFamily(pool, family)))
    const none = lacking.filter((family) => !full.includes(family))
    const others = request.families.filter((family) => !none.includes(family))
    if (none.length > 0 && (request.need === 'all' || full.length === 0))
      return {
        code: 'NoSuchFamily',
        says: `no available IPs: ${names} has no ${sayFamilies(none)} addresses`,
        try: `add some${others.length === 0 ? '' : `, or ask for ${sayFamilies(others)} alone`}`,
      }
    return {
      code: 'Exhausted',
      says: `no available IPs: ${names} has no free ${sayFamilies(full)} address left`,
      try: 'add addresses to the pool, or delete what does not need an address of its own',
    }
  }

  #assign(request: AddressRequest, addresses: readonly Address[], lacks?: Omit<Finding, 'object' | 'field'>): void {
    const pool = addresses[0] === undefined ? undefined : this.#findPool(addresses[0])?.name
    const finding = lacks && { ...lacks, object: request.because.object, field: request.because.field }
    this.allocations.set(request.key, { kind: 'assigned', addresses, pool, ...(finding && { lacks: finding }) })
  }

  #refuse(request: AddressRequest, problem: Omit<Finding, 'object' | 'field'>): void {
    const { object, field } = request.because
    this.allocations.set(request.key, { kind: 'refused', finding: { ...problem, object, field } })
  }
}

function hasFamily({ ranges }: ExternalPool, family: Family): boolean {
  return ranges.some((range) => range.family === family)
}

function sayFamilies(families: readonly Family[]): string {
  return families.map((family) => `IPv${family}`).join(' and ')
}

function byAge(a: AddressRequest, b: AddressRequest): number {
  return compare(a.created, b.created) || compare(a.key, b.key)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
