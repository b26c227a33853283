import { isDeepStrictEqual } from 'node:util'
import { errors, type KubeObject, type Node, type Pod } from '../objects/index.ts'
import { nodeOf } from './node-authorizer.ts'
import { referencesOf } from './node-graph.ts'
import { Refusal } from './refusal.ts'
import { collectionOf, keyOf, type Scope } from './scope.ts'
import type { Transaction } from './store.ts'
import { isRecord } from './value.ts'

const mirror = 'kubernetes.io/config.mirror'
const restricted = 'node-restriction.kubernetes.io'
const leaseNamespace = 'kube-node-lease'

/** Labels of Kubernetes that a kubelet may set on its Node (upstream's `IsKubeletLabel`). */
const kubeletLabels = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'beta.kubernetes.io/instance-type',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'node.kubernetes.io/instance-type',
])
const kubeletLabelGroups = ['kubelet.kubernetes.io', 'node.kubernetes.io']

/**
 * Keeps a kubelet to its own Node, pods, Lease and their tokens (upstream's NodeRestriction admission); others pass. `object` is
 * undefined for a deletion, `old` for a creation. Throws 403.
 */
export function restrictNode(
  scope: Scope,
  object: KubeObject | undefined,
  old: KubeObject | undefined,
  transaction: Transaction,
): void {
  const node = nodeOf(scope.user)
  if (node === undefined) return
  const reason = restriction(scope, node, object, old, transaction)
  if (reason !== undefined) refuse(scope, reason, object)
}

function refuse({ kind, name }: Scope, reason: string, object?: KubeObject): never {
  throw new Refusal(errors.forbiddenBecause(kind, name ?? object?.metadata.name ?? '', reason))
}

function restriction(
  scope: Scope,
  node: string,
  object: KubeObject | undefined,
  old: KubeObject | undefined,
  transaction: Transaction,
): string | undefined {
  switch (collectionOf(scope.kind)) {
    case '/pods':
      if (object === undefined) return ofPodDeletion(node, old as Pod)
      if (old === undefined) return ofMirrorPod(node, object as Pod, transaction)
      return scope.subresource === 'status'
        ? ofPodStatus(node, object as Pod, old as Pod)
        : `unexpected operation "UPDATE", node "${node}" can only create and delete mirror pods`
    case '/nodes':
      return ofNode(node, scope, object as Node | undefined, old as Node | undefined)
    case 'coordination.k8s.io/leases':
      return ofLease(node, (object ?? old)!)
    default:
      return undefined
  }
}

function ofPodDeletion(node: string, pod: Pod): string | undefined {
  if (pod.spec.nodeName === node) return undefined
  return `node "${node}" can only delete pods with spec.nodeName set to itself`
}

function ofPodStatus(node: string, pod: Pod, old: Pod): string | undefined {
  if (old.spec.nodeName !== node)
    return `node "${node}" can only update pod status for pods with spec.nodeName set to itself`
  if (isDeepStrictEqual(pod.metadata.labels ?? {}, old.metadata.labels ?? {})) return undefined
  return `node "${node}" cannot update labels through pod status`
}

function ofMirrorPod(node: string, pod: Pod, transaction: Transaction): string | undefined {
  const { annotations = {}, ownerReferences = [] } = pod.metadata
  if (annotations[mirror] === undefined)
    return `pod does not have "${mirror}" annotation, node "${node}" can only create mirror pods`
  if (pod.spec.nodeName !== node) return `node "${node}" can only create pods with spec.nodeName set to itself`
  if (ownerReferences.length > 1)
    return `node "${node}" can only create pods with a single owner reference set to itself`
  const owner = ownerReferences[0]
  if (owner !== undefined) {
    if (owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node)
      return `node "${node}" can only create pods with an owner reference set to itself`
    if (!owner.controller) return `node "${node}" can only create pods with a controller owner reference set to itself`
    if (owner.blockOwnerDeletion) return `node "${node}" must not set blockOwnerDeletion on an owner reference`
    const uid = transaction.find('/nodes', node)?.value.metadata.uid
    if (owner.uid !== uid) return `node ${node} UID mismatch: expected ${owner.uid} got ${uid ?? ''}`
  }
  if (pod.spec.serviceAccountName) return `node "${node}" can not create pods that reference a service account`
  const { secrets, configMaps, claims } = referencesOf(pod.spec)
  if (secrets.length > 0) return `node "${node}" can not create pods that reference secrets`
  if (configMaps.length > 0) return `node "${node}" can not create pods that reference configmaps`
  if (claims.length > 0) return `node "${node}" can not create pods that reference persistentvolumeclaims`
  return undefined
}

