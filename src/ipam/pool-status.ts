import { type Address, type Family, familyOf } from '../addr/index.ts'
import type { Condition, IPAddressPoolStatus } from '../objects/index.ts'
import { rangeHas, rangeSize } from './address-range.ts'
import type { Allocation } from './address-request.ts'
import type { ExternalPool } from './external-pool.ts'

/** How many addresses of each pool are in use and left, and whether it gives any out. */
export function poolStatuses(
  pools: readonly ExternalPool[],
  allocations: Iterable<Allocation>,
): ReadonlyMap<string, Required<IPAddressPoolStatus>> {
  const used = new Map<string, Set<Address>>(pools.map(({ name }) => [name, new Set()]))
  for (const allocation of allocations) {
    if (allocation.kind !== 'assigned' || allocation.pool === undefined) continue
    for (const address of allocation.addresses) used.get(allocation.pool)?.add(address)
  }
  return new Map(pools.map((pool) => [pool.name, poolStatus(pool, used.get(pool.name) ?? new Set())]))
}

function poolStatus(pool: ExternalPool, used: ReadonlySet<Address>): Required<IPAddressPoolStatus> {
  const assigned = (family: Family) => [...used].filter((address) => familyOf(address) === family).length
  const available = (family: Family) => {
    let total = 0n
    for (const range of pool.ranges) if (range.family === family) total += rangeSize(range, pool.avoidBuggyIPs)
    const left =
      total -
      BigInt(
        [...used].filter((one) => pool.ranges.some((range) => range.family === family && rangeHas(range, one))).length,
      )
    return left > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(left)
  }
  const counts = {
    assignedIPv4: assigned(4),
    assignedIPv6: assigned(6),
    availableIPv4: available(4),
    availableIPv6: available(6),
  }
  return { ...counts, conditions: [readyCondition(pool, counts.availableIPv4 + counts.availableIPv6)] }
}

function readyCondition(pool: ExternalPool, available: number): Condition {
  const problem = pool.refusal ?? pool.findings[0]
  if (pool.refusal !== undefined || (problem !== undefined && pool.ranges.length === 0))
    return {
      type: 'Ready',
      status: 'False',
      reason: problem!.code,
      message: `${problem!.field}: ${problem!.says}; ${problem!.try}`,
    }
  if (available === 0)
    return {
      type: 'Ready',
      status: 'False',
      reason: 'Exhausted',
      message: 'spec.addresses: every address is in use; add more',
    }
  if (problem !== undefined)
    return {
      type: 'Ready',
      status: 'True',
      reason: problem.code,
      message: `${problem.field}: ${problem.says}; ${problem.try}`,
    }
  return { type: 'Ready', status: 'True', reason: 'Ready', message: 'addresses are given out' }
}
