import { type Address, contains, findPrefix, type Prefix, prefixAddress, prefixLength } from '../addr/index.ts'
import type { AddressRange } from '../ipam/index.ts'
import type { Condition, KubeObject } from '../objects/index.ts'
import { type IPAddress, ipAddresses, isManaged } from './ip-address.ts'
import type { Scope } from './scope.ts'
import type { ServiceAllocator } from './service-allocation.ts'
import type { Transaction } from './store.ts'
import { timestamp } from './value.ts'

/** The collection of ServiceCIDR objects (KEP-1880). */
export const serviceCidrs = 'networking.k8s.io/servicecidrs'

/** Holds a ServiceCIDR until no address needs it. */
export const protectionFinalizer = 'networking.k8s.io/service-cidr-finalizer'

/** Prefixes that ClusterIPs come from, at most one per family. */
export interface ServiceCidr extends KubeObject {
  spec?: { cidrs?: string[] }
  status?: { conditions?: Condition[] }
}

type Reader = Pick<Transaction, 'range'>

/** What upstream's controller does after a write of a ServiceCIDR, done within it: the finalizer, and the condition Ready. */
export function admitServiceCidr({ collection }: Pick<Scope, 'collection'>, object: KubeObject): void {
  if (collection !== serviceCidrs || isGoing(object)) return
  const { metadata } = object
  if (!metadata.finalizers?.includes(protectionFinalizer))
    metadata.finalizers = [...(metadata.finalizers ?? []), protectionFinalizer]
  setReady(object, { status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' })
}

/** Says that addresses hold a ServiceCIDR which is to be deleted. */
export function markBlocked(object: ServiceCidr): void {
  const message =
    'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR'
  setReady(object, { status: 'False', reason: 'Terminating', message })
}

function setReady(object: ServiceCidr, wanted: Pick<Condition, 'status' | 'reason' | 'message'>): void {
  const conditions = object.status?.conditions ?? []
  const old = conditions.find(({ type }) => type === 'Ready')
  const { status, reason, message } = wanted
  if (old?.status === status && old.reason === reason && old.message === message) return
  const lastTransitionTime = old?.status === status ? old.lastTransitionTime : timestamp()
  const ready = { type: 'Ready', status, lastTransitionTime: lastTransitionTime ?? timestamp(), reason, message }
  object.status = { ...object.status, conditions: [...conditions.filter((one) => one !== old), ready] as Condition[] }
}

/** After a write: the allocator's prefixes are those of the objects. */
export function followRanges(collection: string, allocator: ServiceAllocator, transaction: Transaction): void {
  if (collection === serviceCidrs) allocator.setRanges(rangesOf(transaction), transaction)
}

/** The prefixes of the ServiceCIDR objects; those of one that is to be deleted give nothing out. In order of names. */
export function rangesOf(reader: Reader): readonly AddressRange[] {
  return all(reader).flatMap((cidr) => prefixesOf(cidr).map((prefix) => ({ prefix, open: !isGoing(cidr) })))
}

/** Whether addresses of Services would be in no ServiceCIDR without this one. */
export function isNeeded(cidr: ServiceCidr, reader: Reader): boolean {
  const others = all(reader)
    .filter((other) => other.metadata.name !== cidr.metadata.name && !isGoing(other))
    .flatMap(prefixesOf)
  const prefixes = prefixesOf(cidr)
  if (prefixes.every((prefix) => others.some((other) => isPartOf(prefix, other)))) return false
  for (const { key, value } of reader.range(ipAddresses, '')) {
    if (!isManaged(value as IPAddress)) continue
    const has = (prefix: Prefix) => contains(prefix, key as Address)
    if (prefixes.some(has) && !others.some(has)) return true
  }
  return false
}

/** Whether the ServiceCIDR is on its way out. */
export function isGoing({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined
}

function all(reader: Reader): readonly ServiceCidr[] {
  return [...reader.range(serviceCidrs, '')].map(({ value }) => value as ServiceCidr)
}

function prefixesOf({ spec }: ServiceCidr): readonly Prefix[] {
  return (spec?.cidrs ?? []).flatMap((text) => findPrefix(text) ?? [])
}

function isPartOf(inner: Prefix, outer: Prefix): boolean {
  return prefixLength(inner) >= prefixLength(outer) && contains(outer, prefixAddress(inner))
}
