export type { ControllersOptions } from './context.ts'
export { type Controllers, startControllers } from './start.ts'
