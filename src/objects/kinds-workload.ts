import { defineKind } from './define-kind.ts'

const group = 'apps'
const counted = { status: true, generation: true } as const

/** Rolling sets of interchangeable pods. */
export const Deployments = defineKind({
  group,
  kind: 'Deployment',
  plural: 'deployments',
  shortNames: ['deploy'],
  categories: ['all'],
  subresources: ['scale', 'status'],
  strategy: counted,
})

/** A fixed number of pods of one template. */
export const ReplicaSets = defineKind({
  group,
  kind: 'ReplicaSet',
  plural: 'replicasets',
  shortNames: ['rs'],
  categories: ['all'],
  subresources: ['scale', 'status'],
  strategy: counted,
})

/** Pods with stable names. */
export const StatefulSets = defineKind({
  group,
  kind: 'StatefulSet',
  plural: 'statefulsets',
  shortNames: ['sts'],
  categories: ['all'],
  subresources: ['scale', 'status'],
  strategy: counted,
})

/** One pod per node. */
export const DaemonSets = defineKind({
  group,
  kind: 'DaemonSet',
  plural: 'daemonsets',
  shortNames: ['ds'],
  categories: ['all'],
  subresources: ['status'],
  strategy: counted,
})

/** Snapshots of templates. */
export const ControllerRevisions = defineKind({ group, kind: 'ControllerRevision', plural: 'controllerrevisions' })

/** Pods that run to completion. */
export const Jobs = defineKind({
  group: 'batch',
  kind: 'Job',
  plural: 'jobs',
  categories: ['all'],
  subresources: ['status'],
  strategy: counted,
})

/** Jobs by the clock; stored only. */
export const CronJobs = defineKind({
  group: 'batch',
  kind: 'CronJob',
  plural: 'cronjobs',
  shortNames: ['cj'],
  categories: ['all'],
  subresources: ['status'],
  strategy: counted,
})

/** Replica counts by load; stored only. */
export const HorizontalPodAutoscalers = defineKind({
  group: 'autoscaling',
  version: 'v2',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
  subresources: ['status'],
  strategy: { status: true },
})

/** How many pods an eviction must leave. */
export const PodDisruptionBudgets = defineKind({
  group: 'policy',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  shortNames: ['pdb'],
  subresources: ['status'],
  strategy: counted,
})

/** Importance of pods. */
export const PriorityClasses = defineKind({
  group: 'scheduling.k8s.io',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  shortNames: ['pc'],
  namespaced: false,
  strategy: { generation: true },
})
