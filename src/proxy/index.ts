export type { HttpFlow, HttpFlowsRequest } from './flows.ts'
export { GatewaysModule } from './module.ts'
export { gatewayResources } from './objects.ts'
export type { ServerRequest, ServerState } from './server-state.ts'
