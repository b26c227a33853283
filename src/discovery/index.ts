export { startDiscovery } from './start.ts'
