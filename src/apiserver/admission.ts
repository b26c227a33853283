import { errors, type Kind, type KubeObject, type Pod, type PodSpec } from '../objects/index.ts'
import { Refusal } from './refusal.ts'
import { collectionOf, keyOf, type Scope } from './scope.ts'
import type { Transaction } from './store.ts'

/** Namespaces that cannot be deleted (upstream's NamespaceLifecycle plugin). */
const immortal = new Set(['default', 'kube-system', 'kube-public'])

interface NamespaceLike {
  readonly metadata: { readonly deletionTimestamp?: string }
  readonly status?: { readonly phase?: string }
}

/** Refuses what is made in a namespace that is missing (404) or going away (403). */
export function admitNamespace(scope: Scope, name: string, transaction: Transaction): void {
  if (scope.namespace === undefined) return
  const found = transaction.find('/namespaces', scope.namespace)
  if (found === undefined) throw new Refusal(errors.notFound({ group: '', plural: 'namespaces' }, scope.namespace))
  const { metadata, status } = found.value as unknown as NamespaceLike
  if (metadata.deletionTimestamp !== undefined || status?.phase === 'Terminating')
    throw new Refusal(errors.namespaceTerminating(scope.kind, name, scope.namespace))
}

/** Refuses the deletion of the namespaces that the cluster cannot do without. */
export function admitDeletion(kind: Kind, name: string): void {
  if (collectionOf(kind) === '/namespaces' && immortal.has(name))
    throw new Refusal(errors.forbiddenBecause(kind, name, 'this namespace may not be deleted'))
}

type AdmittedSpec = PodSpec & {
  serviceAccount?: string
  priority?: number
  priorityClassName?: string
  preemptionPolicy?: string
  automountServiceAccountToken?: boolean
  imagePullSecrets?: readonly object[]
}
interface PriorityClass {
  readonly metadata: { readonly name: string }
  readonly value: number
  readonly globalDefault?: boolean
  readonly preemptionPolicy?: string
}

/** What the plugins ServiceAccount, Priority and DefaultTolerationSeconds set on a new Pod. */
export function admitPod(pod: Pod, transaction: Transaction): void {
  const spec = pod.spec as AdmittedSpec | undefined
  if (spec === undefined) return
  spec.serviceAccountName ||= spec.serviceAccount || 'default'
  spec.serviceAccount = spec.serviceAccountName
  takeAccount(pod, spec, transaction)
  setPriority(pod, spec, transaction)
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    const tolerated = spec.tolerations?.some(
      (item) => (item.key === key || !item.key) && (item.effect === 'NoExecute' || !item.effect),
    )
    if (!tolerated) {
      spec.tolerations = [
        ...(spec.tolerations ?? []),
        { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      ]
    }
  }
}

interface Account {
  readonly automountServiceAccountToken?: boolean
  readonly imagePullSecrets?: readonly object[]
}

/** The account must be there, save `default`, which every namespace gets soon; what it says of tokens and images holds for a pod that says nothing. */
function takeAccount(pod: Pod, spec: AdmittedSpec, transaction: Transaction): void {
  const { namespace, name } = pod.metadata
  const account = spec.serviceAccountName ?? ''
  const found = transaction.find('/serviceaccounts', keyOf(namespace, account))?.value as Account | undefined
  if (found === undefined && account !== 'default') {
    const cause = `error looking up service account ${namespace}/${account}: serviceaccount "${account}" not found`
    throw new Refusal(errors.forbiddenBecause({ group: '', plural: 'pods' }, name, cause))
  }
  // Upstream mounts no token then; here the kubelet does, and it sees the pod alone.
  if (found?.automountServiceAccountToken === false) spec.automountServiceAccountToken ??= false
  if (found?.imagePullSecrets?.length && !spec.imagePullSecrets?.length) spec.imagePullSecrets = found.imagePullSecrets
}

const systemClasses: readonly PriorityClass[] = [
  { metadata: { name: 'system-node-critical' }, value: 2_000_001_000 },
  { metadata: { name: 'system-cluster-critical' }, value: 2_000_000_000 },
]

function setPriority(pod: Pod, spec: AdmittedSpec, transaction: Transaction): void {
  const stored = [...transaction.range('scheduling.k8s.io/priorityclasses', '')].map(
    (entry) => entry.value as unknown as PriorityClass,
  )
  const classes = [...stored, ...systemClasses]
  const chosen = spec.priorityClassName
    ? classes.find((item) => item.metadata.name === spec.priorityClassName)
    : classes.find((item) => item.globalDefault)
  if (chosen === undefined && spec.priorityClassName) {
    const cause = `no PriorityClass with name ${spec.priorityClassName} was found`
    throw new Refusal(errors.forbiddenBecause({ group: '', plural: 'pods' }, pod.metadata.name, cause))
  }
  const priority = chosen?.value ?? 0
  if (spec.priority !== undefined && spec.priority !== priority) {
    const cause = `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${priority} from the given PriorityClass name`
    throw new Refusal(errors.forbiddenBecause({ group: '', plural: 'pods' }, pod.metadata.name, cause))
  }
  if (chosen !== undefined) spec.priorityClassName = chosen.metadata.name
  spec.priority = priority
  spec.preemptionPolicy ??= chosen?.preemptionPolicy ?? 'PreemptLowerPriority'
}

/** An Ingress with neither `spec.ingressClassName` nor the annotation of before gets the default class (upstream's DefaultIngressClass plugin). */
export function admitIngress(
  ingress: KubeObject & { spec?: { ingressClassName?: string } },
  transaction: Transaction,
): void {
  const { spec, metadata } = ingress
  if (spec === undefined || spec.ingressClassName !== undefined) return
  if (metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined) return
  const [chosen] = [...transaction.range('networking.k8s.io/ingressclasses', '')]
    .map(({ value }) => value.metadata)
    .filter(({ annotations }) => annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true')
    .sort((a, b) => compare(b.creationTimestamp ?? '', a.creationTimestamp ?? '') || compare(a.name, b.name))
  if (chosen !== undefined) spec.ingressClassName = chosen.name
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
