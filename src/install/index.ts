export {
  agentRules,
  clusterRole,
  controllerRules,
  missingRights,
  type Rule,
  read,
  roleBinding,
  rule,
} from './access.ts'
export { agentDaemonSet, type InstallOptions, installObjects } from './manifests.ts'
