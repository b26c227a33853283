import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress, parsePrefix } from '../addr/index.ts'
import type { EndpointSlice, Service } from '../objects/index.ts'
import { compileService, explainService } from './index.ts'
import { endpoint, service, slice } from './objects.fixture.ts'
import { placeEndpoints } from './place.ts'

const node = { name: 'n1', zone: 'z1', addresses: [], nodePortAddresses: [] }

interface Case {
  readonly name: string
  readonly service?: Partial<Service['spec']>
  readonly slices: readonly EndpointSlice[]
  /** `kind:addresses` of the first frontend's outcome. */
  readonly outcome: string
  readonly node?: typeof node
}

const hints = (zones: string[], nodes: string[] = []): EndpointSlice['endpoints'][number]['hints'] => ({
  forZones: zones.map((name) => ({ name })),
  ...(nodes.length === 0 ? {} : { forNodes: nodes.map((name) => ({ name })) }),
})
const local = { internalTrafficPolicy: 'Local' } as const
const ready = { ready: true, serving: true, terminating: false }
const ending = { ready: false, serving: true, terminating: true }
const dead = { ready: false, serving: false, terminating: true }
const unready = { ready: false, serving: false, terminating: false }

const cases: readonly Case[] = [
  { name: 'no slices', slices: [], outcome: 'reject' },
  { name: 'ready', slices: [slice([endpoint(1), endpoint(2)])], outcome: 'balance:1,2' },
  { name: 'conditions absent count as ready', slices: [slice([endpoint(1, {})])], outcome: 'balance:1' },
  { name: 'unready is left out', slices: [slice([endpoint(1), endpoint(2, unready)])], outcome: 'balance:1' },
  { name: 'only unready', slices: [slice([endpoint(2, unready)])], outcome: 'reject' },
  { name: 'terminating while one is ready', slices: [slice([endpoint(1), endpoint(2, ending)])], outcome: 'balance:1' },
  { name: 'terminating fallback', slices: [slice([endpoint(1, ending), endpoint(2, dead)])], outcome: 'balance:1' },
  { name: 'terminating, not serving', slices: [slice([endpoint(2, dead)])], outcome: 'reject' },
  {
    name: 'local',
    service: local,
    slices: [slice([endpoint(1, ready, 'n1'), endpoint(2, ready, 'n2')])],
    outcome: 'balance:1',
  },
  {
    name: 'local with only remote: silence',
    service: local,
    slices: [slice([endpoint(2, ready, 'n2')])],
    outcome: 'drop',
  },
  { name: 'local with none anywhere: refused', service: local, slices: [slice([])], outcome: 'reject' },
  {
    name: 'local falls back to its own terminating ones',
    service: local,
    slices: [slice([endpoint(1, ending, 'n1'), endpoint(2, ready, 'n2')])],
    outcome: 'balance:1',
  },
  {
    name: 'local ignores hints',
    service: local,
    slices: [slice([{ ...endpoint(1, ready, 'n1'), hints: hints(['z9']) }])],
    outcome: 'balance:1',
  },
  {
    name: 'zone hints',
    slices: [
      slice([
        { ...endpoint(1), hints: hints(['z1']) },
        { ...endpoint(2), hints: hints(['z2']) },
      ]),
    ],
    outcome: 'balance:1',
  },
  {
    name: 'zone hints, one ready endpoint without',
    slices: [slice([{ ...endpoint(1), hints: hints(['z1']) }, endpoint(2)])],
    outcome: 'balance:1,2',
  },
  {
    name: 'zone hints, an unready endpoint without',
    slices: [
      slice([{ ...endpoint(1), hints: hints(['z1']) }, { ...endpoint(2), hints: hints(['z2']) }, endpoint(3, unready)]),
    ],
    outcome: 'balance:1',
  },
  {
    name: 'zone hints, none for this zone',
    slices: [slice([{ ...endpoint(1), hints: hints(['z2']) }])],
    outcome: 'balance:1',
  },
  {
    name: 'node hints win over zone hints',
    slices: [
      slice([
        { ...endpoint(1), hints: hints(['z1'], ['n1']) },
        { ...endpoint(2), hints: hints(['z1'], ['n2']) },
      ]),
    ],
    outcome: 'balance:1',
  },
  {
    name: 'node hints without this node fall back to the zone',
    slices: [
      slice([
        { ...endpoint(1), hints: hints(['z1'], ['n3']) },
        { ...endpoint(2), hints: hints(['z2'], ['n2']) },
      ]),
    ],
    outcome: 'balance:1',
  },
  {
    name: 'terminating fallback ignores topology',
    slices: [slice([{ ...endpoint(1, ending), hints: hints(['z2']) }])],
    outcome: 'balance:1',
  },
  {
    name: 'an endpoint in two slices counts once, the better one',
    slices: [slice([endpoint(1, unready)], { name: 'a' }), slice([endpoint(1)], { name: 'b' })],
    outcome: 'balance:1',
  },
  {
    name: 'another port name',
    slices: [slice([endpoint(1)], { port: { name: 'other', port: 1 } })],
    outcome: 'reject',
  },
  {
    name: 'another protocol',
    slices: [slice([endpoint(1)], { port: { port: 80, protocol: 'UDP' } })],
    outcome: 'reject',
  },
  { name: 'a slice of the other family', slices: [slice([endpoint(1)], { type: 'IPv6' })], outcome: 'reject' },
  { name: 'FQDN', slices: [slice([{ addresses: ['a.example'] }], { type: 'FQDN' })], outcome: 'reject' },
]

