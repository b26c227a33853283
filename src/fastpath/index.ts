export { extendFastPath, fastPathTable, makeFastPath, replaceFastPath } from './lower.ts'
