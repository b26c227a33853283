import {
  ControllerRevisions,
  type Pod,
  Pods,
  type PodTemplate,
  type StatefulSet,
  StatefulSets,
} from '../objects/index.ts'
import { claim } from './claim.ts'
import type { Context } from './context.ts'
import { openExpectations } from './expectations.ts'
import { controllerReference } from './owner.ts'
import { podOf } from './pod-template.ts'
import { createPods, deletePods } from './pod-writes.ts'
import { type ControllerRevision, revisionLabel, syncRevisions, trimRevisions } from './revision.ts'
import { claimsFor, createClaims, withClaims } from './statefulset-claims.ts'
import { ordinalOf, planStateful, type StatefulRevisions, statefulStatus } from './statefulset-plan.ts'
import { writeStatus } from './status-write.ts'
import { candidatesFor, followDependents, openDependents, podsByController } from './workload.ts'

/** Keeps the pods of each StatefulSet, every one under its own stable name. */
export function statefulSetController(context: Context): void {
  const statefulSets = context.informer<StatefulSet>(StatefulSets)
  const pods = context.informer<Pod>(Pods)
  const podIndex = podsByController(pods)
  const revisionIndex = openDependents(context.informer<ControllerRevision>(ControllerRevisions))
  const expectations = openExpectations(context.now)
  const queue = context.queue({
    name: 'statefulset',
    async work(key) {
      const statefulSet = statefulSets.get(key)
      if (statefulSet === undefined) return expectations.forget(key)
      const { selector } = statefulSet.spec
      const owner = { object: statefulSet, resource: StatefulSets, selector }
      const candidates = candidatesFor(podIndex, statefulSet, selector)
      const owned = await claim(
        context.client,
        owner,
        Pods,
        candidates.filter((pod) => ordinalOf(statefulSet, pod) !== undefined),
      )
      if (statefulSet.metadata.deletionTimestamp !== undefined) return
      const stored = await syncRevisions(context, StatefulSets, statefulSet, revisionIndex)
      const revisions = revisionsOf(statefulSet, stored)
      let failure: unknown
      if (expectations.satisfied(key)) {
        const plan = planStateful(statefulSet, owned, revisions, context.now())
        const writer = { context, owner: statefulSet, key, expectations, component: 'statefulset-controller' }
        const made = plan.create.map(({ ordinal, revision }) => podFor(statefulSet, ordinal, revision, stored))
        for (const { ordinal } of plan.create) {
          const claims = claimsFor(statefulSet, ordinal)
          await createClaims(context, statefulSet, `${statefulSet.metadata.name}-${ordinal}`, claims)
        }
        failure = (await deletePods(writer, plan.remove))?.error ?? (await createPods(writer, made))?.error
        const inUse = new Set(owned.map(({ metadata }) => metadata.labels?.[revisionLabel] ?? ''))
        await trimRevisions(context, statefulSet, stored, inUse.add(revisions.current).add(revisions.update))
      }
      const { status, nextInMs } = statefulStatus(statefulSet, owned, revisions, context.now())
      await writeStatus(context, StatefulSets, statefulSet, status)
      if (nextInMs !== undefined) queue.addAfter(key, nextInMs)
      if (failure !== undefined) throw failure
    },
  })
  context.onClose(statefulSets.onChange((_, __, key) => queue.add(key)))
  const wake = (key: string) => queue.add(key)
  followDependents(context, { dependents: pods, owners: statefulSets, ownerKind: 'StatefulSet', expectations, wake })
}

/** The labels of StatefulSet pods carry the revision's whole name, unlike those of DaemonSets (as upstream). */
function revisionsOf(statefulSet: StatefulSet, stored: readonly ControllerRevision[]): StatefulRevisions {
  const update = stored.at(-1)?.metadata.name ?? ''
  const known = statefulSet.status?.currentRevision
  return { current: stored.some(({ metadata }) => metadata.name === known) ? known! : update, update }
}

function podFor(
  statefulSet: StatefulSet,
  ordinal: number,
  revision: string,
  stored: readonly ControllerRevision[],
): Pod {
  const name = `${statefulSet.metadata.name}-${ordinal}`
  const template = templateOf(stored.find(({ metadata }) => metadata.name === revision)) ?? statefulSet.spec.template
  const pod = podOf(template, statefulSet, controllerReference(StatefulSets, statefulSet), { name })
  const identity = {
    'statefulset.kubernetes.io/pod-name': name,
    'apps.kubernetes.io/pod-index': String(ordinal),
    [revisionLabel]: revision,
  }
  const { serviceName } = statefulSet.spec
  const named = {
    ...pod,
    metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, ...identity } },
    spec: { ...pod.spec, hostname: name, ...(serviceName && { subdomain: serviceName }) },
  }
  return withClaims(named, statefulSet, claimsFor(statefulSet, ordinal))
}

function templateOf(revision: ControllerRevision | undefined): PodTemplate | undefined {
  const stored = revision?.data?.spec?.template
  if (stored === undefined) return undefined
  const { $patch: _, ...template } = stored
  return template
}
