import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parsePrefix } from '../addr/index.ts'
import type { DaemonSet, Deployment, Job, Node, Pod, ReplicaSet, StatefulSet } from '../objects/index.ts'
import { decideClaim } from './claim.ts'
import { planDaemons } from './daemonset-plan.ts'
import { currentSize, nextRevision, resolveLimits, scaleProportionally, shrinkOld, sizeOf } from './deployment-plan.ts'
import { planJob } from './job-plan.ts'
import { mayTake, observe } from './leader-election.ts'
import { BlockPool } from './node-cidrs.ts'
import { evictionTime, wantedTaints } from './node-health.ts'
import { decideCollection } from './owner-graph.ts'
import { planReplicas, rankForDeletion } from './replicaset-plan.ts'
import { planStateful } from './statefulset-plan.ts'
import { hashOf, sameTemplate } from './template-hash.ts'

const now = Date.parse('2026-01-01T00:00:00Z')
const at = (secondsAgo: number) => new Date(now - secondsAgo * 1000).toISOString()

interface PodSketch {
  node?: string
  ready?: boolean | number
  phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed'
  deleting?: boolean
  revision?: string
  age?: number
  cost?: number
  restarts?: number
}

function pod(name: string, sketch: PodSketch = {}): Pod {
  const {
    node,
    ready = false,
    phase = ready === false ? 'Pending' : 'Running',
    deleting,
    revision,
    age = 100,
    cost,
    restarts,
  } = sketch
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'd',
      uid: name,
      creationTimestamp: at(age),
      ...(deleting && { deletionTimestamp: at(1) }),
      ...(revision && { labels: { 'controller-revision-hash': revision } }),
      ...(cost !== undefined && { annotations: { 'controller.kubernetes.io/pod-deletion-cost': String(cost) } }),
    },
    spec: { containers: [], ...(node && { nodeName: node }) },
    status: {
      phase,
      conditions:
        ready === false ? [] : [{ type: 'Ready', status: 'True', lastTransitionTime: at(ready === true ? 50 : ready) }],
      ...(restarts && {
        containerStatuses: [{ name: 'c', image: '', imageID: '', ready: true, restartCount: restarts }],
      }),
    },
  }
}

const names = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata.name)

describe('ReplicaSet', () => {
  test('what is missing is made, at most 500 at once; ended and leaving pods do not count', () => {
    assert.deepEqual(planReplicas(2, [pod('a')], [], now), { kind: 'create', count: 1 })
    assert.deepEqual(planReplicas(1, [pod('a', { phase: 'Failed' })], [], now), { kind: 'create', count: 1 })
    assert.deepEqual(planReplicas(1, [pod('a', { deleting: true })], [], now), { kind: 'create', count: 1 })
    assert.deepEqual(planReplicas(900, [], [], now), { kind: 'create', count: 500 })
    assert.deepEqual(planReplicas(1, [pod('a')], [], now), { kind: 'none' })
  })
  test('the least useful pods go first', () => {
    const order = [
      pod('unassigned'),
      pod('pending', { node: 'n1' }),
      pod('unready', { node: 'n1', phase: 'Running' }),
      pod('cheap', { node: 'n1', ready: true, cost: -5 }),
      pod('crowded', { node: 'n2', ready: true }),
      pod('young', { node: 'n1', ready: 2 }),
      pod('restarted', { node: 'n1', ready: 1000, restarts: 3 }),
      pod('good', { node: 'n1', ready: 1000 }),
      pod('dear', { node: 'n1', ready: true, cost: 5 }),
    ]
    const related = [
      ...order,
      ...['x', 'y', 'z', 'u', 'v', 'w', 'q'].map((name) => pod(name, { node: 'n2', ready: true })),
    ]
    assert.deepEqual(names(rankForDeletion(order.toReversed(), related, now)), names(order))
  })
})

