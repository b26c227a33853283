import { isDeepStrictEqual } from 'node:util'
import { type Address, findAddress, type Prefix, prefixFamily } from '../addr/index.ts'
import {
  AddressPools,
  type AddressRange,
  type AllocationFailure,
  type Pick,
  PortPool,
  type PortRange,
} from '../ipam/index.ts'
import { errors, type FieldError, type Service } from '../objects/index.ts'
import { findRecord, forgetAddress, isOf, recordAddress } from './ip-address.ts'
import { Refusal } from './refusal.ts'
import {
  fillFamilies,
  type IpFamily,
  isHeadless,
  needsClusterIp,
  needsHealthCheckPort,
  needsNodePort,
} from './service-families.ts'
import { addressesOf, portsOf } from './service-holdings.ts'
import type { Transaction } from './store.ts'

const kind = { group: '', kind: 'Service' }

const addressWords: Record<AllocationFailure, (pools: AddressPools, text: string) => string> = {
  allocated: () => 'provided IP is already allocated',
  full: () => 'range is full',
  outside: ({ prefixes }, text) =>
    `the provided IP (${text}) is not in the valid range. The range of valid IPs is ${prefixes.join(', ')}`,
}

/** Hands out ClusterIPs, node ports and health check ports. Its memory is rebuilt from the stored Services; each step can be undone. */
export class ServiceAllocator {
  readonly families: readonly IpFamily[]
  #ranges: readonly AddressRange[]
  #addresses: ReadonlyMap<IpFamily, AddressPools>
  #ports: PortPool
  readonly #pick: Pick

  /** The families are those of `prefixes`, which give addresses out until ServiceCIDRs are told. */
  constructor(
    prefixes: readonly Prefix[],
    ports: PortRange,
    pick: Pick = (below) => Math.floor(Math.random() * below),
  ) {
    this.families = [...new Set(prefixes.map((prefix): IpFamily => (prefixFamily(prefix) === 4 ? 'IPv4' : 'IPv6')))]
    this.#ranges = prefixes.map((prefix) => ({ prefix, open: true }))
    this.#addresses = this.#openPools(this.#ranges)
    this.#ports = new PortPool(ports)
    this.#pick = pick
  }

