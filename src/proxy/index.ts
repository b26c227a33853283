export type { HttpFlow, HttpFlowsRequest } from './flows.ts'
export { GatewaysModule } from './module.ts'
export { gatewayResources } from './objects.ts'
