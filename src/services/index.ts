export { compileService } from './compile.ts'
export {
  explainService,
  findSubject,
  type ServiceAnswer,
  type ServiceContext,
  type ServiceQuestion,
  type ServiceStep,
  servicesAt,
  type Target,
} from './explain.ts'
export { type LoweredFrontend, type LoweredService, lowerService } from './lower.ts'
export type {
  Candidate,
  Choosing,
  Frontend,
  FrontendKind,
  HealthCheck,
  NodeView,
  Outcome,
  ServiceModel,
  Subject,
  Transport,
  Use,
} from './model.ts'
export { type Class, classId, numberOf, readClass, type Sets, sets, tableName, tableOf } from './sets.ts'
export type { StaleFlows } from './stale.ts'
export { type ServicesPlan, type ServicesScope, ServiceTables } from './tables.ts'
