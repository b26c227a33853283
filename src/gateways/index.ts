export { compileServers } from './backend.ts'
export { compileGateways } from './compile.ts'
export { explainRequest, type RequestAnswer, type RequestQuestion } from './explain.ts'
export type { Ingress, IngressClass, Secret } from './ingress.ts'
export { controllerName } from './ingress-class.ts'
export { type LoweredGateway, lowerGateway, type Place, renderFiles } from './lower.ts'
export type {
  BackendModel,
  Certificate,
  GatewayModel,
  HostPattern,
  PathPattern,
  Route,
  ServerModel,
  Target,
  TlsHost,
} from './model.ts'
export { type GatewayPlan, planGateway } from './plan.ts'
export type { Sources } from './sources.ts'
export { ingressStatuses } from './status.ts'