describe('claim', () => {
  const owner = pod('owner')
  const selector = { matchLabels: { app: 'a' } }
  const candidate = (labels: Record<string, string>, uid?: string, more: object = {}) => ({
    ...pod('c'),
    metadata: {
      name: 'c',
      labels,
      ...(uid && { ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: 'x', uid, controller: true }] }),
      ...more,
    },
  })
  const leaving = { ...owner, metadata: { ...owner.metadata, deletionTimestamp: at(1) } }
  for (const [what, by, object, claim] of [
    ['owned and selected', owner, candidate({ app: 'a' }, 'owner'), 'own'],
    ['owned and not selected', owner, candidate({ app: 'b' }, 'owner'), 'release'],
    ["another's", owner, candidate({ app: 'a' }, 'other'), 'leave'],
    ['an orphan', owner, candidate({ app: 'a' }), 'adopt'],
    ['a strange orphan', owner, candidate({ app: 'b' }), 'leave'],
    ['a leaving orphan', owner, candidate({ app: 'a' }, undefined, { deletionTimestamp: at(1) }), 'leave'],
    ['an orphan, for a leaving owner', leaving, candidate({ app: 'a' }), 'leave'],
    ['not selected, of a leaving owner', leaving, candidate({ app: 'b' }, 'owner'), 'leave'],
  ] as const)
    test(what, () => assert.equal(decideClaim(by, selector, object), claim))
})

describe('Deployment', () => {
  const deployment = (
    replicas: number,
    maxSurge: number | string = '25%',
    maxUnavailable: number | string = '25%',
    type: 'RollingUpdate' | 'Recreate' = 'RollingUpdate',
  ): Deployment => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    spec: {
      replicas,
      selector: {},
      template: { spec: { containers: [] } },
      strategy: { type, rollingUpdate: { maxSurge, maxUnavailable } },
    },
  })
  const set = (
    name: string,
    replicas: number,
    available = replicas,
    annotations: Record<string, string> = {},
  ): ReplicaSet => ({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name, creationTimestamp: at(name === 'new' ? 1 : 100), annotations },
    spec: { replicas, selector: {} },
    status: { replicas, availableReplicas: available },
  })
  for (const [replicas, surge, unavailable, want] of [
    [10, '25%', '25%', { surge: 3, unavailable: 2 }],
    [1, '25%', '25%', { surge: 1, unavailable: 0 }],
    [4, 0, 0, { surge: 0, unavailable: 1 }],
    [2, 0, 5, { surge: 0, unavailable: 2 }],
    [3, '0%', '10%', { surge: 0, unavailable: 1 }],
  ] as const)
    test(`limits of ${replicas} with ${surge}/${unavailable}`, () =>
      assert.deepEqual(resolveLimits(deployment(replicas, surge, unavailable)), want))

  test('the current set grows within the surge', () => {
    const grow = (d: Deployment, old: number, fresh: number) =>
      currentSize(d, [set('old', old), set('new', fresh)], set('new', fresh))
    assert.equal(grow(deployment(10), 10, 0), 3)
    assert.equal(grow(deployment(10), 8, 5), 5)
    assert.equal(grow(deployment(10), 0, 3), 10)
    assert.equal(grow(deployment(10, 0, 1), 10, 0), 0)
  })
  test('old sets shrink within availability, unhealthy pods first', () => {
    const shrink = (d: Deployment, old: ReplicaSet[], fresh: ReplicaSet) =>
      shrinkOld(d, old, fresh).map(({ replicaSet, replicas }) => [replicaSet.metadata.name, replicas])
    assert.deepEqual(shrink(deployment(10), [set('old', 10)], set('new', 3, 0)), [['old', 8]])
    assert.deepEqual(shrink(deployment(10), [set('old', 8)], set('new', 5, 0)), [])
    assert.deepEqual(shrink(deployment(10), [set('old', 8)], set('new', 5, 5)), [['old', 3]])
    assert.deepEqual(shrink(deployment(10), [set('a', 4, 0), set('b', 6)], set('new', 3, 0)), [['a', 2]])
    assert.deepEqual(shrink(deployment(10), [set('a', 4, 0), set('b', 6)], set('new', 0, 0)), [['a', 2]])
    assert.deepEqual(shrink(deployment(1), [set('old', 1)], set('new', 1, 0)), [])
    assert.deepEqual(shrink(deployment(1), [set('old', 1)], set('new', 1, 1)), [['old', 0]])
  })
  test('a rollout never has more than the surge nor fewer than the minimum, and ends', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 0, max: 8 }),
        fc.integer({ min: 0, max: 8 }),
        fc.array(fc.nat(3), { maxLength: 40 }),
        (replicas, surge, unavailable, luck) => {
          const d = deployment(replicas, surge, unavailable)
          const limits = resolveLimits(d)
          let old = set('old', replicas)
          let fresh = set('new', 0)
          let rounds = 0
          while (sizeOf(old) > 0 || fresh.status?.availableReplicas !== replicas) {
            if (++rounds > 1000) assert.fail('it stands still')
            fresh = set('new', currentSize(d, [old, fresh], fresh), fresh.status?.availableReplicas)
            for (const { replicas: size } of shrinkOld(d, [old], fresh))
              old = set('old', size, Math.min(size, old.status?.availableReplicas ?? 0))
            assert.ok(sizeOf(old) + sizeOf(fresh) <= replicas + limits.surge)
            assert.ok(
              (old.status?.availableReplicas ?? 0) + (fresh.status?.availableReplicas ?? 0) >=
                replicas - limits.unavailable,
            )
            const arrived = luck[rounds] ?? 3
            fresh = set('new', sizeOf(fresh), Math.min(sizeOf(fresh), (fresh.status?.availableReplicas ?? 0) + arrived))
          }
        },
      ),
    )
  })
  test('scaling in the middle of a rollout keeps the proportions and the sum', () => {
    const annotated = { 'deployment.kubernetes.io/max-replicas': '13' }
    const sizes = scaleProportionally(deployment(20, 3, 2), [set('old', 8, 8, annotated), set('new', 5, 5, annotated)])
    assert.deepEqual(
      sizes.map(({ replicaSet, replicas }) => [replicaSet.metadata.name, replicas]),
      [
        ['old', 14],
        ['new', 9],
      ],
    )
  })
  test('revisions go on from the highest', () => {
    assert.equal(nextRevision([set('a', 0, 0, { 'deployment.kubernetes.io/revision': '7' }), set('b', 0, 0, {})]), 8)
  })
  test('the hash depends on meaning, not on order or on emptiness', () => {
    const a = { metadata: { labels: { x: '1', y: '2' } }, spec: { containers: [{ name: 'c', image: 'i' }] } }
    const b = {
      spec: { containers: [{ image: 'i', name: 'c', ports: [] }], volumes: [] },
      metadata: { labels: { y: '2', x: '1' } },
    }
    assert.equal(hashOf(a), hashOf(b))
    assert.equal(hashOf(a), '84fbf6847d')
    assert.notEqual(hashOf(a), hashOf(a, 1))
    assert.ok(sameTemplate(a, { ...a, metadata: { labels: { ...a.metadata.labels, 'pod-template-hash': 'z' } } }))
  })
})

