import { ageColumn, integer, nameColumn, text, wide } from './column.ts'
import type { Column } from './contract.ts'
import { renderAge } from './duration.ts'
import type { ConfigMap, KubeEvent, KubeObject, Lease, Namespace, Node, Secret, ServiceAccount } from './types.ts'

/** `kubectl get namespaces`. */
export const namespaceColumns: readonly Column[] = [
  nameColumn,
  text<Namespace>('Status', 'Active, or Terminating.', ({ status }) => status?.phase ?? ''),
  ageColumn,
]

const rolePrefix = 'node-role.kubernetes.io/'

function nodeRoles({ metadata }: Node): string {
  const roles = new Set<string>()
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    if (key.startsWith(rolePrefix) && key.length > rolePrefix.length) roles.add(key.slice(rolePrefix.length))
    else if (key === 'kubernetes.io/role' && value !== '') roles.add(value)
  }
  return [...roles].sort().join(',') || '<none>'
}

function nodeStatus({ spec, status }: Node): string {
  const ready = status?.conditions?.find((condition) => condition.type === 'Ready')
  const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'
  return spec?.unschedulable ? `${word},SchedulingDisabled` : word
}

const nodeAddress = (type: 'InternalIP' | 'ExternalIP') => (node: Node) =>
  node.status?.addresses?.find((item) => item.type === type)?.address ?? '<none>'

const nodeInfo = (key: string) => (node: Node) => (node.status?.nodeInfo?.[key] as string | undefined) || '<unknown>'

/** `kubectl get nodes`. */
export const nodeColumns: readonly Column[] = [
  nameColumn,
  text<Node>('Status', 'Ready, NotReady or Unknown, and whether new pods are kept away.', nodeStatus),
  text<Node>('Roles', 'Roles by label.', nodeRoles),
  ageColumn,
  text<Node>(
    'Version',
    "The node agent's version.",
    ({ status }) => (status?.nodeInfo?.kubeletVersion as string | undefined) ?? '',
  ),
  wide(text<Node>('Internal-IP', 'The address in the cluster.', nodeAddress('InternalIP'))),
  wide(text<Node>('External-IP', 'The address outside.', nodeAddress('ExternalIP'))),
  wide(text<Node>('OS-Image', 'The operating system.', nodeInfo('osImage'))),
  wide(text<Node>('Kernel-Version', 'The kernel.', nodeInfo('kernelVersion'))),
  wide(text<Node>('Container-Runtime', 'The container runtime.', nodeInfo('containerRuntimeVersion'))),
]

const size = (data: object | undefined) => Object.keys(data ?? {}).length

/** `kubectl get configmaps`. */
export const configMapColumns: readonly Column[] = [
  nameColumn,
  text<ConfigMap>('Data', 'How many keys.', ({ data, binaryData }) => size(data) + size(binaryData)),
  ageColumn,
]

/** `kubectl get secrets`. */
export const secretColumns: readonly Column[] = [
  nameColumn,
  text<Secret>('Type', 'What the Secret is for.', ({ type }) => type ?? 'Opaque'),
  text<Secret>('Data', 'How many keys.', ({ data }) => size(data)),
  ageColumn,
]

/** `kubectl get serviceaccounts`. */
export const serviceAccountColumns: readonly Column[] = [
  nameColumn,
  text<ServiceAccount>('Secrets', 'How many secrets it may use.', ({ secrets }) => secrets?.length ?? 0),
  ageColumn,
]

/** `kubectl get leases`. */
export const leaseColumns: readonly Column[] = [
  nameColumn,
  text<Lease>('Holder', 'Who holds it.', ({ spec }) => spec?.holderIdentity ?? ''),
  ageColumn,
]

interface FullEvent extends KubeEvent {
  eventTime?: string
  reportingInstance?: string
  series?: { count?: number; lastObservedTime?: string }
}

const firstSeen = (event: FullEvent) => event.firstTimestamp || event.eventTime
const lastSeen = (event: FullEvent) => event.series?.lastObservedTime || event.lastTimestamp || firstSeen(event)

function eventObject({ involvedObject }: FullEvent): string {
  const kind = (involvedObject?.kind ?? '').toLowerCase()
  return involvedObject?.name ? `${kind}/${involvedObject.name}` : kind
}

