export { compileServers } from './backend.ts'
export { compileGateways } from './compile.ts'
export { keepTimes } from './conditions.ts'
export { convertIngresses, isIngress } from './convert.ts'
export { explainRequest, type RequestAnswer } from './explain.ts'
export type { ReferenceGrant } from './gateway-api.ts'
export {
  type GatewayNode,
  planInfrastructure,
  TargetPorts,
} from './gateway-infrastructure.ts'
export { gatewayNameLabel, gatewayServiceName } from './gateway-service.ts'
export { type GivenAddresses, gatewayStatuses, type WantedStatus } from './gateway-status.ts'
export { compileGatewayApi } from './gateways.ts'
export { hostName, hostText } from './host.ts'
export type { Ingress, IngressClass, Secret } from './ingress.ts'
export { type LoweredGateway, lowerGateway, renderFiles } from './lower.ts'
export { parseLogLine } from './lower-frame.ts'
export type { Entrance, GatewayModel, ServerModel, WeightedTarget } from './model.ts'
export { planGateway } from './plan.ts'
export { othersOf, policyStatuses, routeStatuses } from './route-status.ts'
export { type ConfigMap, noGatewayApi, type Sources } from './sources.ts'
export { ingressStatus } from './status.ts'
export { hasWantedName, type TlsOrigin } from './tls-origin.ts'