describe('StatefulSet', () => {
  const set = (replicas: number, more: Partial<StatefulSet['spec']> = {}): StatefulSet => ({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db' },
    spec: { replicas, selector: {}, template: { spec: { containers: [] } }, ...more },
  })
  const one = { current: 'r1', update: 'r1' }
  const two = { current: 'r1', update: 'r2' }
  const old = { ready: true, revision: 'r1' }
  const fresh = { ready: true, revision: 'r2' }
  const plan = (statefulSet: StatefulSet, pods: Record<string, PodSketch>, revisions = one) => {
    const { create, remove } = planStateful(
      statefulSet,
      Object.entries(pods).map(([name, sketch]) => pod(name, sketch)),
      revisions,
      now,
    )
    return [
      ...create.map(({ ordinal, revision }) => `+${ordinal} ${revision}`),
      ...remove.map(({ metadata }) => `-${metadata.name}`),
    ]
  }
  for (const [what, statefulSet, pods, revisions, want] of [
    ['the first only', set(3), {}, one, ['+0 r1']],
    ['the next when the first is ready', set(3), { 'db-0': old }, one, ['+1 r1']],
    ['not before', set(3), { 'db-0': { revision: 'r1' } }, one, []],
    ['all at once in parallel', set(2, { podManagementPolicy: 'Parallel' }), {}, one, ['+0 r1', '+1 r1']],
    ['from the start ordinal', set(1, { ordinals: { start: 5 } }), {}, one, ['+5 r1']],
    ['an ended pod is made again', set(1), { 'db-0': { phase: 'Failed', revision: 'r1' } }, one, ['-db-0']],
    ['down from the highest', set(1), { 'db-0': old, 'db-1': old, 'db-2': old }, one, ['-db-2']],
    ['one by one', set(1), { 'db-0': old, 'db-1': old, 'db-2': { ...old, deleting: true } }, one, []],
    ['not while one is unhealthy', set(1), { 'db-0': { revision: 'r1' }, 'db-1': old }, one, []],
    ['an update begins at the top', set(3), { 'db-0': old, 'db-1': old, 'db-2': old }, two, ['-db-2']],
    ['the new one comes with the new revision', set(3), { 'db-0': old, 'db-1': old }, two, ['+2 r2']],
    ['the update waits for it', set(3), { 'db-0': old, 'db-1': old, 'db-2': { revision: 'r2' } }, two, []],
    ['and goes on', set(3), { 'db-0': old, 'db-1': old, 'db-2': fresh }, two, ['-db-1']],
    [
      'down to the partition',
      set(3, { updateStrategy: { rollingUpdate: { partition: 2 } } }),
      { 'db-0': old, 'db-1': old, 'db-2': fresh },
      two,
      [],
    ],
    [
      'below it pods come back as they were',
      set(3, { updateStrategy: { rollingUpdate: { partition: 2 } } }),
      { 'db-1': old, 'db-2': fresh },
      two,
      ['+0 r1'],
    ],
    ['OnDelete leaves them', set(1, { updateStrategy: { type: 'OnDelete' } }), { 'db-0': old }, two, []],
    ['a broken outdated pod is replaced', set(1), { 'db-0': { revision: 'r1' } }, two, []],
  ] as [string, StatefulSet, Record<string, PodSketch>, typeof one, string[]][])
    test(what, () => assert.deepEqual(plan(statefulSet, pods, revisions), want))
})

