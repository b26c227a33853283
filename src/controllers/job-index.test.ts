import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { type Job, Jobs, type Pod, Pods } from '../objects/index.ts'
import { type Cluster, startCluster, until } from './cluster.fixture.ts'
import { indexFailuresKey, indexKey } from './job-index.ts'
import { parseIndexes, renderIndexes } from './job-intervals.ts'
import { planJob } from './job-plan.ts'

const now = Date.parse('2026-01-01T00:00:00Z')
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString()
const never = { spec: { containers: [{ name: 'c', image: 'i' }], restartPolicy: 'Never' as const } }

function job(spec: Partial<Job['spec']>, status: Job['status'] = {}): Job {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'j', namespace: 'default' },
    spec: { template: never, completionMode: 'Indexed', ...spec },
    status,
  }
}

interface Fate {
  readonly phase?: string
  readonly exitCode?: number
  readonly age?: number
  readonly before?: number
  readonly condition?: string
  readonly deleting?: boolean
}

function pod(
  index: number | undefined,
  { phase = 'Running', exitCode, age = 60, before, condition, deleting }: Fate = {},
): Pod {
  const annotations = {
    ...(index !== undefined && { [indexKey]: String(index) }),
    ...(before !== undefined && { [indexFailuresKey]: String(before) }),
  }
  const terminated = { exitCode: exitCode ?? 0, finishedAt: ago(age) }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `p-${index}`,
      namespace: 'd',
      annotations,
      creationTimestamp: ago(age),
      ...(deleting && { deletionTimestamp: ago(1) }),
    },
    spec: { containers: [] },
    status: {
      phase,
      ...(condition && { conditions: [{ type: condition, status: 'True' }] }),
      ...(phase === 'Running' ? {} : { containerStatuses: [{ name: 'c', state: { terminated } }] }),
    },
  } as unknown as Pod
}

const done = (index?: number) => pod(index, { phase: 'Succeeded' })
const failed = (index?: number, fate: Fate = {}) => pod(index, { phase: 'Failed', exitCode: 1, ...fate })

function plan(one: Job, pods: Pod[]): string {
  const { create, indexes, remove, status } = planJob(one, pods, now)
  const end = status.conditions?.at(-1)
  const made =
    indexes.length > 0 ? indexes.map(({ index, failures }) => (failures ? `${index}!${failures}` : index)) : create
  return [
    `+${made}`,
    `-${remove.length}`,
    ...(status.completedIndexes ? [`done ${status.completedIndexes}`] : []),
    ...(status.failedIndexes ? [`lost ${status.failedIndexes}`] : []),
    ...(end ? [`${end.type}: ${end.reason}: ${end.message}`] : []),
  ].join(' ')
}

test('lists of indexes', () => {
  assert.equal(renderIndexes([4, 0, 2, 3, 7, 8]), '0,2-4,7,8')
  assert.deepEqual([...parseIndexes('0,2-4,9-99', 11)], [0, 2, 3, 4, 9, 10])
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(200)), (indexes) => {
      const again = [...parseIndexes(renderIndexes(indexes), 201)]
      assert.deepEqual(
        again,
        [...indexes].sort((a, b) => a - b),
      )
    }),
  )
})

