export { explainHostPort } from './explain.ts'
export { hostPortTableName } from './lower.ts'
export type { HostPort } from './model.ts'
export { HostPortTables } from './tables.ts'
