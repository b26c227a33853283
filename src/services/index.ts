export { findSubject, type SeenAs, type ServiceAnswer, type ServiceQuestion } from './answer.ts'
export { loopbackCount } from './chains.ts'
export { compileService } from './compile.ts'
export { explainService, type ServiceContext, servicesAt } from './explain.ts'
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
export type { ServicesScope } from './scope.ts'
export { classId, numberOf, readClass, type Sets, sets, tableName, tableOf } from './sets.ts'
export type { StaleFlows } from './stale.ts'
export { ServiceTables } from './tables.ts'