describe('Indexed Job', () => {
  const three = { completions: 3, parallelism: 2 }
  const perIndex = { completions: 3, parallelism: 3, backoffLimit: 2 ** 31 - 1, backoffLimitPerIndex: 1 }
  for (const [what, one, pods, want] of [
    ['starts with the lowest', job(three), [], '+0,1 -0'],
    ['goes on with what is left', job(three), [done(0), pod(1)], '+2 -0 done 0'],
    ['remembers what is done', job(three, { completedIndexes: '0,1' }), [], '+2 -0 done 0,1'],
    ['one pod of an index is enough', job(three), [pod(0), pod(0, { age: 1 })], '+1 -1'],
    ['there is no such index', job(three), [pod(7)], '+0,1 -1'],
    ['shrinks', job({ completions: 1, parallelism: 1 }), [pod(0), pod(1)], '+0 -1'],
    [
      'completes',
      job(three),
      [done(0), done(1), done(2), done(2)],
      '+0 -0 done 0-2 Complete: CompletionsReached: Reached expected number of succeeded pods',
    ],
    ['pauses after a failure', job(three), [failed(0, { age: 3 })], '+0 -0'],
    ['an index pauses by itself', job(perIndex), [failed(0, { age: 3 })], '+1,2 -0'],
    ['and tries again', job(perIndex), [failed(0, { age: 11 }), pod(1), pod(2)], '+0!1 -0'],
    ['an index is given up', job(perIndex), [failed(0, { before: 1 }), pod(1)], '+2 -0 lost 0'],
    [
      'fails when all are over',
      job(perIndex),
      [failed(0, { before: 1 }), done(1), done(2)],
      '+0 -0 done 1,2 lost 0 Failed: FailedIndexes: Job has failed indexes',
    ],
    [
      'fails with too many lost',
      job({ ...perIndex, maxFailedIndexes: 0 }),
      [failed(0, { before: 1 }), pod(1)],
      '+0 -1 lost 0 Failed: MaxFailedIndexesExceeded: Job has exceeded the specified maximal number of failed indexes',
    ],
    [
      'the leader is enough',
      job({
        ...three,
        successPolicy: { rules: [{ succeededIndexes: '1-2' }, { succeededIndexes: '0', succeededCount: 1 }] },
      }),
      [done(0), pod(1)],
      '+0 -1 done 0 Complete: SuccessPolicy: Matched rules at index 1',
    ],
    [
      'not enough yet',
      job({ ...three, successPolicy: { rules: [{ succeededCount: 2 }] } }),
      [done(0), pod(1)],
      '+2 -0 done 0',
    ],
  ] as [string, Job, Pod[], string][])
    test(what, () => assert.equal(plan(one, pods), want))
})

describe('podFailurePolicy', () => {
  const rules = [
    { action: 'FailJob', onExitCodes: { containerName: 'c', operator: 'In', values: [42] } },
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] },
    { action: 'FailIndex', onExitCodes: { operator: 'NotIn', values: [1, 2] } },
  ] as NonNullable<Job['spec']['podFailurePolicy']>['rules']
  const policy = {
    completionMode: 'NonIndexed',
    completions: 1,
    podFailurePolicy: { rules },
    podReplacementPolicy: 'Failed',
  } as const
  const indexed = {
    ...policy,
    completionMode: 'Indexed',
    completions: 2,
    parallelism: 2,
    backoffLimitPerIndex: 5,
  } as const
  for (const [what, one, pods, want] of [
    [
      'counts what no rule names',
      job({ ...policy, backoffLimit: 0 }),
      [failed()],
      '+0 -0 Failed: BackoffLimitExceeded: Job has reached the specified backoff limit',
    ],
    [
      'fails the Job',
      job(policy),
      [failed(undefined, { exitCode: 42 }), pod(undefined)],
      '+0 -1 Failed: PodFailurePolicy: Container c for pod d/p-undefined failed with exit code 42 matching FailJob rule at index 0',
    ],
    ['ignores', job({ ...policy, backoffLimit: 0 }), [failed(undefined, { condition: 'DisruptionTarget' })], '+1 -0'],
    ['fails the index', job(indexed), [failed(0, { exitCode: 7 }), pod(1)], '+0 -0 lost 0'],
    ['a leaving pod is waited for', job(policy), [pod(undefined, { deleting: true })], '+0 -0'],
  ] as [string, Job, Pod[], string][])
    test(what, () => assert.equal(plan(one, pods), want))
})

let cluster: Cluster
before(async () => {
  cluster = await startCluster({ controllers: ['job-controller', 'default-scheduler'] }, 1)
})
after(() => cluster.close())

