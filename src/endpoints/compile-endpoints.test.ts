import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pod, service } from './cluster.fixture.ts'
import { compileEndpoints, sameEndpoints } from './compile-endpoints.ts'

test('an Endpoints object as upstream writes it', () => {
  const pods = [pod('b', '10.0.0.2'), pod('a', '10.0.0.1', { ready: false }), pod('x', '10.0.0.3', { labels: {} })]
  const endpoints = compileEndpoints(service({}, { labels: { team: 'a' } }), pods)
  const ref = (name: string) => ({ kind: 'Pod', namespace: 'shop', name, uid: `uid-${name}` })
  assert.deepEqual(endpoints, {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name: 'web',
      namespace: 'shop',
      labels: { team: 'a', 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' },
    },
    subsets: [
      {
        addresses: [{ ip: '10.0.0.2', nodeName: 'node-1', targetRef: ref('b') }],
        notReadyAddresses: [{ ip: '10.0.0.1', nodeName: 'node-1', targetRef: ref('a') }],
        ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
      },
    ],
  })
  assert.ok(sameEndpoints(endpoints, structuredClone(endpoints)))
})

test('ports that differ between pods make subsets; ports of one pod stay together', () => {
  const ports = [
    { name: 'a', port: 1, targetPort: 'a' },
    { name: 'b', port: 2, targetPort: 22 },
  ]
  const at = (name: string, ip: string, containerPort: number) =>
    pod(name, ip, { spec: { containers: [{ name: 'c', ports: [{ name: 'a', containerPort }] }] } })
  const none = pod('none', '10.0.0.4')
  const { subsets } = compileEndpoints(service({ ports }), [at('p', '10.0.0.1', 11), at('q', '10.0.0.2', 12), none])
  assert.deepEqual(
    subsets?.map((s) => [s.addresses?.map(({ ip }) => ip), s.ports?.map(({ name, port }) => `${name}${port}`)]),
    [
      [['10.0.0.1'], ['a11', 'b22']],
      [['10.0.0.2'], ['a12', 'b22']],
      [['10.0.0.4'], ['b22']],
    ],
  )
})

test('terminating pods only when unready addresses are published; one family; no port name when the Service has none', () => {
  const gone = pod('a', '10.0.0.1', { metadata: { deletionTimestamp: 'x' } })
  assert.deepEqual(compileEndpoints(service(), [gone]).subsets, [])
  const published = service({ publishNotReadyAddresses: true, ports: [{ port: 80 }] })
  assert.deepEqual(compileEndpoints(published, [gone]).subsets?.[0]?.ports, [{ protocol: 'TCP', port: 80 }])
  const dual = pod('d', '10.0.0.1', { status: { podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] } })
  const v6 = service({ ipFamilies: ['IPv6', 'IPv4'] })
  assert.deepEqual(
    compileEndpoints(v6, [dual]).subsets?.[0]?.addresses?.map(({ ip }) => ip),
    ['fd00::1'],
  )
  const headless = compileEndpoints(service({ clusterIP: 'None', ports: [] }), [dual])
  assert.equal(headless.metadata.labels?.['service.kubernetes.io/headless'], '')
  assert.equal(headless.subsets?.[0]?.addresses?.length, 1)
  assert.equal(headless.subsets?.[0]?.ports, undefined)
})

const capacityCases: [ready: number, notReady: number, wantReady: number, wantNotReady: number][] = [
  [1000, 0, 1000, 0],
  [1001, 5, 1000, 0],
  [900, 101, 900, 100],
  [0, 1200, 0, 1000],
]
for (const [ready, notReady, wantReady, wantNotReady] of capacityCases) {
  test(`capacity: ${ready} ready and ${notReady} not`, () => {
    const pods = Array.from({ length: ready + notReady }, (_, i) =>
      pod(`p${i}`, `10.1.${i >> 8}.${i & 255}`, {
        ready: i < ready,
        spec: { containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 1 + (i % 2) }] }] },
      }),
    )
    const endpoints = compileEndpoints(service({ ports: [{ port: 80, targetPort: 'web' }] }), pods)
    const count = (field: 'addresses' | 'notReadyAddresses') =>
      (endpoints.subsets ?? []).reduce((sum, subset) => sum + (subset[field]?.length ?? 0), 0)
    assert.deepEqual([count('addresses'), count('notReadyAddresses')], [wantReady, wantNotReady])
    const over = ready + notReady > 1000 ? 'truncated' : undefined
    assert.equal(endpoints.metadata.annotations?.['endpoints.kubernetes.io/over-capacity'], over)
  })
}
