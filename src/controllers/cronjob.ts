import { ApiError } from '../client/index.ts'
import { type CronJob, CronJobs, type Job, Jobs } from '../objects/index.ts'
import type { Context } from './context.ts'
import { jobName, planCronJob, referenceOf } from './cronjob-plan.ts'
import { openIndex } from './object-index.ts'
import { controllerReference, findController } from './owner.ts'
import { timestamp } from './pod-state.ts'
import { writeStatus } from './status-write.ts'

const component = 'cronjob-controller'

/** Makes a Job of each CronJob when its time comes, and keeps so many of the finished ones as it says. */
export function cronJobController(context: Context): void {
  const cronJobs = context.informer<CronJob>(CronJobs)
  const jobs = context.informer<Job>(Jobs)
  const byOwner = openIndex(jobs, (job) => [findController(job)?.uid ?? ''])
  const queue = context.queue({
    name: 'cronjob',
    async work(key) {
      const cronJob = cronJobs.get(key)
      if (cronJob === undefined || cronJob.metadata.deletionTimestamp !== undefined) return
      const plan = planCronJob(cronJob, byOwner.find(cronJob.metadata.uid ?? ''), context.now())
      if (plan.nextInMs !== undefined) queue.addAfter(key, plan.nextInMs)
      for (const job of plan.remove) await removeJob(context, cronJob, job)
      const made = plan.start === undefined ? undefined : await createJob(context, cronJob, plan.start)
      const active = [...(plan.status.active ?? []), ...(made === undefined ? [] : [referenceOf(made)])]
      await writeStatus(context, CronJobs, cronJob, { ...plan.status, active })
      for (const { type, reason, message } of plan.news)
        context.events.record(cronJob, type, reason, message, component)
    },
  })
  context.onClose(cronJobs.onChange((_, __, key) => queue.add(key)))
  context.onClose(
    jobs.onChange((old, job) => {
      const { namespace } = (job ?? old)!.metadata
      for (const owner of new Set([old, job].flatMap((one) => (one && findController(one)) ?? [])))
        if (owner.kind === 'CronJob') queue.add(`${namespace}/${owner.name}`)
    }),
  )
}

/** The Job of a time; undefined when it was made before, by us or by a leader before us. */
async function createJob(context: Context, cronJob: CronJob, due: number): Promise<Job | undefined> {
  const template = cronJob.spec?.jobTemplate ?? {}
  const { labels, annotations } = template.metadata ?? {}
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: jobName(cronJob, due),
      namespace: cronJob.metadata.namespace,
      ...(labels && { labels }),
      annotations: { ...annotations, 'batch.kubernetes.io/cronjob-scheduled-timestamp': timestamp(due) },
      ownerReferences: [controllerReference(CronJobs, cronJob)],
    },
    spec: template.spec,
  } as Job
  try {
    const made = await context.client.create<Job>(Jobs, job)
    context.events.record(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${job.metadata.name}`, component)
    return made
  } catch (error) {
    if (error instanceof ApiError && error.code === 409) return undefined
    const message = `Error creating job: ${error instanceof Error ? error.message : String(error)}`
    context.events.record(cronJob, 'Warning', 'FailedCreate', message, component)
    throw error
  }
}

async function removeJob(context: Context, cronJob: CronJob, { metadata }: Job): Promise<void> {
  const { namespace, name, uid } = metadata
  const options = { propagationPolicy: 'Background', ...(uid && { preconditions: { uid } }) } as const
  try {
    await context.client.delete(Jobs, namespace, name, options)
    context.events.record(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`, component)
  } catch (error) {
    if (!(error instanceof ApiError && (error.code === 404 || error.code === 409))) throw error
  }
}
