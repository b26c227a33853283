export { keeperOptions } from './flags.ts'
export { releaseMemory } from './release.ts'
