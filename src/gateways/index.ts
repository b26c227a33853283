export { compileServers } from './backend.ts'
export { compileGateways } from './compile.ts'
export { explainRequest } from './explain.ts'
export type { Ingress, IngressClass, Secret } from './ingress.ts'

export { type LoweredGateway, lowerGateway, renderFiles } from './lower.ts'
export type { GatewayModel } from './model.ts'
export { planGateway } from './plan.ts'

export { ingressStatus } from './status.ts'
