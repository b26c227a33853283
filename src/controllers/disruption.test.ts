import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  type Deployment,
  Deployments,
  type Pod,
  type PodDisruptionBudget,
  PodDisruptionBudgets,
  Pods,
} from '../objects/index.ts'
import { type Cluster, startCluster, until } from './cluster.fixture.ts'
import { planDisruption } from './disruption-plan.ts'

const namespace = 'default'
const budgetOf = (
  spec: PodDisruptionBudget['spec'],
  status: PodDisruptionBudget['status'] = {},
): PodDisruptionBudget => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'web', namespace, generation: 3 },
  spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
  status,
})

const podOf = (name: string, ready: boolean): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: { containers: [] },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }) as Pod

test('what may go: healthy pods beyond those that must stay', () => {
  const pods = [podOf('a', true), podOf('b', true), podOf('c', true), podOf('d', false)]
  const cases: [PodDisruptionBudget['spec'], number, number, number][] = [
    // spec, expected, desired, allowed; 5 are wanted.
    [{ minAvailable: 2 }, 4, 2, 1],
    [{ minAvailable: '50%' }, 5, 3, 0],
    [{ maxUnavailable: 1 }, 5, 4, 0],
    [{ maxUnavailable: '50%' }, 5, 2, 1],
    [{ maxUnavailable: 9 }, 5, 0, 3],
    [{ minAvailable: 9 }, 4, 9, 0],
  ]
  for (const [spec, expectedPods, desiredHealthy, disruptionsAllowed] of cases) {
    const { status } = planDisruption(budgetOf(spec), pods, 5, 0)
    const { conditions, disruptedPods, ...counts } = status
    const wanted = { expectedPods, desiredHealthy, disruptionsAllowed, currentHealthy: 3, observedGeneration: 3 }
    assert.deepEqual(counts, wanted, JSON.stringify(spec))
    assert.equal(conditions?.[0]?.status, disruptionsAllowed > 0 ? 'True' : 'False')
  }
})

test('a pod whose eviction was allowed counts as gone for two minutes, then as one that stayed', () => {
  const disruptedPods = { a: new Date(0).toISOString(), gone: new Date(0).toISOString() }
  const pods = [podOf('a', true), podOf('b', true)]
  const budget = budgetOf({ minAvailable: 1 }, { disruptedPods })
  const early = planDisruption(budget, pods, 0, 30_000)
  assert.deepEqual([early.status.currentHealthy, early.nextInMs], [1, 90_000])
  assert.deepEqual(early.status.disruptedPods, { a: disruptedPods.a })
  const late = planDisruption(budget, pods, 0, 120_000)
  assert.deepEqual([late.status.currentHealthy, late.nextInMs], [2, undefined])
  assert.deepEqual(
    late.notDeleted.map(({ metadata }) => metadata.name),
    ['a'],
  )
})

let cluster: Cluster
before(async () => {
  const controllers = ['deployment-controller', 'replicaset-controller', 'default-scheduler', 'disruption-controller']
  cluster = await startCluster({ controllers }, 2)
})
after(() => cluster.close())

test('evictions of a Deployment go as fast as its budget and its new pods allow', async () => {
  const { client } = cluster
  const labels = { app: 'web' }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'v1' }] } }
  const spec = { replicas: 3, selector: { matchLabels: labels }, template }
  await client.create<Deployment>(Deployments, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace },
    spec,
  })
  await client.create(PodDisruptionBudgets, budgetOf({ maxUnavailable: 1 }))
  const budget = () => client.get<PodDisruptionBudget>(PodDisruptionBudgets, namespace, 'web')
  await until('one may go', async () => (await budget()).status?.disruptionsAllowed === 1)
  assert.equal((await budget()).status?.expectedPods, 3)
  const first = (await client.list<Pod>(Pods, { namespace })).items
  for (const { metadata } of first) {
    await until(`${metadata.name} is evicted`, async () => {
      try {
        await client.request('POST', `/api/v1/namespaces/${namespace}/pods/${metadata.name}/eviction`, {
          apiVersion: 'policy/v1',
          kind: 'Eviction',
          metadata: { name: metadata.name, namespace },
        })
        return true
      } catch (error) {
        assert.equal((error as { code?: number }).code, 429)
        return false
      }
    })
    const ready = (await client.list<Pod>(Pods, { namespace })).items.filter(
      ({ metadata: { deletionTimestamp }, status }) =>
        deletionTimestamp === undefined &&
        status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    )
    assert.ok(ready.length >= 2, `${ready.length} of 3 are ready`)
  }
  await until('as many as before', async () => (await budget()).status?.currentHealthy === 3)
})
