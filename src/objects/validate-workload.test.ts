import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge, judged } from './judge.fixture.ts'
import type { Deployment, Job } from './types.ts'

const labels = { app: 'web' }
const template = { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'a' }] } }
const spec = { selector: { matchLabels: labels }, template }
const of = (kind: string, spec: object) => ({ apiVersion: 'apps/v1', kind, metadata: { name: 'web' }, spec })

const bad: readonly [kind: string, name: string, spec: object, complaints: string[]][] = [
  ['Deployment', 'no selector', { template }, ['spec.selector: Required value']],
  [
    'Deployment',
    'empty selector',
    { selector: {}, template },
    ['spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
  ],
  [
    'Deployment',
    'other labels',
    { ...spec, selector: { matchLabels: { app: 'db' } } },
    ['spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'],
  ],
  [
    'Deployment',
    'expression',
    { ...spec, selector: { matchLabels: labels, matchExpressions: [{ key: 'a', operator: 'In' }] } },
    [
      "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
  ],
  [
    'Deployment',
    'restart policy',
    { ...spec, template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } },
    ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
  ],
  [
    'Deployment',
    'both zero',
    { ...spec, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } },
    ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
  ],
  [
    'Deployment',
    'replicas',
    { ...spec, replicas: -1 },
    ['spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
  ],
  [
    'Deployment',
    'recreate with parameters',
    { ...spec, strategy: { type: 'Recreate', rollingUpdate: {} } },
    ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
  ],
  [
    'StatefulSet',
    'empty selector',
    { selector: {}, template },
    ['spec.selector: Invalid value: {}: empty selector is invalid for statefulset'],
  ],
  [
    'DaemonSet',
    'other labels',
    { ...spec, selector: { matchLabels: { app: 'db' } } },
    ['spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'],
  ],
  [
    'DaemonSet',
    'no containers',
    { ...spec, template: { metadata: { labels }, spec: {} } },
    ['spec.template.spec.containers: Required value'],
  ],
]

for (const [kind, name, spec, complaints] of bad)
  test(`a ${kind} is refused: ${name}`, () => assert.deepEqual(judge(kind, of(kind, spec)), complaints))

test('a Deployment is completed', () => {
  const { object, complaints } = judged('Deployment', of('Deployment', spec))
  assert.deepEqual(complaints, [])
  const { template: _template, ...rest } = (object as Deployment).spec
  assert.deepEqual(rest, {
    selector: { matchLabels: labels },
    replicas: 1,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
  })
})

for (const kind of ['Deployment', 'ReplicaSet', 'DaemonSet'])
  test(`the selector of a ${kind} is fixed`, () => {
    const old = judged(kind, of(kind, spec)).object
    const more = { ...labels, tier: 'a' }
    const changed = { selector: { matchLabels: more }, template: { ...template, metadata: { labels: more } } }
    assert.deepEqual(judge(kind, of(kind, changed), old), [
      'spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"a"}}: field is immutable',
    ])
  })

test('a StatefulSet keeps what it is built on', () => {
  const old = judged('StatefulSet', of('StatefulSet', { ...spec, serviceName: 'a' })).object
  assert.deepEqual(judge('StatefulSet', of('StatefulSet', { ...spec, serviceName: 'a', replicas: 5 }), old), [])
  assert.deepEqual(judge('StatefulSet', of('StatefulSet', { ...spec, serviceName: 'b' }), old), [
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
  ])
})

const job = (restartPolicy?: string) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'once', uid: 'u1' },
  spec: {
    template: { spec: { containers: [{ name: 'a', image: 'a' }], ...(restartPolicy ? { restartPolicy } : {}) } },
  },
})

test('a Job selects its own pods', () => {
  const { object, complaints } = judged('Job', job('Never'))
  assert.deepEqual(complaints, [])
  const { selector, template } = (object as Job).spec
  assert.deepEqual(selector, { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u1' } })
  assert.equal(template.metadata?.labels?.['job-name'], 'once')
})

test('a Job may not restart always', () => {
  assert.deepEqual(judge('Job', job()), [
    'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
  ])
})

test('generation counts changes of the spec, not of labels or status', () => {
  const old = judged('Deployment', of('Deployment', spec)).object
  const generation = (object: object, subresource?: string) =>
    judged('Deployment', object, old, subresource).object.metadata.generation
  assert.equal(old.metadata.generation, 1)
  assert.equal(generation(of('Deployment', spec)), 1)
  assert.equal(generation({ ...of('Deployment', spec), metadata: { name: 'web', labels: { a: 'b' } } }), 1)
  assert.equal(generation(of('Deployment', { ...spec, replicas: 3 })), 2)
  assert.equal(generation({ ...of('Deployment', { ...spec, replicas: 3 }), status: { replicas: 3 } }, 'status'), 1)
})

test('status is written through /status alone', () => {
  const old = { ...judged('Deployment', of('Deployment', spec)).object, status: { replicas: 1 } }
  const write = { ...of('Deployment', { ...spec, replicas: 9 }), status: { replicas: 9 } }
  const plain = judged('Deployment', write, old).object as Deployment
  assert.deepEqual([plain.spec.replicas, plain.status?.replicas], [9, 1])
  const status = judged('Deployment', write, old, 'status').object as Deployment
  assert.deepEqual([status.spec.replicas, status.status?.replicas], [1, 9])
  assert.equal((judged('Deployment', write).object as Deployment).status, undefined)
})

test('pods of a StatefulSet mount what its claims name', () => {
  const volumeMounts = [{ name: 'data', mountPath: '/data' }]
  const mounting = { ...template, spec: { containers: [{ name: 'a', image: 'a', volumeMounts }] } }
  const missing = 'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"'
  const set = (more: object) => judge('StatefulSet', of('StatefulSet', { ...spec, template: mounting, ...more }))
  assert.deepEqual(set({}), [missing])
  assert.deepEqual(set({ volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] }), [])
})
