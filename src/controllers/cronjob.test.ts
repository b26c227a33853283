import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError } from '../client/index.ts'
import { type CronJob, CronJobs, type Job, Jobs } from '../objects/index.ts'
import { startCluster, until } from './cluster.fixture.ts'
import { planCronJob } from './cronjob-plan.ts'

const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'v1' }] } }

function cronJob(spec: CronJob['spec'], status?: CronJob['status']): CronJob {
  const metadata = { name: 'tick', namespace: 'default', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' }
  const jobTemplate = { spec: { template } as Job['spec'] }
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata,
    spec: { jobTemplate, ...spec },
    ...(status && { status }),
  }
}

function job(name: string, end?: 'Complete' | 'Failed', startTime = '2026-01-01T00:00:00Z'): Job {
  const conditions = end === undefined ? [] : [{ type: end, status: 'True' as const }]
  const completionTime = end === 'Complete' ? { completionTime: startTime } : {}
  const metadata = { name, namespace: 'default', uid: name }
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata,
    spec: { template } as Job['spec'],
    status: { startTime, conditions, ...completionTime },
  }
}

const at = (time: string) => Date.parse(`2026-01-01T${time}Z`)
const reasons = (plan: ReturnType<typeof planCronJob>) => plan.news.map(({ reason }) => reason)

test('a time that has come makes one Job, the latest of several missed ones', () => {
  const schedule = '*/10 * * * *'
  assert.deepEqual(
    [
      planCronJob(cronJob({ schedule }), [], at('00:09:59')).start,
      planCronJob(cronJob({ schedule }), [], at('00:09:59')).nextInMs,
    ],
    [undefined, 1000],
  )
  const plan = planCronJob(cronJob({ schedule }), [], at('00:35:00'))
  assert.equal(plan.start, at('00:30:00'))
  assert.equal(plan.status.lastScheduleTime, '2026-01-01T00:30:00Z')
  const served = cronJob({ schedule }, { lastScheduleTime: '2026-01-01T00:30:00Z' })
  assert.equal(planCronJob(served, [], at('00:35:00')).start, undefined)
  assert.equal(planCronJob(cronJob({ schedule, suspend: true }), [], at('00:35:00')).start, undefined)
})

test('a year of missed minutes is no reason to walk through them', () => {
  const plan = planCronJob(cronJob({ schedule: '* * * * *' }), [], Date.parse('2027-01-01T00:00:30Z'))
  assert.equal(plan.start, Date.parse('2027-01-01T00:00:00Z'))
  assert.deepEqual(reasons(plan), ['TooManyMissedTimes'])
  const every = planCronJob(cronJob({ schedule: '@every 1s' }), [], Date.parse('2027-01-01T00:00:30Z'))
  assert.equal(every.start, Date.parse('2027-01-01T00:00:30Z'))
})

test('what came too late is missed', () => {
  const plan = planCronJob(cronJob({ schedule: '0 * * * *', startingDeadlineSeconds: 60 }), [], at('01:05:00'))
  assert.equal(plan.start, undefined)
  const inTime = planCronJob(cronJob({ schedule: '0 * * * *', startingDeadlineSeconds: 600 }), [], at('01:05:00'))
  assert.equal(inTime.start, at('01:00:00'))
})

test('Forbid waits for the Job that runs, Replace removes it, Allow leaves it', () => {
  const running = job('tick-1')
  const planned = (concurrencyPolicy: string) =>
    planCronJob(cronJob({ schedule: '0 * * * *', concurrencyPolicy }), [running], at('01:00:00'))
  assert.equal(planned('Forbid').start, undefined)
  assert.deepEqual(reasons(planned('Forbid')), ['JobAlreadyActive'])
  assert.deepEqual([planned('Replace').remove, planned('Replace').status.active], [[running], []])
  assert.deepEqual([planned('Allow').remove.length, planned('Allow').status.active?.length], [0, 1])
  assert.ok(planned('Replace').start === planned('Allow').start)
})

test('finished Jobs beyond the history go, oldest first, and leave the list of active ones', () => {
  const jobs = [
    job('a', 'Complete', '2026-01-01T00:01:00Z'),
    job('b', 'Complete', '2026-01-01T00:02:00Z'),
    job('c', 'Failed', '2026-01-01T00:03:00Z'),
    job('d', 'Failed', '2026-01-01T00:04:00Z'),
  ]
  const spec = { schedule: '@yearly', successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 0 }
  const plan = planCronJob(
    cronJob(spec, {
      active: [
        { uid: 'b', name: 'b' },
        { uid: 'z', name: 'z' },
      ],
    }),
    jobs,
    at('01:00:00'),
  )
  assert.deepEqual(
    plan.remove.map(({ metadata }) => metadata.name),
    ['a', 'c', 'd'],
  )
  assert.deepEqual(reasons(plan), ['SawCompletedJob', 'MissingJob'])
  assert.deepEqual([plan.status.active, plan.status.lastSuccessfulTime], [[], '2026-01-01T00:02:00Z'])
})

test('a CronJob makes Jobs against the real API, which run out of history; a wrong one is refused', async () => {
  const cluster = await startCluster({ controllers: ['cronjob-controller', 'serviceaccount-controller'] })
  const { client } = cluster
  try {
    const { metadata: _, ...tick } = cronJob({ schedule: '@every 1s', successfulJobsHistoryLimit: 0 })
    const metadata = { name: 'tick', namespace: 'default' }
    await client.create<CronJob>(CronJobs, { ...tick, metadata })
    const owned = async () => (await client.list<Job>(Jobs, { namespace: 'default' })).items
    const finished = new Set<string>()
    await until('three Jobs, one after another, and gone', async () => {
      for (const { metadata, status } of await owned()) {
        if (status?.conditions?.length) continue
        assert.equal(metadata.ownerReferences?.[0]?.kind, 'CronJob')
        assert.match(metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp'] ?? '', /^20.*Z$/)
        const condition = (type: string) => ({ type, status: 'True' })
        const conditions = [condition('SuccessCriteriaMet'), condition('Complete')]
        const done = { startTime: metadata.creationTimestamp, completionTime: new Date().toISOString(), conditions }
        await client
          .patch(Jobs, 'default', metadata.name, 'merge', { status: done }, { subresource: 'status' })
          .catch(() => {})
        finished.add(metadata.uid ?? '')
      }
      return finished.size >= 3
    })
    const { status } = await client.get<CronJob>(CronJobs, 'default', 'tick')
    assert.ok(status?.lastScheduleTime && status.lastSuccessfulTime)
    assert.deepEqual(cluster.troubles, [])
    const wrong = { ...tick, metadata: { ...metadata, name: 'wrong' }, spec: { ...tick.spec, schedule: '61 * * * *' } }
    await assert.rejects(client.create(CronJobs, wrong), (error) => error instanceof ApiError && error.code === 422)
  } finally {
    await cluster.close()
  }
})
