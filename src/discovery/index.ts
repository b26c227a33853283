export { type App, type AppInstance, type AppOptions, compileApps, compileInstances, compileState } from './apps.ts'
export { type DiscoverySource, discoveryHandler, listenDiscovery } from './serve.ts'
export { type DiscoveryServer, startDiscovery } from './start.ts'
