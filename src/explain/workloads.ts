import { snapshotOf } from '../cluster/index.ts'
import type { KubeObject, Namespace, NetworkPolicy, Node, Pod, PodSpec } from '../objects/index.ts'
import { type Analysis, analyse, type ClusterPolicyModel, clusterModelsIn } from '../policies/index.ts'

/** Manifests as policies see them: one pod for each workload, because its pods are all alike. */
export interface Cast {
  readonly pods: readonly Pod[]
  readonly namespaces: readonly Namespace[]
  readonly policies: readonly NetworkPolicy[]
  readonly clusterPolicies: readonly ClusterPolicyModel[]
  readonly nodes: readonly Node[]
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
])

interface Template {
  readonly metadata?: { labels?: Record<string, string> }
  readonly spec?: PodSpec
}

/** Expands workloads into the pods that they would make. Objects without a namespace are in `default`. */
export function castOf(objects: Iterable<KubeObject>): Cast {
  const pods: Pod[] = []
  const namespaces: Namespace[] = []
  const policies: NetworkPolicy[] = []
  const rest: KubeObject[] = []
  const nameOf = new Map<string, string>()
  const add = (name: string, namespace: string, labels: Record<string, string>, spec: PodSpec, whose: string): void => {
    nameOf.set(`${namespace}/${name}`, whose)
    pods.push({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels }, spec })
  }
  for (const object of objects) {
    const { kind, metadata } = object
    const namespace = metadata.namespace ?? 'default'
    if (kind === 'Namespace') namespaces.push(object as Namespace)
    else if (kind === 'NetworkPolicy')
      policies.push({ ...object, metadata: { ...metadata, namespace } } as NetworkPolicy)
    else if (kind === 'Pod') {
      nameOf.set(`${namespace}/${metadata.name}`, `pod/${namespace}/${metadata.name}`)
      pods.push({ ...(object as Pod), metadata: { ...metadata, namespace } })
    } else if (templates.has(kind) || kind === 'CronJob') {
      const spec = (object as { spec?: { template?: Template; jobTemplate?: { spec?: { template?: Template } } } }).spec
      const template = kind === 'CronJob' ? spec?.jobTemplate?.spec?.template : spec?.template
      if (template?.spec === undefined) continue
      const whose = `${kind.toLowerCase()}/${namespace}/${metadata.name}`
      // Two kinds may share a name; a slash cannot be in a name of the API.
      add(`${kind.toLowerCase()}/${metadata.name}`, namespace, template.metadata?.labels ?? {}, template.spec, whose)
    } else rest.push(object)
  }
  const others = snapshotOf(rest)
  const nodes = [...others.nodes.values()]
  return { pods, namespaces, policies, clusterPolicies: [...clusterModelsIn(others)], nodes, nameOf }
}

/** Who may talk to whom among a cast. */
export function analyseCast({ pods, namespaces, policies, clusterPolicies }: Cast): Analysis {
  return analyse(pods, namespaces, policies, clusterPolicies)
}
