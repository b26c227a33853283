export { runCni } from './plugin.ts'
