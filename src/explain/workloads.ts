import type { KubeObject, Pod, PodSpec } from '../objects/index.ts'

/** The pods of manifests: one for each workload, because its pods are all alike. */
export interface Cast {
  readonly pods: readonly Pod[]
  /** `deployment/shop/web` by the key of its pod. */
  readonly nameOf: ReadonlyMap<string, string>
}

const templates: ReadonlySet<string> = new Set([
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'Job',
  'ReplicationController',
  'CronJob',
])

interface Template {
  readonly metadata?: { labels?: Record<string, string> }
  readonly spec?: PodSpec
}

/** Expands workloads into the pods that they would make, but for those whose pods or owner are there too. Objects without a namespace are in `default`. */
export function castOf(objects: readonly KubeObject[]): Cast {
  const pods: Pod[] = []
  const nameOf = new Map<string, string>()
  for (const object of objects) {
    if (object.kind !== 'Pod') continue
    const { metadata } = object
    const namespace = metadata.namespace ?? 'default'
    const pod = { ...(object as Pod), metadata: { ...metadata, namespace } }
    const key = `${namespace}/${metadata.name}`
    nameOf.set(key, workloadOf(key, pod))
    pods.push(pod)
  }
  const present = new Set(nameOf.values())
  for (const { kind, metadata, ...rest } of objects) {
    if (!templates.has(kind) || metadata.ownerReferences?.some(({ controller }) => controller === true)) continue
    const namespace = metadata.namespace ?? 'default'
    const whose = `${kind.toLowerCase()}/${namespace}/${metadata.name}`
    const { spec } = rest as { spec?: { template?: Template; jobTemplate?: { spec?: { template?: Template } } } }
    const template = kind === 'CronJob' ? spec?.jobTemplate?.spec?.template : spec?.template
    if (template?.spec === undefined || present.has(whose)) continue
    // Two kinds may share a name; a slash cannot be in a name of the API.
    const name = `${kind.toLowerCase()}/${metadata.name}`
    nameOf.set(`${namespace}/${name}`, whose)
    const own = { name, namespace, labels: template.metadata?.labels ?? {} }
    pods.push({ apiVersion: 'v1', kind: 'Pod', metadata: own, spec: template.spec })
  }
  return { pods, nameOf }
}

/** Whose a pod is, by its owner: `deployment/shop/web`; a ReplicaSet with a hash in its name is a Deployment's. */
export function workloadOf(key: string, { metadata }: Pod): string {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true)
  // A static pod is the kubelet's own.
  if (owner === undefined || owner.kind === 'Node') return `pod/${key}`
  const hash = metadata.labels?.['pod-template-hash']
  const namespace = metadata.namespace ?? 'default'
  if (owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`))
    return `deployment/${namespace}/${owner.name.slice(0, -hash.length - 1)}`
  return `${owner.kind.toLowerCase()}/${namespace}/${owner.name}`
}
