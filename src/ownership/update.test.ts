import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scene } from './scene.fixture.ts'

const container = { name: 'c', image: 'i', resources: {}, ports: [{ containerPort: 80, protocol: 'TCP' }] }

test('a created Deployment is owned as upstream writes it', () => {
  const scene = new Scene('apps/v1', 'Deployment')
  const labels = { app: 'web' }
  scene.update('kubectl-create', {
    metadata: { labels, generation: 1 },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%' } },
      template: { metadata: { labels }, spec: { containers: [container], dnsPolicy: 'ClusterFirst' } },
    },
    status: { replicas: 1 },
  })
  const map = { '.': {}, 'f:app': {} }
  assert.deepEqual(scene.managedFields, [
    {
      manager: 'kubectl-create',
      operation: 'Update',
      apiVersion: 'apps/v1',
      time: '2026-01-01T00:00:00Z',
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:metadata': { 'f:labels': map },
        'f:spec': {
          'f:replicas': {},
          'f:selector': {},
          'f:strategy': { 'f:rollingUpdate': { '.': {}, 'f:maxSurge': {} }, 'f:type': {} },
          'f:template': {
            'f:metadata': { 'f:labels': map },
            'f:spec': {
              'f:containers': {
                'k:{"name":"c"}': {
                  '.': {},
                  'f:image': {},
                  'f:name': {},
                  'f:ports': {
                    '.': {},
                    'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {}, 'f:protocol': {} },
                  },
                  'f:resources': {},
                },
              },
              'f:dnsPolicy': {},
            },
          },
        },
      },
    },
  ])
})

test('writes of one manager are one entry per subresource; a write that changes nothing keeps the time', () => {
  const scene = new Scene('v1', 'ConfigMap')
  scene.update('a', { data: { x: '1' } })
  scene.update('a', { data: { x: '1', y: '1' } })
  const before = scene.managedFields
  assert.deepEqual(
    before.map(({ manager, time }) => [manager, time]),
    [['a', '2026-01-01T00:00:01Z']],
  )
  scene.update('a', { data: { x: '1', y: '1' } })
  scene.update('b', { data: { y: '1', x: '1' } })
  assert.deepEqual(scene.managedFields, before)
})

test('status is owned through /status only, and the rest not there', () => {
  const scene = new Scene('apps/v1', 'Deployment')
  scene.update('user', { spec: { replicas: 1 }, status: { replicas: 7 } })
  assert.deepEqual(scene.owners.user, { 'f:spec': { 'f:replicas': {} } })
  scene.update('controller', { spec: { replicas: 9 }, status: { replicas: 8 } }, 'status')
  assert.deepEqual(scene.owners.user, { 'f:spec': { 'f:replicas': {} } })
  assert.deepEqual(scene.owners.controller, { 'f:status': { 'f:replicas': {} } })
  assert.equal(scene.managedFields.find(({ manager }) => manager === 'controller')?.subresource, 'status')
})

test('more than ten update managers: the oldest become ancient-changes', () => {
  const scene = new Scene('v1', 'ConfigMap')
  const data: Record<string, string> = {}
  for (let i = 0; i < 13; i++) {
    data[`k${i}`] = '1'
    scene.update(`m${i}`, { data: { ...data } })
  }
  assert.equal(scene.managedFields.length, 10)
  assert.deepEqual(scene.owners['ancient-changes'], {
    'f:data': { '.': {}, 'f:k0': {}, 'f:k1': {}, 'f:k2': {}, 'f:k3': {} },
  })
  assert.deepEqual(Object.keys(scene.owners).at(-1), 'm12')
})

test('untracked objects stay untracked until the first apply, which finds before-first-apply', () => {
  const scene = new Scene('v1', 'ConfigMap')
  scene.update('a', { data: { x: '1' } })
  delete scene.live!.metadata.managedFields
  scene.update('b', { data: { x: '2' } })
  assert.deepEqual(scene.managedFields, [])
  assert.equal(scene.apply('me', { data: { x: '3' } }).outcome, 'conflicts')
  scene.applied('me', { data: { x: '2' } })
  assert.deepEqual(Object.keys(scene.owners), ['me', 'before-first-apply'])
})

test('kubectl moves from client-side to server-side apply without conflicts, where the values are still its own', () => {
  const last = (data: object) =>
    `${JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data })}\n`
  const annotation = 'kubectl.kubernetes.io/last-applied-configuration'
  const scene = new Scene('v1', 'ConfigMap')
  const metadata = { annotations: { [annotation]: last({ x: '1' }) } }
  scene.update('kubectl-client-side-apply', { metadata, data: { x: '1' } })
  assert.equal(scene.apply('other', { data: { x: '2' } }).outcome, 'conflicts')
  scene.applied('kubectl', { data: { x: '2' } })
  assert.equal(
    scene.fields.metadata.annotations[annotation],
    `{"apiVersion":"v1","data":{"x":"2"},"kind":"ConfigMap","metadata":{"name":"x"}}\n`,
  )
  scene.update('editor', { metadata: scene.fields.metadata, data: { x: '9' } })
  assert.deepEqual(scene.apply('kubectl', { data: { x: '3' } }), {
    outcome: 'conflicts',
    conflicts: [{ field: '.data.x', manager: '"editor" using v1' }],
  })
})
