import { defaultTemplate } from './defaults-pod.ts'
import type {
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  PodTemplate,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from './types.ts'

/** Upstream's `SetDefaults_Deployment`. */
export function defaultDeployment({ spec }: Deployment): void {
  if (spec === undefined) return
  defaultTemplate(spec.template)
  spec.replicas ??= 1
  spec.strategy ??= {}
  spec.strategy.type ||= 'RollingUpdate'
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {}
    spec.strategy.rollingUpdate.maxUnavailable ??= '25%'
    spec.strategy.rollingUpdate.maxSurge ??= '25%'
  }
  spec.revisionHistoryLimit ??= 10
  spec.progressDeadlineSeconds ??= 600
}

/** Upstream's `SetDefaults_ReplicaSet`. */
export function defaultReplicaSet({ spec }: ReplicaSet): void {
  if (spec === undefined) return
  defaultTemplate(spec.template)
  spec.replicas ??= 1
}

/** Upstream's `SetDefaults_ReplicationController`. */
export function defaultReplicationController({ spec, metadata }: ReplicationController): void {
  if (spec === undefined) return
  if (spec.template !== undefined) defaultTemplate(spec.template)
  const labels = spec.template?.metadata?.labels
  if (labels !== undefined) {
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels }
    if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels }
  }
  spec.replicas ??= 1
}

/** Upstream's `SetDefaults_StatefulSet`. */
export function defaultStatefulSet({ spec }: StatefulSet): void {
  if (spec === undefined) return
  defaultTemplate(spec.template)
  spec.replicas ??= 1
  spec.podManagementPolicy ||= 'OrderedReady'
  spec.updateStrategy ??= {}
  if (!spec.updateStrategy.type) {
    spec.updateStrategy.type = 'RollingUpdate'
    spec.updateStrategy.rollingUpdate ??= {}
  }
  if (spec.updateStrategy.type === 'RollingUpdate' && spec.updateStrategy.rollingUpdate !== undefined)
    spec.updateStrategy.rollingUpdate.partition ??= 0
  spec.persistentVolumeClaimRetentionPolicy ??= {}
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain'
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain'
  spec.revisionHistoryLimit ??= 10
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion ||= 'v1'
    claim.kind ||= 'PersistentVolumeClaim'
    if (claim.spec !== undefined) claim.spec.volumeMode ??= 'Filesystem'
    claim.status ??= { phase: 'Pending' }
  }
}

/** Upstream's `SetDefaults_DaemonSet`. */
export function defaultDaemonSet({ spec }: DaemonSet): void {
  if (spec === undefined) return
  defaultTemplate(spec.template)
  spec.updateStrategy ??= {}
  spec.updateStrategy.type ||= 'RollingUpdate'
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {}
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1
    spec.updateStrategy.rollingUpdate.maxSurge ??= 0
  }
  spec.revisionHistoryLimit ??= 10
}

interface JobSpec {
  parallelism?: number
  completions?: number
  backoffLimit?: number
  completionMode?: string
  suspend?: boolean
  podReplacementPolicy?: string
  podFailurePolicy?: object
  backoffLimitPerIndex?: number
  manualSelector?: boolean
  template: PodTemplate
}

/** Upstream's `SetDefaults_Job`. */
export function defaultJob({ spec: given }: Job): void {
  if (given === undefined) return
  defaultJobSpec(given)
}

function defaultJobSpec(spec: JobSpec): void {
  defaultTemplate(spec.template)
  if (spec.completions === undefined && spec.parallelism === undefined) {
    spec.completions = 1
    spec.parallelism = 1
  }
  spec.parallelism ??= 1
  // With a limit per index, the limit of all is as high as can be.
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : 2 ** 31 - 1
  spec.completionMode ??= 'NonIndexed'
  spec.suspend ??= false
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed'
  spec.manualSelector ??= false
}

/** Upstream's `SetDefaults_CronJob`. */
export function defaultCronJob({ spec }: CronJob): void {
  if (spec === undefined) return
  const template = spec.jobTemplate?.spec?.template
  if (template !== undefined) defaultTemplate(template)
  spec.concurrencyPolicy ||= 'Allow'
  spec.suspend ??= false
  spec.successfulJobsHistoryLimit ??= 3
  spec.failedJobsHistoryLimit ??= 1
}
