import { customScale, isCustom, setReplicas } from '../customresources/index.ts'
import { errors, type Kind, type KubeObject, type LabelSelector } from '../objects/index.ts'
import { Refusal } from './refusal.ts'
import { isRecord } from './value.ts'

interface Scalable extends KubeObject {
  spec?: { replicas?: number; selector?: LabelSelector }
  status?: { replicas?: number }
}

/** The autoscaling/v1 Scale of a Deployment, ReplicaSet, ReplicationController, StatefulSet, or of a custom object that has one. */
export function scaleOf(kind: Kind, object: KubeObject): KubeObject & { spec: { replicas: number } } {
  if (isCustom(kind) && kind.custom.scale !== undefined) return customScale(object, kind.custom.scale)
  const { metadata, spec, status } = object as Scalable
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp } as KubeObject['metadata'],
    spec: { replicas: spec?.replicas ?? 0 },
    status: { replicas: status?.replicas ?? 0, selector: renderSelector(selectorOf(kind, spec?.selector)) },
  } as KubeObject & { spec: { replicas: number } }
}

/** A ReplicationController's selector is a map of labels. */
function selectorOf(kind: Kind, selector: LabelSelector | undefined): LabelSelector | undefined {
  return kind.kind === 'ReplicationController' && kind.group === ''
    ? { matchLabels: { ...(selector as Record<string, string> | undefined) } }
    : selector
}

/** Puts the replicas of a Scale into a private copy of its object. */
export function withScale<T extends KubeObject>(kind: Kind, object: T, scale: unknown): T {
  const spec = isRecord(scale) && isRecord(scale.spec) ? scale.spec : {}
  const replicas = spec.replicas ?? 0
  const name = object.metadata.name
  if (!Number.isInteger(replicas) || (replicas as number) < 0) {
    const message = `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`
    const cause = { reason: 'FieldValueInvalid' as const, field: 'spec.replicas', message }
    throw new Refusal(errors.invalid({ group: 'autoscaling', kind: 'Scale' }, name, [cause]))
  }
  const metadata = isRecord(scale) && isRecord(scale.metadata) ? scale.metadata : {}
  if (typeof metadata.resourceVersion === 'string' && metadata.resourceVersion !== '')
    object.metadata.resourceVersion = metadata.resourceVersion
  if (isCustom(kind) && kind.custom.scale !== undefined) {
    setReplicas(object, kind.custom.scale, replicas as number)
    return object
  }
  const scalable = object as Scalable
  scalable.spec = { ...scalable.spec, replicas: replicas as number }
  return object
}

/** A label selector in the notation of queries. */
export function renderSelector(selector: LabelSelector | undefined): string {
  const labels = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`)
  const expressions = (selector?.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    switch (operator) {
      case 'In':
        return `${key} in (${[...values].sort().join(',')})`
      case 'NotIn':
        return `${key} notin (${[...values].sort().join(',')})`
      case 'Exists':
        return key
      case 'DoesNotExist':
        return `!${key}`
      default:
        return operator satisfies never
    }
  })
  return [...labels, ...expressions].join(',')
}
