import {
  defaultAutoscaler,
  fromAutoscalingV1,
  type HorizontalPodAutoscaler,
  toAutoscalingV1,
  validateAutoscaler,
} from './autoscaler.ts'
import { priorityClassColumns } from './columns-cluster.ts'
import {
  autoscalerColumns,
  controllerRevisionColumns,
  cronJobColumns,
  daemonSetColumns,
  deploymentColumns,
  disruptionBudgetColumns,
  jobColumns,
  replicaSetColumns,
  replicationControllerColumns,
  statefulSetColumns,
} from './columns-workload.ts'
import {
  defaultCronJob,
  defaultDaemonSet,
  defaultDeployment,
  defaultJob,
  defaultReplicaSet,
  defaultReplicationController,
  defaultStatefulSet,
} from './defaults-workload.ts'
import { defineKind } from './define-kind.ts'
import { forbidden } from './field-error.ts'
import { prepareNewJob, validateJob } from './job.ts'
import type {
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  KubeObject,
  PodDisruptionBudget,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from './types.ts'
import { validateCronJob } from './validate-cronjob.ts'
import { validateDisruptionBudget } from './validate-disruption-budget.ts'
import {
  validateDaemonSet,
  validateDeployment,
  validateReplicaSet,
  validateReplicationController,
  validateStatefulSet,
} from './validate-workload.ts'

const group = 'apps'
const counted = { status: true, generation: true } as const
const autoscaler = {
  group: 'autoscaling',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
  subresources: ['status'],
  strategy: { status: true },
  columns: autoscalerColumns,
} as const

/** Rolling sets of interchangeable pods. */
export const Deployments = defineKind<Deployment>({
  group,
  kind: 'Deployment',
  plural: 'deployments',
  shortNames: ['deploy'],
  categories: ['all'],
  subresources: ['scale', 'status'],
  strategy: { ...counted, annotationsCount: true },
  defaults: defaultDeployment,
  validate: validateDeployment,
  columns: deploymentColumns,
})

/** A fixed number of pods of one template. */
export const ReplicaSets = defineKind<ReplicaSet>({
  group,
  kind: 'ReplicaSet',
  plural: 'replicasets',
  shortNames: ['rs'],
  categories: ['all'],
  subresources: ['scale', 'status'],
  strategy: { ...counted, newStatus: () => ({ replicas: 0 }) },
  defaults: defaultReplicaSet,
  validate: validateReplicaSet,
  columns: replicaSetColumns,
  selectableFields: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
})

/** The elder of ReplicaSets; stored only. */
export const ReplicationControllers = defineKind<ReplicationController>({
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  shortNames: ['rc'],
  categories: ['all'],
  subresources: ['scale', 'status'],
  strategy: counted,
  defaults: defaultReplicationController,
  validate: validateReplicationController,
  columns: replicationControllerColumns,
  selectableFields: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
})

/** Pods with stable names. */
export const StatefulSets = defineKind<StatefulSet>({
  group,
  kind: 'StatefulSet',
  plural: 'statefulsets',
  shortNames: ['sts'],
  categories: ['all'],
  subresources: ['scale', 'status'],
  strategy: { ...counted, newStatus: () => ({ replicas: 0, availableReplicas: 0 }) },
  defaults: defaultStatefulSet,
  validate: validateStatefulSet,
  columns: statefulSetColumns,
})

/** One pod per node. */
export const DaemonSets = defineKind<DaemonSet>({
  group,
  kind: 'DaemonSet',
  plural: 'daemonsets',
  shortNames: ['ds'],
  categories: ['all'],
  subresources: ['status'],
  strategy: {
    ...counted,
    newStatus: () => ({
      currentNumberScheduled: 0,
      desiredNumberScheduled: 0,
      numberMisscheduled: 0,
      numberReady: 0,
    }),
  },
  defaults: defaultDaemonSet,
  validate: validateDaemonSet,
  columns: daemonSetColumns,
})

/** Snapshots of templates. */
export const ControllerRevisions = defineKind({
  group,
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  columns: controllerRevisionColumns,
})

/** Pods that run to completion. */
export const Jobs = defineKind<Job>({
  group: 'batch',
  kind: 'Job',
  plural: 'jobs',
  categories: ['all'],
  subresources: ['status'],
  strategy: { ...counted, onCreate: prepareNewJob },
  defaults: defaultJob,
  validate: validateJob,
  columns: jobColumns,
  selectableFields: { 'status.successful': ({ status }) => String(status?.succeeded ?? 0) },
})

/** Jobs by the clock. */
export const CronJobs = defineKind<CronJob>({
  group: 'batch',
  kind: 'CronJob',
  plural: 'cronjobs',
  shortNames: ['cj'],
  categories: ['all'],
  subresources: ['status'],
  strategy: counted,
  defaults: defaultCronJob,
  validate: validateCronJob,
  columns: cronJobColumns,
})

/** Replica counts by load; stored only. */
export const HorizontalPodAutoscalers = defineKind<HorizontalPodAutoscaler>({
  ...autoscaler,
  version: 'v2',
  defaults: defaultAutoscaler,
  validate: validateAutoscaler,
})

/** The same objects, as older clients know them. */
export const HorizontalPodAutoscalersV1 = defineKind({
  ...autoscaler,
  stored: { kind: HorizontalPodAutoscalers, toStored: fromAutoscalingV1, fromStored: toAutoscalingV1 },
})

/** How many pods an eviction must leave. */
export const PodDisruptionBudgets = defineKind<PodDisruptionBudget>({
  group: 'policy',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  shortNames: ['pdb'],
  subresources: ['status'],
  strategy: {
    ...counted,
    newStatus: () => ({ currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 }),
  },
  validate: validateDisruptionBudget,
  columns: disruptionBudgetColumns,
})

/** Importance of pods. */
export const PriorityClasses = defineKind<KubeObject & { preemptionPolicy?: string; value?: number }>({
  group: 'scheduling.k8s.io',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  shortNames: ['pc'],
  namespaced: false,
  strategy: { generation: true },
  defaults: (object) => {
    object.preemptionPolicy ??= 'PreemptLowerPriority'
  },
  // The cluster's own classes are above.
  validate: ({ metadata, value = 0 }) =>
    value <= 1_000_000_000 || metadata.name.startsWith('system-')
      ? []
      : [forbidden('value', 'maximum allowed value of a user defined priority is 1000000000')],
  columns: priorityClassColumns,
})