describe('DaemonSet', () => {
  const set = (more: Partial<DaemonSet['spec']> = {}): DaemonSet => ({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'ds' },
    spec: { selector: {}, template: { spec: { containers: [], nodeSelector: { os: 'linux' } } }, ...more },
  })
  const node = (name: string, spec: Node['spec'] = {}, os = 'linux'): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { os } },
    spec,
  })
  const taint = (effect: string, key = 'x') => ({ taints: [{ key, effect }] })
  const plan = (nodes: Node[], pods: Pod[], daemonSet = set()) => {
    const { create, remove } = planDaemons(daemonSet, nodes, pods, 'r2', now)
    return [...create.map((name) => `+${name}`), ...names(remove).map((name) => `-${name}`)]
  }
  const fresh = { ready: true, revision: 'r2' } as const
  const old = { ready: true, revision: 'r1' } as const
  for (const [what, nodes, pods, want] of [
    ['one per node that is selected', [node('a'), node('b'), node('w', {}, 'windows')], [], ['+a', '+b']],
    ['not on a tainted node', [node('a', taint('NoSchedule'))], [], []],
    ['but on one that is not ready', [node('a', taint('NoExecute', 'node.kubernetes.io/not-ready'))], [], ['+a']],
    ['and on a cordoned one', [node('a', taint('NoSchedule', 'node.kubernetes.io/unschedulable'))], [], ['+a']],
    ['NoSchedule lets it stay', [node('a', taint('NoSchedule'))], [pod('p', { ...fresh, node: 'a' })], []],
    ['NoExecute does not', [node('a', taint('NoExecute'))], [pod('p', { ...fresh, node: 'a' })], ['-p']],
    [
      'a second one goes',
      [node('a')],
      [pod('p', { ...fresh, node: 'a' }), pod('q', { ...fresh, node: 'a', age: 1 })],
      ['-q'],
    ],
    ['a failed one goes', [node('a')], [pod('p', { node: 'a', phase: 'Failed' })], ['-p']],
    ['a leaving one is waited for', [node('a')], [pod('p', { ...fresh, node: 'a', deleting: true })], []],
    [
      'outdated ones go one at a time',
      [node('a'), node('b')],
      [pod('p', { ...old, node: 'a' }), pod('q', { ...old, node: 'b' })],
      ['-p'],
    ],
    [
      'while none is unavailable',
      [node('a'), node('b')],
      [pod('p', { ...fresh, ready: false, node: 'a' }), pod('q', { ...old, node: 'b' })],
      [],
    ],
  ] as [string, Node[], Pod[], string[]][])
    test(what, () => assert.deepEqual(plan(nodes, pods), want))
})

