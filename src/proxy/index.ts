export type { HttpFlow, HttpFlowsRequest } from './flows.ts'
export { GatewaysModule } from './module.ts'
export { GatewayObjects, gatewayResources } from './objects.ts'
export type { ServerRequest, ServerState } from './server-state.ts'
