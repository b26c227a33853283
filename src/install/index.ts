export { agentRules, clusterRole, controllerRules, type Rule, read, roleBinding, rule } from './access.ts'
export { type InstallOptions, installObjects } from './manifests.ts'