function eventSource({ source, reportingComponent, reportingInstance }: FullEvent): string {
  const component = source?.component || reportingComponent || ''
  const host = source?.host || reportingInstance || ''
  return host === '' ? component : `${component}, ${host}`
}

/** `kubectl get events`. */
export const eventColumns: readonly Column[] = [
  text<FullEvent>('Last Seen', 'Time since it was last seen.', (event, now) => renderAge(lastSeen(event), now)),
  text<FullEvent>('Type', 'Normal, or Warning.', ({ type }) => type ?? ''),
  text<FullEvent>('Reason', 'Why, in one word.', ({ reason }) => reason ?? ''),
  text<FullEvent>('Object', 'What it is about.', eventObject),
  wide(
    text<FullEvent>('Subobject', 'The part that it is about.', ({ involvedObject }) => involvedObject?.fieldPath ?? ''),
  ),
  wide(text<FullEvent>('Source', 'Who reports it.', eventSource)),
  text<FullEvent>('Message', 'What happened.', ({ message }) => (message ?? '').trim()),
  wide(
    text<FullEvent>('First Seen', 'Time since it was first seen.', (event, now) => renderAge(firstSeen(event), now)),
  ),
  wide(integer<FullEvent>('Count', 'How often it was seen.', ({ series, count }) => series?.count ?? (count || 1))),
  wide(nameColumn),
]

/** NAME and CREATED AT, of kinds whose age upstream prints as a date. */
export const createdAtColumns: readonly Column[] = [
  nameColumn,
  {
    ...text('Created At', 'When the object was created.', ({ metadata }) => metadata.creationTimestamp ?? ''),
    type: 'date',
  },
]

interface Binding extends KubeObject {
  roleRef?: { kind: string; name: string }
  subjects?: { kind: string; name: string; namespace?: string }[]
}

const subjects = (kind: string) => (binding: Binding) =>
  (binding.subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map(({ name, namespace }) => (kind === 'ServiceAccount' ? `${namespace}/${name}` : name))
    .join(', ')

/** `kubectl get rolebindings` and `clusterrolebindings`. */
export const bindingColumns: readonly Column[] = [
  nameColumn,
  text<Binding>('Role', 'The role that is given.', ({ roleRef }) => `${roleRef?.kind}/${roleRef?.name}`),
  ageColumn,
  wide(text<Binding>('Users', 'The users that have it.', subjects('User'))),
  wide(text<Binding>('Groups', 'The groups that have it.', subjects('Group'))),
  wide(text<Binding>('ServiceAccounts', 'The service accounts that have it.', subjects('ServiceAccount'))),
]

interface StorageClass extends KubeObject {
  provisioner?: string
  reclaimPolicy?: string
  volumeBindingMode?: string
  allowVolumeExpansion?: boolean
}

/** `kubectl get storageclasses`. */
export const storageClassColumns: readonly Column[] = [
  {
    ...nameColumn,
    cell: ({ metadata }) =>
      metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true'
        ? `${metadata.name} (default)`
        : metadata.name,
  },
  text<StorageClass>('Provisioner', 'Who makes the volumes.', ({ provisioner }) => provisioner ?? ''),
  text<StorageClass>(
    'ReclaimPolicy',
    'What becomes of a released volume.',
    ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete',
  ),
  text<StorageClass>(
    'VolumeBindingMode',
    'When a claim is bound.',
    ({ volumeBindingMode }) => volumeBindingMode ?? '<unset>',
  ),
  text<StorageClass>(
    'AllowVolumeExpansion',
    'Whether volumes may grow.',
    ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false,
  ),
  ageColumn,
]

interface PriorityClass extends KubeObject {
  value?: number
  globalDefault?: boolean
  preemptionPolicy?: string
}

/** `kubectl get priorityclasses`. */
export const priorityClassColumns: readonly Column[] = [
  nameColumn,
  integer<PriorityClass>('Value', 'The priority.', ({ value }) => value ?? 0),
  text<PriorityClass>(
    'Global-Default',
    'Whether pods without a class have it.',
    ({ globalDefault }) => globalDefault ?? false,
  ),
  ageColumn,
  text<PriorityClass>(
    'PreemptionPolicy',
    'Whether pods of it push out others.',
    ({ preemptionPolicy }) => preemptionPolicy ?? '',
  ),
]