for (const { name, service: spec, slices, outcome } of cases) {
  test(`choice: ${name}`, () => {
    const model = compileService(service('web', '10.96.0.1', spec), slices, node)
    const [frontend] = model.frontends
    assert.ok(frontend !== undefined)
    const { outcome: got } = frontend
    const ends =
      got.kind === 'balance' ? `:${got.endpoints.map(({ address }) => address.split('.').at(-1)).join()}` : ''
    assert.equal(`${got.kind}${ends}`, outcome, JSON.stringify(frontend, null, 1))
  })
}

test('Services that are not the proxy’s work say whose they are', () => {
  const reasons = (spec: Partial<Service['spec']>, labels = {}): string => {
    const { subject, frontends } = compileService(service('web', '10.96.0.1', spec, { labels }), [], node)
    assert.equal(frontends.length, subject.kind === 'ignored' ? 0 : 1)
    return subject.kind === 'ignored' ? subject.reason : subject.kind
  }
  assert.equal(reasons({}), 'proxied')
  assert.equal(reasons({ type: 'ExternalName' }), 'external-name')
  assert.equal(reasons({ clusterIP: 'None', clusterIPs: ['None'] }), 'headless')
  assert.equal(reasons({ clusterIP: '', clusterIPs: [] }), 'no-cluster-ip')
  assert.equal(reasons({}, { 'service.kubernetes.io/service-proxy-name': 'x' }), 'other-proxy')
  assert.equal(reasons({}, { 'service.kubernetes.io/headless': '' }), 'headless')
})

test('slices that are labelled as not the proxy’s serve nobody, and are told', () => {
  for (const label of ['service.kubernetes.io/headless', 'service.kubernetes.io/service-proxy-name']) {
    const kept = slice([endpoint(1)], { name: 'kept' })
    const labels = { ...kept.metadata.labels, [label]: '' }
    const marked = { ...kept, metadata: { ...kept.metadata, labels } }
    const outcomes = (...slices: EndpointSlice[]) => {
      const { frontends, findings } = compileService(service('web', '10.96.0.1', {}), slices, node)
      return [frontends[0]?.outcome.kind, ...findings.map(({ code, field }) => `${code} ${field}`)]
    }
    assert.deepEqual(outcomes(marked), ['reject', `SliceNotProxied metadata.labels[${label}]`])
    assert.deepEqual(outcomes(marked, slice([endpoint(2)])), ['balance', `SliceNotProxied metadata.labels[${label}]`])
  }
})

