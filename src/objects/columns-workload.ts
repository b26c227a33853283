import { type Autoscaler, autoscalerTargets } from './autoscaler-targets.ts'
import { ageColumn, integer, nameColumn, text, wide } from './column.ts'
import { containerImages, containerNames, renderLabels, renderSelector } from './column-text.ts'
import type { Column } from './contract.ts'
import { renderAge, renderDuration } from './duration.ts'
import type {
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  KubeObject,
  LabelSelector,
  PodDisruptionBudget,
  PodTemplate,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from './types.ts'

type Templated = KubeObject & { spec?: { template?: PodTemplate; selector?: LabelSelector } }

const containers = wide(
  text<Templated>('Containers', 'Names of the containers in the template.', ({ spec }) =>
    containerNames(spec?.template),
  ),
)
const images = wide(
  text<Templated>('Images', 'Images of the containers in the template.', ({ spec }) => containerImages(spec?.template)),
)
const selector = wide(
  text<Templated>('Selector', 'The labels that tell its pods.', ({ spec }) => renderSelector(spec?.selector)),
)

/** `kubectl get deployments`. */
export const deploymentColumns: readonly Column[] = [
  nameColumn,
  text<Deployment>(
    'Ready',
    'Pods that are ready, of those wanted.',
    ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
  ),
  text<Deployment>('Up-to-date', 'Pods of the current template.', ({ status }) => status?.updatedReplicas ?? 0),
  text<Deployment>(
    'Available',
    'Pods that have been ready for minReadySeconds.',
    ({ status }) => status?.availableReplicas ?? 0,
  ),
  ageColumn,
  containers,
  images,
  selector,
]

/** `kubectl get replicasets`. */
export const replicaSetColumns: readonly Column[] = [
  nameColumn,
  integer<ReplicaSet>('Desired', 'Pods wanted.', ({ spec }) => spec.replicas ?? 0),
  integer<ReplicaSet>('Current', 'Pods that exist.', ({ status }) => status?.replicas ?? 0),
  integer<ReplicaSet>('Ready', 'Pods that are ready.', ({ status }) => status?.readyReplicas ?? 0),
  ageColumn,
  containers,
  images,
  selector,
]

/** `kubectl get replicationcontrollers`. */
export const replicationControllerColumns: readonly Column[] = [
  nameColumn,
  integer<ReplicationController>('Desired', 'Pods wanted.', ({ spec }) => spec?.replicas ?? 0),
  integer<ReplicationController>('Current', 'Pods that exist.', ({ status }) => status?.replicas ?? 0),
  integer<ReplicationController>('Ready', 'Pods that are ready.', ({ status }) => status?.readyReplicas ?? 0),
  ageColumn,
  containers,
  images,
  wide(
    text<ReplicationController>('Selector', 'The labels that tell its pods.', ({ spec }) =>
      renderLabels(spec?.selector),
    ),
  ),
]

/** `kubectl get statefulsets`. */
export const statefulSetColumns: readonly Column[] = [
  nameColumn,
  text<StatefulSet>(
    'Ready',
    'Pods that are ready, of those wanted.',
    ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
  ),
  ageColumn,
  containers,
  images,
]

/** `kubectl get daemonsets`. */
export const daemonSetColumns: readonly Column[] = [
  nameColumn,
  integer<DaemonSet>('Desired', 'Nodes that should run the pod.', ({ status }) => status?.desiredNumberScheduled ?? 0),
  integer<DaemonSet>('Current', 'Nodes that run the pod.', ({ status }) => status?.currentNumberScheduled ?? 0),
  integer<DaemonSet>('Ready', 'Nodes whose pod is ready.', ({ status }) => status?.numberReady ?? 0),
  integer<DaemonSet>(
    'Up-to-date',
    'Nodes whose pod is of the current template.',
    ({ status }) => status?.updatedNumberScheduled ?? 0,
  ),
  integer<DaemonSet>('Available', 'Nodes whose pod is available.', ({ status }) => status?.numberAvailable ?? 0),
  text<DaemonSet>('Node Selector', 'The labels of those nodes.', ({ spec }) =>
    renderLabels(spec.template?.spec?.nodeSelector),
  ),
  ageColumn,
  containers,
  images,
  selector,
]

function jobStatus({ metadata, status }: Job): string {
  const has = (type: string) => status?.conditions?.some((item) => item.type === type && item.status === 'True')
  if (has('Complete')) return 'Complete'
  if (has('Failed')) return 'Failed'
  if (metadata.deletionTimestamp) return 'Terminating'
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(has) ?? 'Running'
}

function jobCompletions({ spec, status }: Job): string {
  const done = status?.succeeded ?? 0
  if (spec.completions !== undefined) return `${done}/${spec.completions}`
  return (spec.parallelism ?? 0) > 1 ? `${done}/1 of ${spec.parallelism}` : `${done}/1`
}

function jobDuration({ status }: Job, now: Date): string {
  if (!status?.startTime) return ''
  const end = status.completionTime ? Date.parse(status.completionTime) : now.getTime()
  return renderDuration(end - Date.parse(status.startTime))
}

/** `kubectl get jobs`. */
export const jobColumns: readonly Column[] = [
  nameColumn,
  text<Job>('Status', 'Where the job is.', jobStatus),
  text<Job>('Completions', 'Pods that succeeded, of those wanted.', jobCompletions),
  text<Job>('Duration', 'How long the job has run.', jobDuration),
  ageColumn,
  containers,
  images,
  selector,
]

/** `kubectl get cronjobs`. */
export const cronJobColumns: readonly Column[] = [
  nameColumn,
  text<CronJob>('Schedule', 'When it runs, in cron form.', ({ spec }) => spec?.schedule ?? ''),
  text<CronJob>('Timezone', 'The time zone of the schedule.', ({ spec }) => spec?.timeZone ?? '<none>'),
  text<CronJob>('Suspend', 'Whether runs are suspended.', ({ spec }) => (spec?.suspend ? 'True' : 'False')),
  integer<CronJob>('Active', 'Jobs that run now.', ({ status }) => status?.active?.length ?? 0),
  text<CronJob>('Last Schedule', 'Time since the last run began.', ({ status }, now) =>
    status?.lastScheduleTime ? renderAge(status.lastScheduleTime, now) : '<none>',
  ),
  ageColumn,
  wide(
    text<CronJob>('Containers', 'Names of the containers in the template.', ({ spec }) =>
      containerNames(spec?.jobTemplate?.spec?.template),
    ),
  ),
  wide(
    text<CronJob>('Images', 'Images of the containers in the template.', ({ spec }) =>
      containerImages(spec?.jobTemplate?.spec?.template),
    ),
  ),
  wide(
    text<CronJob>('Selector', 'The labels that tell its pods.', ({ spec }) =>
      renderSelector(spec?.jobTemplate?.spec?.selector),
    ),
  ),
]

/** `kubectl get poddisruptionbudgets`. */
export const disruptionBudgetColumns: readonly Column[] = [
  nameColumn,
  text<PodDisruptionBudget>('Min Available', 'Pods that must stay available.', ({ spec }) =>
    String(spec?.minAvailable ?? 'N/A'),
  ),
  text<PodDisruptionBudget>('Max Unavailable', 'Pods that may be unavailable.', ({ spec }) =>
    String(spec?.maxUnavailable ?? 'N/A'),
  ),
  integer<PodDisruptionBudget>(
    'Allowed Disruptions',
    'Pods that may be evicted now.',
    ({ status }) => status?.disruptionsAllowed ?? 0,
  ),
  ageColumn,
]

interface Revision extends KubeObject {
  revision?: number
}

/** `kubectl get controllerrevisions`. */
export const controllerRevisionColumns: readonly Column[] = [
  nameColumn,
  text<Revision>('Controller', 'The set that it belongs to.', ({ metadata }) => {
    const owner = metadata.ownerReferences?.find((item) => item.controller)
    if (owner === undefined) return '<none>'
    const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : ''
    return `${owner.kind.toLowerCase()}${group}/${owner.name}`
  }),
  integer<Revision>('Revision', 'Its number.', ({ revision }) => revision ?? 0),
  ageColumn,
]

/** `kubectl get horizontalpodautoscalers`. */
export const autoscalerColumns: readonly Column[] = [
  nameColumn,
  text<Autoscaler>(
    'Reference',
    'What is scaled.',
    ({ spec }) => `${spec?.scaleTargetRef?.kind}/${spec?.scaleTargetRef?.name}`,
  ),
  text<Autoscaler>('Targets', 'What is measured, and what it shall be.', autoscalerTargets),
  text<Autoscaler>('MinPods', 'The fewest pods.', ({ spec }) => String(spec?.minReplicas ?? '<unset>')),
  integer<Autoscaler>('MaxPods', 'The most pods.', ({ spec }) => spec?.maxReplicas ?? 0),
  integer<Autoscaler>('Replicas', 'Pods now.', ({ status }) => status?.currentReplicas ?? 0),
  ageColumn,
]
