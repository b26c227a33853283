export { runControl } from './control.ts'
export { followPacket } from './follow.ts'
export { lookAtNode, lookAtSockets } from './look.ts'
export { type OpenPlace, runProbes } from './run.ts'
