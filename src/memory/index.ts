export { releaseMemory } from './release.ts'
