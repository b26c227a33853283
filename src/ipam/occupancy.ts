import type { Address } from '../addr/index.ts'
import type { AddressRequest, Sharing } from './address-request.ts'

interface Occupant {
  readonly users: string[]
  readonly sharing: Sharing | undefined
  readonly ports: Set<string>
}

/** Which addresses are in use, by whom, and who may join in. */
export class Occupancy {
  readonly #byAddress = new Map<Address, Occupant>()
  readonly #bySharingKey = new Map<string, Set<Address>>()

  isFree(address: Address): boolean {
    return !this.#byAddress.has(address)
  }

  /** Why the request may not have the address, in words that follow it; undefined when it may. */
  whyNot(address: Address, { key, sharing }: AddressRequest): string | undefined {
    const occupant = this.#byAddress.get(address)
    if (occupant === undefined || occupant.users.includes(key)) return undefined
    // Who shares it may differ from one time to the next; the key does not.
    const by =
      occupant.sharing === undefined
        ? `is in use by ${occupant.users[0]}`
        : `is shared under the key "${occupant.sharing.key}"`
    if (sharing === undefined || occupant.sharing?.key !== sharing.key) return by
    const port = sharing.ports.find((one) => occupant.ports.has(one))
    if (port !== undefined) return `${by}, and its port ${port} is taken`
    if (occupant.sharing.backend !== sharing.backend)
      return `${by} by Services with other endpoints (externalTrafficPolicy or selector)`
    return undefined
  }

  take(address: Address, { key, sharing }: AddressRequest): void {
    const occupant = this.#byAddress.get(address) ?? { users: [], sharing, ports: new Set<string>() }
    occupant.users.push(key)
    for (const port of sharing?.ports ?? []) occupant.ports.add(port)
    this.#byAddress.set(address, occupant)
    if (sharing === undefined) return
    const addresses = this.#bySharingKey.get(sharing.key) ?? new Set()
    this.#bySharingKey.set(sharing.key, addresses.add(address))
  }

  /** An address in use that the request may share. */
  findShared(request: AddressRequest, fits: (address: Address) => boolean): Address | undefined {
    if (request.sharing === undefined) return undefined
    for (const address of this.#bySharingKey.get(request.sharing.key) ?? [])
      if (fits(address) && this.whyNot(address, request) === undefined) return address
    return undefined
  }
}
