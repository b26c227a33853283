export { GatewaysModule } from './module.ts'
export { GatewayObjects } from './objects.ts'
