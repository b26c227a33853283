import { matches, type Snapshot } from '../cluster/index.ts'
import type { LabelSelector, Pod } from '../objects/index.ts'

/** Labels that controllers give each revision or each pod: they change while the workload stays. */
const passing: ReadonlySet<string> = new Set([
  'pod-template-hash',
  'pod-template-generation',
  'controller-revision-hash',
  'controller-uid',
  'job-name',
  'batch.kubernetes.io/controller-uid',
  'batch.kubernetes.io/job-name',
  'batch.kubernetes.io/job-completion-index',
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index',
])

/** The labels by which a workload's pods stay known. */
function ownLabels({ metadata }: Pod): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(metadata.labels ?? {})
      .filter(([key]) => !passing.has(key))
      .sort(),
  )
}

/**
 * A way to select pods of a workload and no others of their namespace: their labels, and the absence of one that others have beside the
 * same. Undefined for pods without labels.
 */
export function selectorsOf(snapshot: Snapshot): (pod: Pod) => LabelSelector | undefined {
  const byNamespace = new Map<string, Map<string, Readonly<Record<string, string>>>>()
  for (const pod of snapshot.pods.values()) {
    const { namespace = 'default' } = pod.metadata
    const labels = ownLabels(pod)
    const all = byNamespace.get(namespace) ?? new Map()
    byNamespace.set(namespace, all.set(JSON.stringify(labels), labels))
  }
  return (pod) => {
    const labels = ownLabels(pod)
    if (Object.keys(labels).length === 0) return undefined
    const others = byNamespace.get(pod.metadata.namespace ?? 'default')?.values() ?? []
    const absent = new Set<string>()
    for (const other of others) {
      const more = Object.keys(other).filter((key) => !Object.hasOwn(labels, key))
      if (more.length > 0 && matches({ matchLabels: labels }, other) && !more.some((key) => absent.has(key))) {
        absent.add(more[0]!)
      }
    }
    const matchExpressions = [...absent].sort().map((key) => ({ key, operator: 'DoesNotExist' as const }))
    return { matchLabels: { ...labels }, ...(matchExpressions.length === 0 ? {} : { matchExpressions }) }
  }
}
