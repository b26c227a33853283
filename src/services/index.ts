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
export type { StaleFlows } from './held.ts'
export { sets, tableName, tableOf } from './layout.ts'
export { type LoweredFrontend, type LoweredService, lowerService } from './lower.ts'
export type {
  Candidate,
  Frontend,
  NodeView,
  Outcome,
  ServiceModel,
  Subject,
  Transport,
  Use,
} from './model.ts'
export { type ServicesPlan, type ServicesScope, ServiceTables } from './tables.ts'
