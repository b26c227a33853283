import { findAddress, findPrefix, hostPrefix, type Prefix } from '../addr/index.ts'
import type { Resource } from '../client/index.ts'
import {
  AddressLedger,
  type AddressRequest,
  type Allocation,
  compilePools,
  poolStatuses,
  type ReservedRange,
  rangeOf,
} from '../ipam/index.ts'
import { type IPAddressPool, type KubeObject, type Node, Nodes, ServiceCIDRs } from '../objects/index.ts'
import type { Context } from './context.ts'
import { withCondition } from './pod-state.ts'
import { writeStatus } from './status-write.ts'

const component = 'plumb-address-pools'

/** How to address an IPAddressPool. */
export const ipAddressPools: Resource = {
  group: 'plumb.network',
  version: 'v1alpha1',
  plural: 'ipaddresspools',
  namespaced: false,
  kind: 'IPAddressPool',
}

/** The addresses of all pools and who has them, one for all controllers: two that use the same pool never give an address twice. */
export interface ExternalAddresses {
  /** Tells what an object asks for now; `onChange` tells what it gets. */
  put(request: AddressRequest): void
  delete(key: string): void
  find(key: string): Allocation | undefined
  /** Calls back with the key of each request whose allocation changed. */
  onChange(listener: (key: string) => void): void
}

const byContext = new WeakMap<Context, ExternalAddresses>()

/** The one of these controllers; it follows the pools and writes their status. */
export function externalAddresses(context: Context): ExternalAddresses {
  const known = byContext.get(context)
  if (known !== undefined) return known
  const opened = open(context)
  byContext.set(context, opened)
  return opened
}

interface ServiceCidr extends KubeObject {
  readonly spec?: { readonly cidrs?: readonly string[] }
}

function open(context: Context): ExternalAddresses {
  const pools = context.informer<IPAddressPool>(ipAddressPools, { optional: true })
  const nodes = context.informer<Node>(Nodes)
  const serviceCidrs = context.informer<ServiceCidr>(ServiceCIDRs, { optional: true })
  const ledger = new AddressLedger()
  const listeners: ((key: string) => void)[] = []
  let stale = true
  const queue = context.queue({
    name: 'external-addresses',
    workers: 1,
    async work() {
      if (stale) ledger.setPools(compilePools(pools.values(), reservedRanges(nodes.values(), serviceCidrs.values())))
      stale = false
      for (const key of ledger.settle()) for (const listener of listeners) listener(key)
      const statuses = poolStatuses(ledger.pools, ledger.allocations.values())
      for (const [name, status] of statuses) await writePoolStatus(context, pools.get(name), status)
    },
  })
  const wake = () => queue.add('all')
  const recompile = () => {
    stale = true
    wake()
  }
  context.onClose(
    pools.onChange((old, pool) => {
      if (pool === undefined || JSON.stringify(old?.spec) !== JSON.stringify(pool.spec)) recompile()
    }),
  )
  context.onClose(
    nodes.onChange((old, node) => {
      if (String(old && rangesOfNode(old).map(render)) !== String(node && rangesOfNode(node).map(render))) recompile()
    }),
  )
  context.onClose(serviceCidrs.onChange(recompile))
  return {
    put(request) {
      ledger.put(request)
      wake()
    },
    delete(key) {
      ledger.delete(key)
      wake()
    },
    find: (key) => ledger.allocations.get(key),
    onChange: (listener) => void listeners.push(listener),
  }
}

async function writePoolStatus(
  context: Context,
  pool: IPAddressPool | undefined,
  status: Required<NonNullable<IPAddressPool['status']>>,
): Promise<void> {
  if (pool === undefined || pool.metadata.deletionTimestamp !== undefined) return
  const old = pool.status?.conditions ?? []
  const conditions = status.conditions.reduce((all, one) => withCondition(all, one, context.now()), [...old])
  await writeStatus(context, ipAddressPools, pool, { ...status, conditions })
  for (const { type, status: state, reason = '', message = '' } of status.conditions) {
    const before = old.find((one) => one.type === type)
    if (before?.status === state && before.reason === reason) continue
    if (state === 'False') context.events.record(pool, 'Warning', reason, message, component)
  }
}

/** What no pool may contain: nodes, their pods, and the addresses of Services. */
function reservedRanges(nodes: Iterable<Node>, cidrs: Iterable<ServiceCidr>): ReservedRange[] {
  const services = [...cidrs].flatMap(({ metadata, spec }) =>
    (spec?.cidrs ?? []).flatMap((text, index) =>
      reserve(`servicecidr/${metadata.name}`, `spec.cidrs[${index}]`, findPrefix(text, true)),
    ),
  )
  return [...[...nodes].flatMap(rangesOfNode), ...services]
}

function rangesOfNode({ metadata, spec, status }: Node): ReservedRange[] {
  const object = `node/${metadata.name}`
  const own = (status?.addresses ?? []).flatMap(({ address }, index) => {
    const found = findAddress(address)
    return reserve(object, `status.addresses[${index}]`, found && hostPrefix(found))
  })
  const pods = (spec?.podCIDRs ?? []).flatMap((text, index) =>
    reserve(object, `spec.podCIDRs[${index}]`, findPrefix(text, true)),
  )
  return [...own, ...pods]
}

function reserve(object: string, field: string, prefix: Prefix | undefined): ReservedRange[] {
  return prefix === undefined ? [] : [{ range: rangeOf(prefix), because: { object, field, value: prefix } }]
}

function render({ because }: ReservedRange): string {
  return `${because.field} ${because.value}`
}