function ofNode(node: string, scope: Scope, object: Node | undefined, old: Node | undefined): string | undefined {
  const labels = modifiedLabels(object?.metadata.labels ?? {}, old?.metadata.labels ?? {})
  if (object !== undefined && old === undefined) {
    const forbidden = labels.filter(isRestricted)
    if (forbidden.length > 0)
      return `node "${node}" is not allowed to set the following labels: ${forbidden.join(', ')}`
  }
  const name = scope.name ?? object?.metadata.name
  if (name !== node) return `node "${node}" is not allowed to modify node "${name}"`
  if (object === undefined || old === undefined) return undefined
  if (!isDeepStrictEqual(object.spec?.taints ?? [], old.spec?.taints ?? []))
    return `node "${node}" is not allowed to modify taints`
  const forbidden = labels.filter((label) => isRestricted(label) || (isKubernetes(label) && !isOfKubelet(label)))
  return forbidden.length > 0 ? `is not allowed to modify labels: ${forbidden.join(', ')}` : undefined
}

function ofLease(node: string, { metadata }: KubeObject): string | undefined {
  if (metadata.namespace !== leaseNamespace) return `can only access leases in the "${leaseNamespace}" system namespace`
  return metadata.name === node ? undefined : 'can only access node lease with the same name as the requesting node'
}

function modifiedLabels(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => a[key] !== b[key]).sort()
}

function domainOf(label: string): string {
  const slash = label.indexOf('/')
  return slash < 0 ? '' : label.slice(0, slash)
}

const isWithin = (domain: string, parent: string): boolean => domain === parent || domain.endsWith(`.${parent}`)
const isRestricted = (label: string): boolean => isWithin(domainOf(label), restricted)
const isKubernetes = (label: string): boolean =>
  isWithin(domainOf(label), 'kubernetes.io') || isWithin(domainOf(label), 'k8s.io')
const isOfKubelet = (label: string): boolean =>
  kubeletLabels.has(label) || kubeletLabelGroups.some((group) => isWithin(domainOf(label), group))

/** Keeps a kubelet to evicting its own pods. */
export function restrictEviction(scope: Scope, pod: Pod): void {
  const node = nodeOf(scope.user)
  if (node !== undefined && pod.spec.nodeName !== node)
    refuse(scope, `node ${node} can only evict pods with spec.nodeName set to itself`)
}

/** Keeps a kubelet to tokens that are bound to a pod of its own. `find` gives a pod of the account's namespace. */
export function restrictToken(scope: Scope, body: unknown, find: (name: string) => Pod | undefined): void {
  const node = nodeOf(scope.user)
  if (node === undefined) return
  const spec = isRecord(body) && isRecord(body.spec) ? body.spec : {}
  const bound = isRecord(spec.boundObjectRef) ? spec.boundObjectRef : {}
  if (bound.apiVersion !== 'v1' || bound.kind !== 'Pod' || typeof bound.name !== 'string' || bound.name === '')
    refuse(scope, 'node requested token not bound to a pod')
  if (!bound.uid) refuse(scope, 'node requested token with a pod binding without a uid')
  const pod = find(bound.name)
  if (pod === undefined) throw new Refusal(errors.notFound({ group: '', plural: 'pods' }, bound.name))
  if (pod.metadata.uid !== bound.uid)
    refuse(
      scope,
      `the UID in the bound object reference (${String(bound.uid)}) does not match the UID in record (${pod.metadata.uid}). The object might have been deleted and then recreated`,
    )
  if (pod.spec.nodeName !== node) refuse(scope, 'node requested token bound to a pod scheduled on a different node')
}

/** The pod of a name in the scope's namespace, as it is stored. */
export function findPodIn(transaction: Pick<Transaction, 'find'>, { namespace }: Scope) {
  return (name: string): Pod | undefined => transaction.find('/pods', keyOf(namespace, name))?.value as Pod | undefined
}
