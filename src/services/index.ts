export { compileService } from './compile.ts'
export {
  explainService,
  findSubject,
  type ServiceAnswer,
  type ServiceContext,
  type ServiceQuestion,
  servicesAt,
} from './explain.ts'
export { sayUse } from './explain-words.ts'
export { type LoweredService, lowerService } from './lower.ts'
export type {
  Candidate,
  Choosing,
  Drain,
  Frontend,
  FrontendKind,
  HealthCheck,
  NodeView,
  ServiceModel,
  Transport,
} from './model.ts'
export { classId, numberOf, readClass, type Sets, sets, tableName, tableOf } from './sets.ts'
export type { StaleFlows } from './stale.ts'
export { type ServicesScope, ServiceTables } from './tables.ts'
