export * from './contract.ts'
export { openHost } from './open-host.ts'
export { spawnIn } from './spawn.ts'
