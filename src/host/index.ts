export * from './contract.ts'
export { openHost } from './open-host.ts'
export { type Feature, type MissingFeature, probeHost } from './probe.ts'
export { spawnIn } from './spawn.ts'
