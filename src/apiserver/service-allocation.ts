import { type Address, findAddress, type Prefix, prefixFamily } from '../addr/index.ts'
import { AddressPool, type AllocationFailure, type Pick, PortPool, type PortRange } from '../ipam/index.ts'
import { errors, type FieldError, type Service } from '../objects/index.ts'
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
type Undoable = { readonly onUndo: Transaction['onUndo'] }

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
  readonly #ports: PortPool
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
  allocate(service: Service, old: Service | undefined, transaction: Undoable): void {
    const refused = fillFamilies(service.spec, old?.spec, this.families)
    if (refused.length > 0) throw invalid(service, refused)
    const held = { addresses: new Set(old ? addressesOf(old.spec) : []), ports: new Set(old ? portsOf(old.spec) : []) }
    this.#allocateAddresses(service, held.addresses, transaction)
    this.#allocatePorts(service, held.ports, transaction)
    const kept = { addresses: new Set(addressesOf(service.spec)), ports: new Set(portsOf(service.spec)) }
    for (const address of held.addresses) if (!kept.addresses.has(address)) this.#releaseAddress(address, transaction)
    for (const port of held.ports) if (!kept.ports.has(port)) this.#releasePort(port, transaction)
  }

  /** Takes everything back from a Service that is gone. */
  release({ spec }: Service, transaction: Undoable): void {
    for (const address of addressesOf(spec)) this.#releaseAddress(address, transaction)
    for (const port of portsOf(spec)) this.#releasePort(port, transaction)
  }

  #allocateAddresses(service: Service, held: ReadonlySet<Address>, transaction: Undoable): void {
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
    transaction: Undoable,
  ): string {
    if (text === '') {
      const next = pool.takeNext(this.#pick)
      if (next === undefined) throw new Refusal(errors.internalError('failed to allocate a serviceIP: range is full'))
      transaction.onUndo(() => pool.release(next))
      return next
    }
    const address = findAddress(text)
    if (address !== undefined && held.has(address)) return address
    const failure = address === undefined ? 'outside' : pool.take(address)
    if (failure === undefined) {
      transaction.onUndo(() => pool.release(address!))
      return address!
    }
    const message = `failed to allocate IP ${text}: ${addressWords[failure](pool, text)}`
    throw invalid(service, [fieldError('spec.clusterIPs', JSON.stringify(service.spec.clusterIPs ?? [text]), message)])
  }

  #allocatePorts(service: Service, held: ReadonlySet<number>, transaction: Undoable): void {
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

  #takePort(service: Service, port: number, field: string, transaction: Undoable): void {
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

  #takeNextPort(what: string, transaction: Undoable): number {
    const port = this.#ports.takeNext(this.#pick)
    if (port === undefined) throw new Refusal(errors.internalError(`failed to allocate ${what}: range is full`))
    transaction.onUndo(() => this.#ports.release(port))
    return port
  }

  #releaseAddress(address: Address, transaction: Undoable): void {
    const pool = this.#poolOf(address)
    if (pool === undefined || !pool.has(address)) return
    pool.release(address)
    transaction.onUndo(() => pool.take(address))
  }

  #releasePort(port: number, transaction: Undoable): void {
    if (!this.#ports.has(port)) return
    this.#ports.release(port)
    transaction.onUndo(() => this.#ports.take(port))
  }

  #poolOf(address: Address): AddressPool | undefined {
    return this.#addresses.get(address.includes(':') ? 'IPv6' : 'IPv4')
  }
}

/** What a Service holds of the address pools. */
function addressesOf(spec: Spec): Address[] {
  if (!needsClusterIp(spec) || isHeadless(spec)) return []
  return (spec.clusterIPs ?? []).map(findAddress).filter((address) => address !== undefined)
}

/** What a Service holds of the port pool. */
function portsOf(spec: Spec): number[] {
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
