import { type Address, contains, findAddress, type Prefix, prefixFamily } from '../addr/index.ts'
import { AddressPool, type AllocationFailure, type Pick, PortPool, type PortRange } from '../ipam/index.ts'
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
import type { Transaction } from './store.ts'

type Spec = Service['spec']

const addressWords: Record<AllocationFailure, (pool: AddressPool, text: string) => string> = {
  allocated: () => 'provided IP is already allocated',
  full: () => 'range is full',
  outside: (pool, text) =>
    `the provided IP (${text}) is not in the valid range. The range of valid IPs is ${pool.prefix}`,
}

/** Hands out ClusterIPs, node ports and health check ports. Its memory is rebuilt from the stored Services; each step can be undone. */
export class ServiceAllocator {
  readonly families: readonly IpFamily[]
  readonly #addresses = new Map<IpFamily, AddressPool>()
  #ports: PortPool
  readonly #pick: Pick

  constructor(
    prefixes: readonly Prefix[],
    ports: PortRange,
    pick: Pick = (below) => Math.floor(Math.random() * below),
  ) {
    for (const prefix of prefixes)
      this.#addresses.set(prefixFamily(prefix) === 4 ? 'IPv4' : 'IPv6', new AddressPool(prefix))
    this.families = [...this.#addresses.keys()]
    this.#ports = new PortPool(ports)
    this.#pick = pick
  }

  /** Takes what a stored Service holds. */
  load({ spec }: Service): void {
    for (const address of addressesOf(spec)) this.#poolOf(address)?.take(address)
    for (const port of portsOf(spec)) this.#ports.take(port)
  }

  /** Gives the Service what it needs and takes back what it no longer holds; 422 or 500 in upstream's words. */
  allocate(service: Service, old: Service | undefined, transaction: Transaction): void {
    const refused = fillFamilies(service.spec, old?.spec, this.families)
    if (refused.length > 0) throw invalid(service, refused)
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
    const pool = this.#poolOf(address)
    return pool !== undefined && contains(pool.prefix, address)
  }

  holdsPort(port: number): boolean {
    return this.#ports.has(port)
  }

  get portRange(): PortRange {
    return this.#ports.range
  }

  /** Remembers what these Services hold and nothing else. */
  recount(services: readonly Service[], transaction: Transaction): void {
    const before = { addresses: new Map(this.#addresses), ports: this.#ports }
    transaction.onUndo(() => {
      for (const [family, pool] of before.addresses) this.#addresses.set(family, pool)
      this.#ports = before.ports
    })
    for (const [family, { prefix }] of before.addresses) this.#addresses.set(family, new AddressPool(prefix))
    this.#ports = new PortPool(before.ports.range)
    for (const service of services) this.load(service)
  }

  #allocateAddresses(service: Service, held: ReadonlySet<Address>, transaction: Transaction): void {
    const { spec } = service
    if (!needsClusterIp(spec) || isHeadless(spec)) return
    const wanted = spec.clusterIPs ?? []
    spec.clusterIPs = (spec.ipFamilies ?? []).map((family, index) => {
      const pool = this.#addresses.get(family)
      const text = wanted[index] ?? ''
      if (pool === undefined) return text
      return this.#takeAddress(service, pool, text, held, transaction)
    })
    spec.clusterIP = spec.clusterIPs[0] ?? ''
  }

  #takeAddress(
    service: Service,
    pool: AddressPool,
    text: string,
    held: ReadonlySet<Address>,
    transaction: Transaction,
  ): string {
    if (text === '') {
      const next = this.#takeUnrecorded(pool, transaction)
      if (next === undefined) throw new Refusal(errors.internalError('failed to allocate a serviceIP: range is full'))
      transaction.onUndo(() => pool.release(next))
      return next
    }
    const address = findAddress(text)
    if (address !== undefined && held.has(address)) return address
    const failure = address === undefined ? 'outside' : this.#takeThis(service, pool, address, transaction)
    if (failure === undefined) {
      transaction.onUndo(() => pool.release(address!))
      return address!
    }
    const message = `failed to allocate IP ${text}: ${addressWords[failure](pool, text)}`
    throw invalid(service, [fieldError('spec.clusterIPs', JSON.stringify(service.spec.clusterIPs ?? [text]), message)])
  }

  /** An IPAddress that somebody else made takes its address, whoever it says it is for. */
  #takeUnrecorded(pool: AddressPool, transaction: Transaction): Address | undefined {
    const passed: Address[] = []
    let next = pool.takeNext(this.#pick)
    for (; next !== undefined && findRecord(next, transaction) !== undefined; next = pool.takeNext(this.#pick)) {
      passed.push(next)
    }
    for (const address of passed) pool.release(address)
    return next
  }

  #takeThis(
    service: Service,
    pool: AddressPool,
    address: Address,
    transaction: Transaction,
  ): AllocationFailure | undefined {
    const record = findRecord(address, transaction)
    return record !== undefined && !isOf(record, service) ? 'allocated' : pool.take(address)
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
    throw invalid(service, [fieldError(field, String(port), message)])
  }

  #takeNextPort(what: string, transaction: Transaction): number {
    const port = this.#ports.takeNext(this.#pick)
    if (port === undefined) throw new Refusal(errors.internalError(`failed to allocate ${what}: range is full`))
    transaction.onUndo(() => this.#ports.release(port))
    return port
  }

  #releaseAddress(service: Service, address: Address, transaction: Transaction): void {
    forgetAddress(address, service, transaction)
    const pool = this.#poolOf(address)
    if (pool === undefined || !pool.has(address)) return
    pool.release(address)
    transaction.onUndo(() => pool.take(address))
  }

  #releasePort(port: number, transaction: Transaction): void {
    if (!this.#ports.has(port)) return
    this.#ports.release(port)
    transaction.onUndo(() => this.#ports.take(port))
  }

  #poolOf(address: Address): AddressPool | undefined {
    return this.#addresses.get(address.includes(':') ? 'IPv6' : 'IPv4')
  }
}

/** What a Service holds of the address pools. */
export function addressesOf(spec: Spec): Address[] {
  if (!needsClusterIp(spec) || isHeadless(spec)) return []
  return (spec.clusterIPs ?? []).map(findAddress).filter((address) => address !== undefined)
}

/** What a Service holds of the port pool. */
export function portsOf(spec: Spec): number[] {
  const ports = needsNodePort(spec) ? (spec.ports ?? []).map((port) => port.nodePort ?? 0) : []
  if (needsHealthCheckPort(spec)) ports.push(spec.healthCheckNodePort ?? 0)
  return [...new Set(ports)].filter((port) => port !== 0)
}

function fieldError(field: string, value: string, message: string): FieldError {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${value}: ${message}` }
}

function invalid(service: Service, causes: readonly FieldError[]): Refusal {
  return new Refusal(errors.invalid({ group: '', kind: 'Service' }, service.metadata.name, causes))
}
