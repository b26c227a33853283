import type { Address } from '../addr/index.ts'
import type { Protocol } from './answer.ts'

/** An address and port after the choice of an endpoint; ICMP has port 0. */
export interface Destination {
  readonly address: Address
  readonly port: number
  readonly transport: Protocol
}