test('mistakes become findings that name the field, and the rest is served', () => {
  const broken = service('web', '10.96.0.1', { clusterIPs: ['10.96.0.1', 'fd00::zz'], sessionAffinity: 'ClientIP' })
  const slices = [slice([endpoint(1), { addresses: ['nonsense'] }]), slice([], { type: 'FQDN', name: 'b' })]
  const { findings, frontends } = compileService(broken, slices, node)
  assert.deepEqual(findings.map(({ code, object, field }) => `${code} ${object} ${field}`).sort(), [
    'BrokenClusterIP service/ns/web spec.clusterIPs[1]',
    'BrokenEndpointAddress endpointslice/ns/web-a endpoints[1].addresses[0]',
    'SliceOfNames endpointslice/ns/b addressType',
  ])
  assert.equal(frontends.length, 1)
  assert.equal(frontends[0]?.outcome.kind, 'balance')
})

test('a targetPort that no pod has is told', () => {
  const slices = [slice([endpoint(1)], { port: { name: 'metrics', port: 9 } })]
  const { findings } = compileService(service('web', '10.96.0.1'), slices, node)
  assert.deepEqual(
    findings.map(({ code, field }) => [code, field]),
    [['UnmatchedPort', 'spec.ports[0].targetPort']],
  )
})

const placings: readonly [before: string, wanted: string, after: string][] = [
  ['', 'abc', 'abc'],
  ['abc', 'abcd', 'abcd'],
  ['abcd', 'acd', 'adc'],
  ['abcd', 'abc', 'abc'],
  ['abcd', 'd', 'd'],
  ['abcd', 'xd', 'xd'],
  ['abcd', 'bxyd', 'xbyd'],
  ['abc', '', ''],
  ['abc', 'xyz', 'xyz'],
]
for (const [before, wanted, after] of placings) {
  test(`placing ${wanted || 'nothing'} after ${before || 'nothing'}`, () => {
    assert.equal(placeEndpoints([...before], [...wanted]).join(''), after)
  })
}

test('at 127.0.0.1 only TCP node ports answer, only where the node says so, and the node itself is who asks', () => {
  const made = service('web', '10.96.0.1', {
    type: 'NodePort',
    externalTrafficPolicy: 'Local',
    ports: [
      { name: 'a', port: 80, nodePort: 30080, protocol: 'TCP' },
      { name: 'b', port: 53, nodePort: 30053, protocol: 'UDP' },
    ],
  })
  const slices = [slice([endpoint(1, undefined, 'n2')], { port: { name: 'a', port: 8080 } })]
  const at = (view: typeof node & { loopbackNodePorts?: boolean }) => {
    const { frontends } = compileService(made, slices, view)
    return frontends.filter(({ kind }) => kind === 'node-port').map(({ address, port }) => `${address} ${port}`)
  }
  assert.deepEqual(at(node), [])
  const opened = { ...node, loopbackNodePorts: true }
  assert.deepEqual(at(opened), ['127.0.0.1 30080'])
  const address = parseAddress('127.0.0.1')
  const { outcome } = explainService(
    { source: address, destination: address, protocol: 'tcp', port: 30080 },
    {
      node: opened,
      models: [compileService(made, slices, opened)],
      podPrefixes: [],
      ownPodPrefixes: [],
      servicePrefixes: [],
    },
  )
  assert.ok(outcome.kind === 'balance')
  assert.deepEqual(
    outcome.targets.map(({ address: to, source }) => `${to} ${source}`),
    ['10.244.0.1 masqueraded'],
  )
})

test('whose connections survive the node that translates them is told: those from outside to a load balancer’s address, with policy Cluster', () => {
  const tells = (source: string, spec: Partial<Service['spec']>): boolean => {
    const made = { ...service('web', '10.96.0.1', { type: 'LoadBalancer', ...spec }) }
    const status = { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } }
    const models = [compileService({ ...made, status }, [slice([endpoint(1, undefined, 'n1')])], node)]
    const question = { source: parseAddress(source), destination: parseAddress('198.51.100.1') }
    const podPrefixes = [parsePrefix('10.244.0.0/16')]
    const context = { node, models, podPrefixes, ownPodPrefixes: podPrefixes, servicePrefixes: [] }
    const { steps } = explainService({ ...question, protocol: 'tcp', port: 80 }, context)
    return steps.some(({ kind }) => kind === 'survival')
  }
  assert.equal(tells('203.0.113.10', {}), true)
  assert.equal(tells('10.244.0.9', {}), false)
  assert.equal(tells('203.0.113.10', { externalTrafficPolicy: 'Local' }), false)
})
