export type { Cared, StandbyState } from './standby.ts'
export { type StandbyHandle, startStandby } from './standby-handle.ts'
export { standbyTable } from './tables.ts'
