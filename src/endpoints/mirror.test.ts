import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Endpoints } from '../objects/index.ts'
import { SliceStore, service } from './cluster.fixture.ts'
import { compileMirroredSlices } from './mirror.ts'

const manual = service({ selector: undefined })
function endpoints(subsets: Endpoints['subsets'], metadata: Partial<Endpoints['metadata']> = {}): Endpoints {
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'web', namespace: 'shop', uid: 'ep', ...metadata },
    subsets,
  }
}
const ports = [{ port: 80 }]

test('one slice per family and port list, with labels and annotations but those of the controllers', () => {
  const source = endpoints(
    [
      {
        addresses: [{ ip: '192.0.2.1', hostname: 'a', nodeName: 'n' }, { ip: '2001:db8::1' }, { ip: 'nonsense' }],
        ports,
      },
      { notReadyAddresses: [{ ip: '192.0.2.2' }], ports },
    ],
    {
      labels: { team: 'a' },
      annotations: {
        note: 'kept',
        'kubectl.kubernetes.io/last-applied-configuration': '{}',
        'endpoints.kubernetes.io/last-change-trigger-time': 'x',
      },
    },
  )
  const plan = compileMirroredSlices(source, manual, [])
  assert.deepEqual(plan.skipped, { invalid: 1, tooMany: 0 })
  assert.deepEqual(
    plan.create.map(({ addressType, endpoints }) => [addressType, endpoints]),
    [
      [
        'IPv4',
        [
          { addresses: ['192.0.2.1'], conditions: { ready: true }, hostname: 'a', nodeName: 'n' },
          { addresses: ['192.0.2.2'], conditions: { ready: false } },
        ],
      ],
      ['IPv6', [{ addresses: ['2001:db8::1'], conditions: { ready: true } }]],
    ],
  )
  const { metadata } = plan.create[0]!
  assert.deepEqual(metadata.annotations, { note: 'kept' })
  assert.deepEqual(metadata.labels, {
    team: 'a',
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
  })
  assert.equal(metadata.ownerReferences?.[0]?.kind, 'Endpoints')
})

test('settles, follows changes under the same name, and takes its slices away', () => {
  const store = new SliceStore()
  const first = endpoints([{ addresses: [{ ip: '192.0.2.1' }], ports }])
  store.apply(compileMirroredSlices(first, manual, []))
  const [name] = store.slices.keys()
  const idle = compileMirroredSlices(first, manual, store.slices.values())
  assert.deepEqual([idle.create, idle.update, idle.delete], [[], [], []])
  for (const next of [
    endpoints([{ addresses: [{ ip: '192.0.2.9' }], ports }]),
    endpoints([{ addresses: [{ ip: '192.0.2.9' }], ports: [{ port: 81 }] }]),
    endpoints([{ addresses: [{ ip: '192.0.2.9' }], ports: [{ port: 81 }] }], { labels: { a: 'b' } }),
  ]) {
    const plan = compileMirroredSlices(next, manual, store.slices.values())
    assert.deepEqual(
      [plan.create.length, plan.update.map(({ metadata }) => metadata.name), plan.delete.length],
      [0, [name], 0],
    )
    store.apply(plan)
  }
})

const leader = { 'control-plane.alpha.kubernetes.io/leader': '{}' }
const refused: [string, Endpoints | undefined, ReturnType<typeof service> | undefined][] = [
  ['the Service has a selector', endpoints([{ addresses: [{ ip: '192.0.2.1' }], ports }]), service()],
  ['no Service', endpoints([{ addresses: [{ ip: '192.0.2.1' }], ports }]), undefined],
  ['no Endpoints', undefined, manual],
  [
    'skip-mirror',
    endpoints([{ addresses: [{ ip: '192.0.2.1' }] }], {
      labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
    }),
    manual,
  ],
  ['leader election', endpoints([{ addresses: [{ ip: '192.0.2.1' }] }], { annotations: leader }), manual],
]
for (const [name, source, svc] of refused) {
  test(`not mirrored: ${name}`, () => {
    const store = new SliceStore()
    store.apply(compileMirroredSlices(endpoints([{ addresses: [{ ip: '192.0.2.1' }], ports }]), manual, []))
    const plan = compileMirroredSlices(source, svc, store.slices.values())
    assert.deepEqual([plan.create.length, plan.update.length, plan.delete.length], [0, 0, 1])
  })
}

test('at most 1000 addresses of a subset', () => {
  const addresses = Array.from({ length: 1003 }, (_, i) => ({ ip: `10.0.${i >> 8}.${i & 255}` }))
  const plan = compileMirroredSlices(endpoints([{ addresses, ports }]), manual, [])
  assert.equal(plan.create[0]?.endpoints.length, 1000)
  assert.deepEqual(plan.skipped, { invalid: 0, tooMany: 3 })
})