  /** From now on ClusterIPs come from these prefixes, as far as they are of the cluster's families. */
  setRanges(ranges: readonly AddressRange[], transaction: Transaction): void {
    if (isDeepStrictEqual(ranges, this.#ranges)) return
    const before = { ranges: this.#ranges, addresses: this.#addresses }
    transaction.onUndo(() => {
      this.#ranges = before.ranges
      this.#addresses = before.addresses
    })
    this.#ranges = ranges
    this.#addresses = this.#openPools(ranges)
    for (const { value } of transaction.range('/services', '')) this.#loadAddresses(value as Service)
  }

  /** Takes what a stored Service holds. */
  load(service: Service): void {
    this.#loadAddresses(service)
    for (const port of portsOf(service.spec)) this.#ports.take(port)
  }

  /** Gives the Service what it needs and takes back what it no longer holds; 422 or 500 in upstream's words. */
  allocate(service: Service, old: Service | undefined, transaction: Transaction): void {
    const refused = fillFamilies(service.spec, old?.spec, this.families)
    if (refused.length > 0) throw new Refusal(errors.invalid(kind, service.metadata.name, refused))
    const held = { addresses: new Set(old ? addressesOf(old.spec) : []), ports: new Set(old ? portsOf(old.spec) : []) }
    this.#allocateAddresses(service, held.addresses, transaction)
    this.#allocatePorts(service, held.ports, transaction)
    const kept = { addresses: new Set(addressesOf(service.spec)), ports: new Set(portsOf(service.spec)) }
    for (const address of held.addresses) {
      if (!kept.addresses.has(address)) this.#releaseAddress(service, address, transaction)
    }
    for (const address of kept.addresses) {
      if (!held.addresses.has(address) && this.covers(address)) recordAddress(address, service, transaction)
    }
    for (const port of held.ports) if (!kept.ports.has(port)) this.#releasePort(port, transaction)
  }

  /** Takes everything back from a Service that is gone. */
  release(service: Service, transaction: Transaction): void {
    for (const address of addressesOf(service.spec)) this.#releaseAddress(service, address, transaction)
    for (const port of portsOf(service.spec)) this.#releasePort(port, transaction)
  }

  /** Whether the address is within a prefix of the cluster's. */
  covers(address: Address): boolean {
    return this.#poolsOf(address)?.covers(address) === true
  }

  holdsPort(port: number): boolean {
    return this.#ports.has(port)
  }

  get portRange(): PortRange {
    return this.#ports.range
  }

  /** Remembers what these Services hold and nothing else. */
  recount(services: readonly Service[], transaction: Transaction): void {
    const before = { addresses: this.#addresses, ports: this.#ports }
    transaction.onUndo(() => {
      this.#addresses = before.addresses
      this.#ports = before.ports
    })
    this.#addresses = this.#openPools(this.#ranges)
    this.#ports = new PortPool(before.ports.range)
    for (const service of services) this.load(service)
  }

  #allocateAddresses(service: Service, held: ReadonlySet<Address>, transaction: Transaction): void {
    const { spec } = service
    if (!needsClusterIp(spec) || isHeadless(spec)) return
    const wanted = spec.clusterIPs ?? []
    spec.clusterIPs = (spec.ipFamilies ?? []).map((family, index) => {
      const pools = this.#addresses.get(family)
      const text = wanted[index] ?? ''
      if (pools === undefined) return text
      return this.#takeAddress(service, pools, text, held, transaction)
    })
    spec.clusterIP = spec.clusterIPs[0] ?? ''
  }

  #takeAddress(
    service: Service,
    pools: AddressPools,
    text: string,
    held: ReadonlySet<Address>,
    transaction: Transaction,
  ): string {
    if (text === '') {
      const next = this.#takeUnrecorded(pools, transaction)
      if (next === undefined) throw new Refusal(errors.internalError('failed to allocate a serviceIP: range is full'))
      transaction.onUndo(() => pools.release(next))
      return next
    }
    const address = findAddress(text)
    if (address !== undefined && held.has(address)) return address
    const failure = address === undefined ? 'outside' : this.#takeThis(service, pools, address, transaction)
    if (failure === undefined) {
      transaction.onUndo(() => pools.release(address!))
      return address!
    }
    const message = `failed to allocate IP ${text}: ${addressWords[failure](pools, text)}`
    throw invalid(service, 'spec.clusterIPs', JSON.stringify(service.spec.clusterIPs ?? [text]), message)
  }

  /** An IPAddress that somebody else made takes its address, whoever it says it is for. */
  #takeUnrecorded(pools: AddressPools, transaction: Transaction): Address | undefined {
    const passed: Address[] = []
    let next = pools.takeNext(this.#pick)
    for (; next !== undefined && findRecord(next, transaction) !== undefined; next = pools.takeNext(this.#pick)) {
      passed.push(next)
    }
    for (const address of passed) pools.release(address)
    return next
  }

  #takeThis(
    service: Service,
    pools: AddressPools,
    address: Address,
    transaction: Transaction,
  ): AllocationFailure | undefined {
    const record = findRecord(address, transaction)
    return record !== undefined && !isOf(record, service) ? 'allocated' : pools.take(address)
  }

  #allocatePorts(service: Service, held: ReadonlySet<number>, transaction: Transaction): void {
    const { spec } = service
    const mine = new Set<number>()
    const take = (port: number, field: string) => {
      if (mine.has(port)) return
      mine.add(port)
      if (!held.has(port)) this.#takePort(service, port, field, transaction)
    }
    const ports = needsNodePort(spec) ? (spec.ports ?? []) : []
    for (const [index, port] of ports.entries()) if (port.nodePort) take(port.nodePort, `spec.ports[${index}].nodePort`)
    for (const port of ports) {
      if (port.nodePort || spec.allocateLoadBalancerNodePorts === false) continue
      // The same number under TCP and UDP in one Service shares a node port.
      const twin = ports.find((other) => other.port === port.port && other.protocol !== port.protocol && other.nodePort)
      port.nodePort = twin?.nodePort ?? this.#takeNextPort('a nodePort', transaction)
      mine.add(port.nodePort)
    }
    if (!needsHealthCheckPort(spec)) return
    if (spec.healthCheckNodePort) take(spec.healthCheckNodePort, 'spec.healthCheckNodePort')
    else spec.healthCheckNodePort = this.#takeNextPort('a HealthCheck NodePort', transaction)
  }

  #takePort(service: Service, port: number, field: string, transaction: Transaction): void {
    const failure = this.#ports.take(port)
    if (failure === undefined) {
      transaction.onUndo(() => this.#ports.release(port))
      return
    }
    const { first, last } = this.#ports.range
    const message =
      failure === 'outside'
        ? `provided port is not in the valid range. The range of valid ports is ${first}-${last}`
        : 'provided port is already allocated'
    throw invalid(service, field, String(port), message)
  }

  #takeNextPort(what: string, transaction: Transaction): number {
    const port = this.#ports.takeNext(this.#pick)
    if (port === undefined) throw new Refusal(errors.internalError(`failed to allocate ${what}: range is full`))
    transaction.onUndo(() => this.#ports.release(port))
    return port
  }

  #releaseAddress(service: Service, address: Address, transaction: Transaction): void {
    forgetAddress(address, service, transaction)
    const pools = this.#poolsOf(address)
    if (pools === undefined || !pools.has(address)) return
    pools.release(address)
    transaction.onUndo(() => pools.load(address))
  }

  #releasePort(port: number, transaction: Transaction): void {
    if (!this.#ports.has(port)) return
    this.#ports.release(port)
    transaction.onUndo(() => this.#ports.take(port))
  }

  #openPools(ranges: readonly AddressRange[]): ReadonlyMap<IpFamily, AddressPools> {
    const of = (family: IpFamily) => ranges.filter(({ prefix }) => prefix.includes(':') === (family === 'IPv6'))
    return new Map(this.families.map((family) => [family, new AddressPools(of(family))]))
  }

  #loadAddresses({ spec }: Service): void {
    for (const address of addressesOf(spec)) this.#poolsOf(address)?.load(address)
  }

  #poolsOf(address: Address): AddressPools | undefined {
    return this.#addresses.get(address.includes(':') ? 'IPv6' : 'IPv4')
  }
}

function invalid({ metadata }: Service, field: string, value: string, says: string): Refusal {
  const cause: FieldError = { reason: 'FieldValueInvalid', field, message: `Invalid value: ${value}: ${says}` }
  return new Refusal(errors.invalid(kind, metadata.name, [cause]))
}
