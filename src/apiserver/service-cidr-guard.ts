import { getKind, type KubeObject } from '../objects/index.ts'
import type { Core } from './core.ts'
import { ipAddresses } from './ip-address.ts'
import { collectionOf, type Scope } from './scope.ts'
import { ensureServiceCidr, systemUser } from './seed.ts'
import { admitServiceCidr, isGoing, isNeeded, markBlocked, protectionFinalizer, serviceCidrs } from './service-cidr.ts'
import type { Transaction } from './store.ts'
import { copyOf } from './value.ts'
import { replaceState } from './write.ts'

/**
 * Lets a deleted ServiceCIDR go when no address needs it any more, and makes the first one again when it is gone, as upstream's
 * controllers. Nothing waits for allocators to learn of a deletion: the one that there is learnt of it with the write. Runs for the life of the store.
 */
export function startServiceCidrGuard(core: Core, prefixes: readonly string[]): void {
  let queued = false
  const look = () => {
    if (queued) return
    queued = true
    const work = (transaction: Transaction) => {
      queued = false
      for (const { value } of [...transaction.range(serviceCidrs, '')]) settle(core, value, transaction)
      ensureServiceCidr(core, transaction, prefixes)
    }
    core.store.write(work).catch((error) => console.error(error))
  }
  core.store.subscribe(serviceCidrs, look)
  core.store.subscribe(ipAddresses, (events) => {
    const waits = [...core.store.collection(serviceCidrs).range('')].some(({ value }) => isGoing(value))
    if (waits && events.some(({ type }) => type === 'DELETED')) look()
  })
  look()
}

function settle(core: Core, stored: KubeObject, transaction: Transaction): void {
  const { name } = stored.metadata
  const current = transaction.find(serviceCidrs, name)
  if (current === undefined) return
  const object = copyOf(stored)
  if (!isGoing(object)) admitServiceCidr({ collection: serviceCidrs }, object)
  else if (isNeeded(object, transaction)) markBlocked(object)
  else object.metadata.finalizers = object.metadata.finalizers?.filter((item) => item !== protectionFinalizer)
  const kind = getKind('ServiceCIDR')
  const at = { namespace: undefined, name, subresource: undefined, user: systemUser }
  const scope: Scope = { kind, collection: collectionOf(kind), ...at }
  replaceState(scope, current, object, core.allocator, transaction)
}
