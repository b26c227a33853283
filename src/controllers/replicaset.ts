import { keyOf } from '../cluster/index.ts'
import { type Pod, Pods, type ReplicaSet, ReplicaSets } from '../objects/index.ts'
import { claim } from './claim.ts'
import type { Context } from './context.ts'
import { type Expectations, openExpectations } from './expectations.ts'
import { controllerReference, findController } from './owner.ts'
import { hasEnded } from './pod-state.ts'
import { podOf } from './pod-template.ts'
import { createPods, deletePods, type PodWriter, type WriteFailure } from './pod-writes.ts'
import { planReplicas, replicaSetStatus } from './replicaset-plan.ts'
import { writeStatus } from './status-write.ts'
import { candidatesFor, followDependents, podsByController } from './workload.ts'

/** Keeps as many pods as each ReplicaSet asks for. */
export function replicaSetController(context: Context): void {
  const pods = context.informer<Pod>(Pods)
  const replicaSets = context.informer<ReplicaSet>(ReplicaSets)
  const podIndex = podsByController(pods)
  const expectations = openExpectations(context.now)
  const queue = context.queue({
    name: 'replicaset',
    workers: 8,
    async work(key) {
      const replicaSet = replicaSets.get(key)
      if (replicaSet === undefined) return expectations.forget(key)
      const { metadata, spec } = replicaSet
      const candidates = candidatesFor(podIndex, replicaSet, spec.selector).filter((pod) => !hasEnded(pod))
      const owner = { object: replicaSet, resource: ReplicaSets, selector: spec.selector }
      const owned = await claim(context.client, owner, Pods, candidates)
      const failure =
        metadata.deletionTimestamp === undefined && expectations.satisfied(key)
          ? await scale(context, expectations, key, replicaSet, owned, () => relatedPods(replicaSet))
          : undefined
      const { status, nextInMs } = replicaSetStatus(replicaSet, owned, failure, context.now())
      await writeStatus(context, ReplicaSets, replicaSet, status)
      if (nextInMs !== undefined) queue.addAfter(key, nextInMs)
      if (failure !== undefined) throw failure.error
    },
  })

  /** Pods of every ReplicaSet of the same Deployment: removal spreads over the nodes of all of them. */
  const relatedPods = (replicaSet: ReplicaSet): Pod[] => {
    const uid = findController(replicaSet)?.uid
    if (uid === undefined) return podIndex.find(replicaSet.metadata.uid ?? '')
    const siblings = [...replicaSets.values()].filter((other) => findController(other)?.uid === uid)
    return siblings.flatMap((other) => podIndex.find(other.metadata.uid ?? ''))
  }

  context.onClose(replicaSets.onChange((_, __, key) => queue.add(key)))
  const wake = (key: string) => queue.add(key)
  followDependents(context, { dependents: pods, owners: replicaSets, ownerKind: 'ReplicaSet', expectations, wake })
}

async function scale(
  context: Context,
  expectations: Expectations,
  key: string,
  replicaSet: ReplicaSet,
  owned: readonly Pod[],
  related: () => Pod[],
): Promise<WriteFailure | undefined> {
  const plan = planReplicas(replicaSet.spec.replicas ?? 1, owned, related(), context.now())
  const writer: PodWriter = { context, owner: replicaSet, key, expectations, component: 'replicaset-controller' }
  switch (plan.kind) {
    case 'none':
      return undefined
    case 'delete':
      return deletePods(writer, plan.pods)
    case 'create': {
      const { template } = replicaSet.spec
      if (template === undefined) return undefined
      const generateName = podPrefix(keyOf(replicaSet))
      const reference = controllerReference(ReplicaSets, replicaSet)
      const make = () => podOf(template, replicaSet, reference, { generateName })
      return createPods(writer, Array.from({ length: plan.count }, make))
    }
    default:
      return plan satisfies never
  }
}

/** `web-` for `shop/web`; a name that leaves no room for the dash goes without (upstream's validation of the prefix). */
function podPrefix(key: string): string {
  const name = key.slice(key.indexOf('/') + 1)
  return name.length < 253 ? `${name}-` : name
}
