import { matches } from '../cluster/index.ts'
import {
  type Deployment,
  Deployments,
  type KubeObject,
  type Pod,
  type PodDisruptionBudget,
  PodDisruptionBudgets,
  Pods,
  type ReplicaSet,
  ReplicaSets,
  type StatefulSet,
  StatefulSets,
} from '../objects/index.ts'
import type { Context } from './context.ts'
import { asksControllers, failedDisruption, planDisruption } from './disruption-plan.ts'
import { openIndex } from './object-index.ts'
import { findController } from './owner.ts'
import { writeStatus } from './status-write.ts'

const component = 'controllermanager'

/** Says in the status of each PodDisruptionBudget how many of its pods may be evicted; the API server holds evictions to it. */
export function disruptionController(context: Context): void {
  const pods = context.informer<Pod>(Pods)
  const budgets = context.informer<PodDisruptionBudget>(PodDisruptionBudgets)
  const podsByNamespace = openIndex(pods, ({ metadata }) => [metadata.namespace ?? ''])
  const budgetsByNamespace = openIndex(budgets, ({ metadata }) => [metadata.namespace ?? ''])
  const scales = openScales(context)
  const queue = context.queue({
    name: 'disruption',
    async work(key) {
      const budget = budgets.get(key)
      if (budget === undefined) return
      const selector = budget.spec?.selector
      const chosen = podsByNamespace
        .find(budget.metadata.namespace ?? '')
        .filter(({ metadata }) => selector !== undefined && matches(selector, metadata.labels ?? {}))
      if (chosen.length === 0) context.events.record(budget, 'Normal', 'NoPods', 'No matching pods found', component)
      const wanted = asksControllers(budget) ? scales.wanted(chosen) : 0
      if (typeof wanted === 'string') {
        const message = `Failed to calculate the number of expected pods: ${wanted}`
        context.events.record(budget, 'Warning', 'CalculateExpectedPodCountFailed', message, component)
        return writeStatus(context, PodDisruptionBudgets, budget, failedDisruption(budget, wanted, context.now()))
      }
      const { status, nextInMs, notDeleted } = planDisruption(budget, chosen, wanted, context.now())
      for (const pod of notDeleted) {
        const message = 'Pod was expected by PDB to be deleted but it was not'
        context.events.record(pod, 'Warning', 'NotDeleted', message, component)
      }
      await writeStatus(context, PodDisruptionBudgets, budget, status)
      if (nextInMs !== undefined) queue.addAfter(key, nextInMs)
    },
  })
  const wakeFor = (object: KubeObject | undefined) => {
    const { namespace = '', labels = {} } = object?.metadata ?? {}
    for (const { metadata, spec } of budgetsByNamespace.find(namespace))
      if (spec?.selector !== undefined && matches(spec.selector, labels)) queue.add(`${namespace}/${metadata.name}`)
  }
  context.onClose(budgets.onChange((_, __, key) => queue.add(key)))
  context.onClose(
    pods.onChange((old, pod) => {
      wakeFor(old)
      wakeFor(pod)
    }),
  )
  scales.onChange((uid) => {
    for (const pod of scales.podsOf(uid, pods.values())) wakeFor(pod)
  })
}

interface Scaled extends KubeObject {
  readonly spec: { readonly replicas?: number }
}

/** How many pods the controllers of pods want. */
function openScales(context: Context) {
  const deployments = context.informer<Deployment>(Deployments)
  const replicaSets = context.informer<ReplicaSet>(ReplicaSets)
  const statefulSets = context.informer<StatefulSet>(StatefulSets)
  const scaleOf = (pod: Pod): Scaled | undefined => {
    const owner = findController(pod)
    const at = (name: string) => `${pod.metadata.namespace}/${name}`
    if (owner?.kind === 'StatefulSet') return statefulSets.get(at(owner.name))
    if (owner?.kind !== 'ReplicaSet') return undefined
    const replicaSet = replicaSets.get(at(owner.name))
    const above = replicaSet && findController(replicaSet)
    return above?.kind === 'Deployment' ? deployments.get(at(above.name)) : replicaSet
  }
  return {
    /** The sum over the pods' controllers, or why it cannot be told. Pods without a controller count as none. */
    wanted(pods: Iterable<Pod>): number | string {
      const seen = new Map<string, number>()
      for (const pod of pods) {
        const owner = findController(pod)
        if (owner === undefined) continue
        const scaled = scaleOf(pod)
        const group = owner.apiVersion.split('/').slice(0, -1).join('')
        if (scaled !== undefined) seen.set(scaled.metadata.uid ?? '', scaled.spec.replicas ?? 1)
        else if (owner.kind !== 'ReplicaSet' && owner.kind !== 'StatefulSet')
          return `${owner.kind.toLowerCase()}s.${group} does not implement the scale subresource`
      }
      return [...seen.values()].reduce((sum, replicas) => sum + replicas, 0)
    },
    /** Calls back with the uid of a controller whose number of replicas has changed. */
    onChange(callback: (uid: string) => void): void {
      for (const informer of [deployments, replicaSets, statefulSets]) {
        const changed = (old: Scaled | undefined, current: Scaled | undefined) => {
          if (old?.spec.replicas !== current?.spec.replicas) callback((current ?? old)?.metadata.uid ?? '')
        }
        context.onClose(informer.onChange(changed))
      }
    },
    podsOf(uid: string, pods: Iterable<Pod>): Pod[] {
      return [...pods].filter((pod) => scaleOf(pod)?.metadata.uid === uid)
    },
  }
}