test('an Indexed Job gives each pod its index, and finishes by its success policy', async () => {
  const { client } = cluster
  const namespace = 'default'
  const successPolicy = { rules: [{ succeededIndexes: '0' }] }
  const made = await client.create<Job>(Jobs, job({ completions: 3, parallelism: 3, successPolicy }))
  assert.equal(made.spec.backoffLimit, 6)
  const list = async () => (await client.list<Pod>(Pods, { namespace })).items
  await until('three pods', async () => (await list()).length === 3)
  const pods = await list()
  assert.deepEqual(pods.map(({ spec }) => spec.hostname).sort(), ['j-0', 'j-1', 'j-2'])
  for (const { metadata, spec } of pods) {
    const index = spec.hostname!.slice(2)
    assert.match(metadata.name, new RegExp(`^j-${index}-[a-z0-9]{5}$`))
    assert.equal(metadata.labels?.[indexKey], index)
    assert.equal(metadata.annotations?.[indexKey], index)
    const variable = spec.containers[0]?.env?.find(({ name }) => name === 'JOB_COMPLETION_INDEX')
    assert.equal(variable?.valueFrom?.fieldRef?.fieldPath, `metadata.labels['${indexKey}']`)
  }
  const leader = pods.find(({ spec }) => spec.hostname === 'j-0')!
  await client.patch(
    Pods,
    namespace,
    leader.metadata.name,
    'merge',
    { status: { phase: 'Succeeded' } },
    { subresource: 'status' },
  )
  const current = () => client.get<Job>(Jobs, namespace, 'j')
  await until('it is complete', async () => (await current()).status?.conditions?.at(-1)?.type === 'Complete')
  const { status } = await current()
  assert.deepEqual([status?.completedIndexes, status?.succeeded], ['0', 1])
  assert.deepEqual(
    status?.conditions?.map(({ type, reason }) => `${type} ${reason}`),
    ['SuccessCriteriaMet SuccessPolicy', 'Complete SuccessPolicy'],
  )
})

test('what cannot be is refused', async () => {
  const { client } = cluster
  const refusal = (spec: Partial<Job['spec']>, name = 'bad') =>
    client.create<Job>(Jobs, { ...job(spec), metadata: { name, namespace: 'default' } }).then(
      () => 'made',
      (error: Error) => error.message,
    )
  const template = { spec: { ...never.spec, restartPolicy: 'OnFailure' as const } }
  const rule = { action: 'Ignore' as const, onPodConditions: [{ type: 'A' }] }
  for (const [spec, expected] of [
    [{ parallelism: 1 }, /spec.completions: Required value: when completion mode is Indexed/],
    [{ completionMode: 'NonIndexed', backoffLimitPerIndex: 1 }, /requires indexed completion mode/],
    [
      { completions: 1, maxFailedIndexes: 1 },
      /backoffLimitPerIndex: Required value: when maxFailedIndexes is specified/,
    ],
    [
      { completions: 1, template, podFailurePolicy: { rules: [rule] } },
      /only "Never" is supported when podFailurePolicy is specified/,
    ],
    [
      { completions: 1, podFailurePolicy: { rules: [{ action: 'Ignore' }] } },
      /specifying one of OnExitCodes and OnPodConditions is required/,
    ],
    [
      { completions: 1, podFailurePolicy: { rules: [{ action: 'Explode' as never, onPodConditions: [] }] } },
      /Unsupported value: "Explode"/,
    ],
    [
      { completions: 2, successPolicy: { rules: [{ succeededIndexes: '1-5' }] } },
      /spec.successPolicy.rules\[0\].succeededIndexes: Invalid value/,
    ],
    [{ completions: 2, completionMode: 'Both' as never }, /spec.completionMode: Unsupported value: "Both"/],
  ] as [Partial<Job['spec']>, RegExp][])
    assert.match(await refusal(spec), expected)
  assert.match(await refusal({ completions: 11 }, 'a'.repeat(61)), /invalid DNS label/)
})
