export { GatewaysModule } from './module.ts'