describe('Job', () => {
  const job = (spec: Partial<Job['spec']>, status: Job['status'] = {}): Job => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'j' },
    spec: { template: { spec: { containers: [], restartPolicy: 'Never' } }, ...spec },
    status,
  })
  const plan = (one: Job, pods: Pod[]) => {
    const { create, remove, status } = planJob(one, pods, now)
    const end = status.conditions?.at(-1)
    return [`+${create}`, `-${remove.length}`, ...(end ? [`${end.type}=${end.status} ${end.reason}`] : [])].join(' ')
  }
  const done = (name: string) => pod(name, { phase: 'Succeeded' })
  const failed = (name: string, age: number) => pod(name, { phase: 'Failed', age })
  for (const [what, one, pods, want] of [
    ['starts', job({ completions: 3, parallelism: 2 }), [], '+2 -0'],
    ['only what is left', job({ completions: 3, parallelism: 2 }), [done('a'), done('b')], '+1 -0'],
    ['completes', job({ completions: 1 }), [done('a')], '+0 -0 Complete=True CompletionsReached'],
    ['a work queue drains', job({ parallelism: 2 }), [done('a'), pod('b')], '+0 -1'],
    [
      'a work queue completes',
      job({ parallelism: 2 }),
      [done('a'), done('b')],
      '+0 -0 Complete=True CompletionsReached',
    ],
    ['pauses after a failure', job({ completions: 1 }), [failed('a', 3)], '+0 -0'],
    ['and tries again', job({ completions: 1 }), [failed('a', 11)], '+1 -0'],
    [
      'gives up',
      job({ completions: 1, backoffLimit: 1 }),
      [failed('a', 90), failed('b', 80), pod('c')],
      '+0 -1 Failed=True BackoffLimitExceeded',
    ],
    [
      'is too late',
      job({ completions: 1, activeDeadlineSeconds: 10 }, { startTime: at(11) }),
      [pod('a')],
      '+0 -1 Failed=True DeadlineExceeded',
    ],
    ['is suspended', job({ completions: 1, suspend: true }), [pod('a')], '+0 -1 Suspended=True JobSuspended'],
  ] as [string, Job, Pod[], string][])
    test(what, () => assert.equal(plan(one, pods), want))
})

describe('garbage collection', () => {
  const owner = (state: 'solid' | 'waiting' | 'absent') => ({
    state,
    reference: { apiVersion: 'v1', kind: 'X', name: state, uid: state },
  })
  for (const [states, hasDependents, want] of [
    [[], false, 'keep'],
    [['solid'], false, 'keep'],
    [['absent'], false, 'delete Background'],
    [['solid', 'absent'], false, 'drop-references absent'],
    [['solid', 'waiting'], true, 'drop-references waiting'],
    [['waiting'], false, 'delete Background'],
    [['waiting'], true, 'delete Foreground'],
    [['absent', 'waiting'], true, 'delete Foreground'],
  ] as [('solid' | 'waiting' | 'absent')[], boolean, string][])
    test(`owners ${states.join(', ') || 'none'}`, () => {
      const decision = decideCollection(states.map(owner), hasDependents)
      const detail =
        decision.kind === 'delete'
          ? ` ${decision.propagationPolicy}`
          : decision.kind === 'keep'
            ? ''
            : ` ${decision.uids.join()}`
      assert.equal(decision.kind + detail, want)
    })
})

