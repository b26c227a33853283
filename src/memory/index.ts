export { keeperOptions } from './flags.ts'
export { releaseMemory } from './release.ts'
export { startThread } from './thread.ts'
