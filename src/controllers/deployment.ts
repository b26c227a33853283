import type { Informer } from '../client/index.ts'
import { type Deployment, Deployments, type Pod, Pods, type ReplicaSet, ReplicaSets } from '../objects/index.ts'
import type { Context } from './context.ts'
import { findController } from './owner.ts'
import { hasEnded } from './pod-state.ts'
import { Rollout, type RolloutParts } from './rollout.ts'
import { followDependents, openDependents, podsByController } from './workload.ts'

/** Rolls each Deployment's template out through ReplicaSets. */
export function deploymentController(context: Context): void {
  const deployments = context.informer<Deployment>(Deployments)
  const replicaSets = context.informer<ReplicaSet>(ReplicaSets)
  const pods = context.informer<Pod>(Pods)
  const parts: RolloutParts = { context, podIndex: podsByController(pods), setIndex: openDependents(replicaSets) }
  const queue = context.queue({
    name: 'deployment',
    workers: 8,
    async work(key) {
      const deployment = deployments.get(key)
      if (deployment === undefined) return
      const nextInMs = await new Rollout(parts, deployment).sync()
      if (nextInMs !== undefined) queue.addAfter(key, nextInMs)
    },
  })
  context.onClose(deployments.onChange((_, __, key) => queue.add(key)))
  followDependents(context, {
    dependents: replicaSets,
    owners: deployments,
    ownerKind: 'Deployment',
    wake: (key) => queue.add(key),
  })
  wakeWhenPodsAreGone(context, pods, replicaSets, (key) => queue.add(key))
}

/** Recreate waits for the last old pod; only its end matters, everything else shows in the ReplicaSets. */
function wakeWhenPodsAreGone(
  context: Context,
  pods: Informer<Pod>,
  replicaSets: Informer<ReplicaSet>,
  wake: (key: string) => void,
): void {
  const stop = pods.onChange((old, current) => {
    if (old === undefined || (current !== undefined && hasEnded(current) === hasEnded(old))) return
    const { namespace } = old.metadata
    const set = replicaSets.get(`${namespace}/${findController(old)?.name}`)
    const deployment = set && findController(set)
    if (deployment?.kind === 'Deployment') wake(`${namespace}/${deployment.name}`)
  })
  context.onClose(stop)
}