describe('nodes', () => {
  test('blocks are never handed out twice while in use, in any order', () => {
    const pool = fc.constantFrom(['10.0.0.0/20', 24], ['fd00::/60', 64]) as fc.Arbitrary<[string, number]>
    fc.assert(
      fc.property(pool, fc.array(fc.option(fc.nat(15)), { maxLength: 60 }), ([cluster, length], actions) => {
        const blocks = new BlockPool(parsePrefix(cluster), length)
        const used: ReturnType<BlockPool['take']>[] = []
        for (const release of actions) {
          if (release !== null) {
            const [gone] = used.splice(release % Math.max(1, used.length), 1)
            if (gone !== undefined) blocks.release(gone)
            continue
          }
          const taken = blocks.take()
          if (taken === undefined) assert.equal(used.length, 16)
          else {
            assert.ok(!used.includes(taken), `${taken} twice`)
            used.push(taken)
          }
        }
      }),
    )
  })
  test('a wider prefix in use takes all of its blocks', () => {
    const blocks = new BlockPool(parsePrefix('10.0.0.0/22'), 24)
    blocks.occupy(parsePrefix('10.0.0.0/23'))
    assert.deepEqual([blocks.take(), blocks.take(), blocks.take()], ['10.0.2.0/24', '10.0.3.0/24', undefined])
  })
  const node = (status: 'True' | 'False' | 'Unknown' | undefined, spec: Node['spec'] = {}): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n' },
    spec,
    status: { conditions: status ? [{ type: 'Ready', status }] : [] },
  })
  const kept = { key: 'mine', effect: 'NoSchedule' }
  for (const [what, one, allDown, want] of [
    [
      'ready',
      node('True', { taints: [kept, { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }] }),
      false,
      ['mine NoSchedule'],
    ],
    [
      'not ready',
      node('False'),
      false,
      ['node.kubernetes.io/not-ready NoSchedule', 'node.kubernetes.io/not-ready NoExecute'],
    ],
    [
      'unknown',
      node('Unknown', { taints: [kept] }),
      false,
      ['mine NoSchedule', 'node.kubernetes.io/unreachable NoSchedule', 'node.kubernetes.io/unreachable NoExecute'],
    ],
    ['all are down', node('Unknown'), true, ['node.kubernetes.io/unreachable NoSchedule']],
    ['cordoned', node('True', { unschedulable: true }), false, ['node.kubernetes.io/unschedulable NoSchedule']],
    [
      'has not reported yet',
      node(undefined, { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }] }),
      false,
      ['node.kubernetes.io/not-ready NoSchedule'],
    ],
  ] as [string, Node, boolean, string[]][])
    test(`taints: ${what}`, () =>
      assert.deepEqual(
        wantedTaints(one, allDown, now).map(({ key, effect }) => `${key} ${effect}`),
        want,
      ))

  const unreachable = { key: 'u', effect: 'NoExecute', timeAdded: at(100) }
  for (const [what, tolerations, want] of [
    ['no toleration', [], 0],
    ['for ever', [{ key: 'u', operator: 'Exists' }], undefined],
    ['for 300 s', [{ key: 'u', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }], now + 200_000],
    [
      'the shorter of two',
      [
        { operator: 'Exists', tolerationSeconds: 300 },
        { key: 'u', operator: 'Exists', tolerationSeconds: 120 },
      ],
      now + 20_000,
    ],
    ['another effect', [{ key: 'u', operator: 'Exists', effect: 'NoSchedule' }], 0],
  ] as const)
    test(`eviction: ${what}`, () => assert.equal(evictionTime(tolerations, [unreachable], now), want))
})

describe('leader election', () => {
  const lease = (holderIdentity: string, renewTime: string) => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'l' },
    spec: { holderIdentity, leaseDurationSeconds: 15, renewTime },
  })
  test('a lease is taken only after its duration by our own clock, whatever its times say', () => {
    const first = observe(lease('other', '1990-01-01T00:00:00Z'), undefined, 1000)
    assert.equal(mayTake(lease('other', '1990-01-01T00:00:00Z'), 'me', first, 15_999), false)
    assert.equal(mayTake(lease('other', '1990-01-01T00:00:00Z'), 'me', first, 16_000), true)
    const renewed = observe(lease('other', '1990-01-01T00:00:02Z'), first, 9000)
    assert.equal(mayTake(lease('other', '1990-01-01T00:00:02Z'), 'me', renewed, 16_000), false)
    assert.equal(mayTake(lease('', 'x'), 'me', renewed, 0), true)
    assert.equal(mayTake(lease('me', 'x'), 'me', renewed, 0), true)
  })
})
