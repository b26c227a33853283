export { AddressPool, addressBand, firstAddress } from './address-pool.ts'
export { type AllocationFailure, type Pick, Pool } from './pool.ts'
export { findPortRange, PortPool, type PortRange, portBand } from './port-pool.ts'
