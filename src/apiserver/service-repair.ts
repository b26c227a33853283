import { findAddress } from '../addr/index.ts'
import type { KubeObject, Service } from '../objects/index.ts'
import type { Core } from './core.ts'
import type { StoreEvent } from './entry.ts'
import {
  findRecord,
  type IPAddress,
  ipAddresses,
  isLabelled,
  isManaged,
  isOf,
  recordAddress,
  refersToService,
} from './ip-address.ts'
import { warnAbout } from './repair-event.ts'
import { ipFamilyOf, isHeadless, needsClusterIp } from './service-families.ts'
import { addressesOf, portsOf } from './service-holdings.ts'
import type { Transaction } from './store.ts'

const services = '/services'

/** kube-apiserver's `--service-node-port` repair interval. */
const intervalMs = 3 * 60_000

/** How long a record without its Service stays, as upstream. */
const orphanMs = 60_000

const addressReporter = 'ipallocator-repair-controller'
const portReporter = 'portallocator-repair-controller'

/**
 * Brings records, the allocator's memory and the Services together again: at the start, every three minutes, and when somebody
 * deletes the record of an address that is in use. Services are never changed; what they must not have is an event about them.
 */
export function startServiceRepair(core: Core): { stop(): void } {
  let waiting = false
  const pass = (): void => {
    if (waiting) return
    waiting = true
    core.store
      .write((transaction) => repairServices(core, transaction))
      .catch((error: unknown) => {
        core.metrics.count('apiserver_clusterip_repair_reconcile_errors_total')
        console.error(error)
      })
      .finally(() => {
        waiting = false
      })
  }
  const stop = core.store.subscribe(ipAddresses, (events) => {
    if (events.some((event) => isLost(core, event))) pass()
  })
  const timer = setInterval(pass, intervalMs)
  timer.unref()
  pass()
  return {
    stop() {
      stop()
      clearInterval(timer)
    },
  }
}

/** A record is gone, and its Service still has the address. */
function isLost({ store }: Core, { type, entry }: StoreEvent): boolean {
  const key = type === 'DELETED' ? refersToService(entry.value as IPAddress) : undefined
  const service = key === undefined ? undefined : (store.collection(services).find(key)?.value as Service | undefined)
  return service !== undefined && addressesOf(service.spec).some((address) => address === entry.key)
}

/** One pass over all Services and records. */
export function repairServices(core: Core, transaction: Transaction, now = Date.now()): void {
  const all = [...transaction.range(services, '')].map(({ value }) => value as Service).sort(byAge)
  // A store from before records were kept: nothing is lost there.
  const young = transaction.range(ipAddresses, '').next().done === true
  for (const service of all) repairAddresses(core, service, transaction, young)
  repairPorts(core, all, transaction)
  collectOrphans(core, transaction, now)
  core.allocator.recount(all, transaction)
}

function repairAddresses(core: Core, service: Service, transaction: Transaction, young: boolean): void {
  const { spec, metadata } = service
  if (!needsClusterIp(spec) || isHeadless(spec)) return
  const place = `${metadata.namespace}/${metadata.name}`
  for (const text of spec.clusterIPs ?? []) {
    const address = findAddress(text)
    const tell = (type: string, reason: string, message: string): void => {
      core.metrics.count('apiserver_clusterip_repair_ip_errors_total', type)
      const action = reason === 'ClusterIPNotValid' ? 'ClusterIPValidation' : 'ClusterIPAllocation'
      warnAbout(service, { reason, action, message, reporter: addressReporter }, transaction)
    }
    if (address === undefined) {
      tell('invalid', 'ClusterIPNotValid', `Cluster IP ${text} is not a valid IP; please recreate Service`)
      continue
    }
    const family = ipFamilyOf(address)
    if (!core.allocator.covers(address)) {
      const message = `Cluster IP [${family}]: ${text} is not within any configured Service CIDR; please recreate service`
      tell('outOfRange', 'ClusterIPOutOfRange', message)
      continue
    }
    const record = findRecord(address, transaction)
    if (record !== undefined && isOf(record, service)) {
      if (!isLabelled(record, address)) recordAddress(address, service, transaction)
      continue
    }
    const holder = record && holderOf(record, transaction)
    if (holder !== undefined) {
      const message = `Cluster IP [${family}]: ${text} was assigned to multiple services; please recreate service`
      tell('duplicate', 'ClusterIPAlreadyAllocated', message)
      continue
    }
    recordAddress(address, service, transaction)
    if (young) continue
    const says =
      record === undefined
        ? `Cluster IP [${family}]: ${text} is not allocated; repairing`
        : `the ClusterIP [${family}]: ${text} for Service ${place} has a wrong reference; repairing`
    tell('repair', 'ClusterIPNotAllocated', says)
  }
}

/** The Service that a record names, if it has the address. */
function holderOf(record: IPAddress, transaction: Transaction): Service | undefined {
  const key = refersToService(record)
  const service = key === undefined ? undefined : (transaction.find(services, key)?.value as Service | undefined)
  return service !== undefined && addressesOf(service.spec).some((one) => one === record.metadata.name)
    ? service
    : undefined
}

function repairPorts(core: Core, all: readonly Service[], transaction: Transaction): void {
  const seen = new Set<number>()
  for (const service of all) {
    const tell = (type: string, reason: string, message: string): void => {
      core.metrics.count('apiserver_nodeport_repair_port_errors_total', type)
      warnAbout(service, { reason, action: 'PortAllocation', message, reporter: portReporter }, transaction)
    }
    for (const port of portsOf(service.spec)) {
      const { first, last } = core.allocator.portRange
      if (port < first || port > last) {
        const message = `Port ${port} is not within the port range ${first}-${last}; please recreate service`
        tell('outOfRange', 'PortOutOfRange', message)
      } else if (seen.has(port)) {
        const message = `Port ${port} was assigned to multiple services; please recreate service`
        tell('duplicate', 'PortAlreadyAllocated', message)
      } else if (!core.allocator.holdsPort(port)) {
        tell('repair', 'PortNotAllocated', `Port ${port} is not allocated; repairing`)
      }
      seen.add(port)
    }
  }
}

function collectOrphans(core: Core, transaction: Transaction, now: number): void {
  for (const { key, value } of [...transaction.range(ipAddresses, '')]) {
    const record = value as IPAddress
    const age = now - Date.parse(record.metadata.creationTimestamp ?? '')
    if (!isManaged(record) || age < orphanMs || holderOf(record, transaction) !== undefined) continue
    transaction.remove(ipAddresses, key)
    core.metrics.count('apiserver_clusterip_repair_ip_errors_total', 'leak')
    const { namespace = '', name = '' } = record.spec?.parentRef ?? {}
    const message = `IPAddress: ${key} for Service ${namespace}/${name} appears to have leaked: cleaning up`
    const what = { reason: 'IPAddressNotAllocated', action: 'IPAddressAllocation', message, reporter: addressReporter }
    warnAbout(record, what, transaction)
  }
}

/** The older first, so that of two with one allocation the younger is told. */
function byAge(a: KubeObject, b: KubeObject): number {
  const key = ({ metadata }: KubeObject): string =>
    `${metadata.creationTimestamp ?? ''} ${metadata.namespace}/${metadata.name}`
  return key(a) < key(b) ? -1 : 1
}
