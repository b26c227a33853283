import { type Because, keyOf, type Snapshot } from '../cluster/index.ts'
import { explainEndpoint, hasSelectedEndpoints, selects } from '../endpoints/index.ts'
import type { Pod, Service } from '../objects/index.ts'
import { distance } from './distance.ts'

/** A pod as a Service sees it. `near`: the selector just misses it. */
export interface SelectedPod {
  readonly pod: string
  readonly node: string | undefined
  readonly addresses: readonly string[]
  readonly use: 'ready' | 'unready' | 'absent' | 'near'
  /** Why it is not ready, empty when it is. */
  readonly says: string
  readonly because: Because | undefined
  readonly try: string | undefined
}

/** The pods that the Service selects; where it selects none, those of its namespace that come nearest. */
export function selectedBy(snapshot: Snapshot, service: Service): readonly SelectedPod[] {
  if (!hasSelectedEndpoints(service)) return []
  const pods = [...snapshot.pods.values()].filter(({ metadata }) => metadata.namespace === service.metadata.namespace)
  const selected = pods.filter((pod) => selects(service, pod))
  const shown = selected.length > 0 ? selected : nearestPods(service, pods).slice(0, 3)
  return shown
    .map((pod) => asSelected(snapshot, service, pod, selected.length > 0))
    .sort((a, b) => (a.pod < b.pod ? -1 : 1))
}

function asSelected(snapshot: Snapshot, service: Service, pod: Pod, selected: boolean): SelectedPod {
  const node = pod.spec.nodeName === undefined ? undefined : snapshot.nodes.get(pod.spec.nodeName)
  const { verdict, steps } = explainEndpoint({ service, pod, node, slices: snapshot.slicesOf(keyOf(service)) })
  const block = steps.find(({ kind }) => kind === 'blocks')
  return {
    pod: keyOf(pod),
    node: pod.spec.nodeName,
    addresses: pod.status?.podIPs?.map(({ ip }) => ip) ?? [],
    use: selected ? verdict : 'near',
    says: block?.says ?? '',
    because: block?.because,
    try: block?.try,
  }
}

/** Pods that agree with most of the selector, and those whose labels have one of its keys; the nearest first, by spelling too. */
export function nearestPods(service: Service, pods: readonly Pod[]): Pod[] {
  const selector = Object.entries(service.spec.selector ?? {})
  const score = ({ metadata: { labels = {} } }: Pod): number =>
    selector.reduce((sum, [key, value]) => {
      const own = Object.hasOwn(labels, key) ? labels[key] : undefined
      if (own === undefined) return sum
      return sum + (own === value ? 3 : 1 + likeness(own, value))
    }, 0)
  return pods
    .map((pod) => ({ pod, score: score(pod) }))
    .filter((one) => one.score > 0)
    .sort((a, b) => b.score - a.score)
    .map(({ pod }) => pod)
}

/** From 0, nothing in common, to 1. */
function likeness(a: string, b: string): number {
  return 1 - distance(a, b) / Math.max(a.length, b.length, 1)
}
