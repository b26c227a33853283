export type { Cared, StandbyState } from './contract.ts'
export { type StandbyHandle, startStandby } from './standby-handle.ts'
export { standbyTable } from './tables.ts'
