import { ControllerRevisions, type DaemonSet, DaemonSets, type Node, Nodes, type Pod, Pods } from '../objects/index.ts'
import { claim } from './claim.ts'
import type { Context } from './context.ts'
import { daemonStatus, daemonTemplate, planDaemons } from './daemonset-plan.ts'
import { openExpectations } from './expectations.ts'
import { controllerReference } from './owner.ts'
import { podOf } from './pod-template.ts'
import { createPods, deletePods } from './pod-writes.ts'
import { type ControllerRevision, revisionHash, revisionLabel, syncRevisions, trimRevisions } from './revision.ts'
import { writeStatus } from './status-write.ts'
import { candidatesFor, followDependents, openDependents, podsByController } from './workload.ts'

/** Keeps one pod of each DaemonSet on every node that it selects. */
export function daemonSetController(context: Context): void {
  const daemonSets = context.informer<DaemonSet>(DaemonSets)
  const nodes = context.informer<Node>(Nodes)
  const pods = context.informer<Pod>(Pods)
  const podIndex = podsByController(pods)
  const revisionIndex = openDependents(context.informer<ControllerRevision>(ControllerRevisions))
  const expectations = openExpectations(context.now)
  const queue = context.queue({
    name: 'daemonset',
    async work(key) {
      const daemonSet = daemonSets.get(key)
      if (daemonSet === undefined) return expectations.forget(key)
      const revisions =
        daemonSet.metadata.deletionTimestamp === undefined
          ? await syncRevisions(context, DaemonSets, daemonSet, revisionIndex)
          : []
      const current = revisions.at(-1)
      const revision = current === undefined ? '' : revisionHash(current)
      const { selector, template } = daemonSet.spec
      const owner = { object: daemonSet, resource: DaemonSets, selector }
      const owned = await claim(context.client, owner, Pods, candidatesFor(podIndex, daemonSet, selector))
      const everyNode = [...nodes.values()]
      let failure: unknown
      if (current !== undefined && expectations.satisfied(key)) {
        const plan = planDaemons(daemonSet, everyNode, owned, revision, context.now())
        const writer = { context, owner: daemonSet, key, expectations, component: 'daemonset-controller' }
        const labels = { [revisionLabel]: revision, 'pod-template-generation': String(current.revision) }
        const reference = controllerReference(DaemonSets, daemonSet)
        const generateName = `${daemonSet.metadata.name}-`
        const made = plan.create.map((node) =>
          podOf(daemonTemplate(template, node, labels), daemonSet, reference, { generateName }),
        )
        failure = (await deletePods(writer, plan.remove))?.error ?? (await createPods(writer, made))?.error
        await trimRevisions(
          context,
          daemonSet,
          revisions,
          new Set(owned.map(({ metadata }) => metadata.labels?.[revisionLabel] ?? '')),
        )
      }
      const { status, nextInMs } = daemonStatus(daemonSet, everyNode, owned, revision, context.now())
      await writeStatus(context, DaemonSets, daemonSet, status)
      if (nextInMs !== undefined) queue.addAfter(key, nextInMs)
      if (failure !== undefined) throw failure
    },
  })
  context.onClose(daemonSets.onChange((_, __, key) => queue.add(key)))
  context.onClose(
    nodes.onChange((old, node) => {
      if (old !== undefined && node !== undefined && placement(old) === placement(node)) return
      for (const daemonSet of daemonSets.values())
        queue.add(`${daemonSet.metadata.namespace}/${daemonSet.metadata.name}`)
    }),
  )
  const wake = (key: string) => queue.add(key)
  followDependents(context, { dependents: pods, owners: daemonSets, ownerKind: 'DaemonSet', expectations, wake })
}

function placement({ metadata, spec }: Node): string {
  return JSON.stringify([metadata.labels, spec?.taints])
}
