import { ApiError } from '../client/index.ts'
import { type Job, Jobs, type Pod, Pods } from '../objects/index.ts'
import { claim } from './claim.ts'
import type { Context } from './context.ts'
import { openExpectations } from './expectations.ts'
import { withIndex } from './job-index.ts'
import { expiresInMs, hasFinished, planJob } from './job-plan.ts'
import { controllerReference } from './owner.ts'
import { podOf } from './pod-template.ts'
import { createPods, deletePods } from './pod-writes.ts'
import { writeStatus } from './status-write.ts'
import { candidatesFor, followDependents, podsByController } from './workload.ts'

const component = 'job-controller'

/** Runs each Job's pods to completion, and removes Jobs whose time after that has passed. */
export function jobController(context: Context): void {
  const jobs = context.informer<Job>(Jobs)
  const pods = context.informer<Pod>(Pods)
  const podIndex = podsByController(pods)
  const expectations = openExpectations(context.now)
  const queue = context.queue({
    name: 'job',
    async work(key) {
      const job = jobs.get(key)
      if (job === undefined) return expectations.forget(key)
      if (job.metadata.deletionTimestamp !== undefined) return
      if (hasFinished(job)) {
        const waitMs = expiresInMs(job, context.now())
        if (waitMs === 0) return remove(context, job)
        if (waitMs !== undefined) queue.addAfter(key, waitMs)
        return
      }
      const { selector, template } = job.spec
      const owner = { object: job, resource: Jobs, selector }
      // A server that generates no selector leaves the owner reference alone to tell.
      const owned =
        selector === undefined
          ? podIndex.find(job.metadata.uid ?? '')
          : await claim(context.client, owner, Pods, candidatesFor(podIndex, job, selector))
      if (!expectations.satisfied(key)) return
      const plan = planJob(job, owned, context.now())
      const writer = { context, owner: job, key, expectations, component }
      const generateName = `${job.metadata.name}-`
      const reference = controllerReference(Jobs, job)
      const labels = {
        ...template.metadata?.labels,
        'batch.kubernetes.io/job-name': job.metadata.name,
        'batch.kubernetes.io/controller-uid': job.metadata.uid ?? '',
        'job-name': job.metadata.name,
        'controller-uid': job.metadata.uid ?? '',
      }
      const labelled = { ...template, metadata: { ...template.metadata, labels } }
      const make = () => podOf(labelled, job, reference, { generateName })
      const created =
        job.spec.completionMode === 'Indexed'
          ? plan.indexes.map(({ index, failures }) => withIndex(make(), job, index, failures))
          : Array.from({ length: plan.create }, make)
      const removal = await deletePods(writer, plan.remove)
      const creation = await createPods(writer, created)
      await writeStatus(context, Jobs, job, plan.status)
      if (plan.news !== undefined)
        context.events.record(job, plan.news.type, plan.news.reason, plan.news.message, component)
      if (plan.nextInMs !== undefined) queue.addAfter(key, plan.nextInMs)
      const failure = removal ?? creation
      if (failure !== undefined) throw failure.error
    },
  })
  context.onClose(jobs.onChange((_, __, key) => queue.add(key)))
  const wake = (key: string) => queue.add(key)
  followDependents(context, { dependents: pods, owners: jobs, ownerKind: 'Job', expectations, wake })
}

async function remove(context: Context, { metadata: { namespace, name, uid } }: Job): Promise<void> {
  const options = { propagationPolicy: 'Foreground', ...(uid && { preconditions: { uid } }) } as const
  await context.client.delete(Jobs, namespace, name, options).catch((error) => {
    if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error
  })
}
