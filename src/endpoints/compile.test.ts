import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndpointSlice, Service } from '../objects/index.ts'
import { nodes, pod, SliceStore, service } from './cluster.fixture.ts'
import { compileEndpointSlices } from './compile.ts'
import { findNamedPort } from './ports.ts'

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
const podAt = (i: number) => pod(`web-${i}`, `10.244.${i >> 8}.${i & 255}`)
const endpointsOf = (slices: Iterable<EndpointSlice>) => [...slices].flatMap((slice) => slice.endpoints)
const owner = {
  apiVersion: 'v1',
  kind: 'Service',
  name: 'web',
  uid: 'svc-uid',
  controller: true,
  blockOwnerDeletion: true,
}

function settle(store: SliceStore, svc: Service, pods: ReturnType<typeof pod>[], max?: number) {
  const plan = compileEndpointSlices(svc, pods, nodes, store.slices.values(), max ? { maxEndpointsPerSlice: max } : {})
  store.apply(plan)
  return plan
}

test('a slice as upstream writes it', () => {
  const svc = service(
    {},
    {
      labels: { team: 'a', 'kubernetes.io/service-name': 'other', 'service.kubernetes.io/headless': 'x' },
      annotations: { note: 'not copied' },
    },
  )
  const plan = compileEndpointSlices(svc, [pod('web-0', '10.244.1.5')], nodes, [])
  assert.deepEqual(plan.create, [
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: '',
        generateName: 'web-',
        namespace: 'shop',
        labels: {
          team: 'a',
          'kubernetes.io/service-name': 'web',
          'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        },
        ownerReferences: [owner],
      },
      addressType: 'IPv4',
      endpoints: [
        {
          addresses: ['10.244.1.5'],
          conditions: { ready: true, serving: true, terminating: false },
          targetRef: { kind: 'Pod', namespace: 'shop', name: 'web-0', uid: 'uid-web-0' },
          nodeName: 'node-1',
          zone: 'zone-a',
        },
      ],
      ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    },
  ])
})

const terminating = { metadata: { deletionTimestamp: '2026-01-01T00:00:10Z' } }
const conditionCases: [string, Partial<Service['spec']>, Parameters<typeof pod>[2], unknown][] = [
  ['ready', {}, {}, { ready: true, serving: true, terminating: false }],
  ['not ready', {}, { ready: false }, { ready: false, serving: false, terminating: false }],
  ['no condition yet', {}, { status: { conditions: [] } }, { ready: false, serving: false, terminating: false }],
  ['terminating, serving', {}, terminating, { ready: false, serving: true, terminating: true }],
  ['terminating, unready', {}, { ...terminating, ready: false }, { ready: false, serving: false, terminating: true }],
  [
    'published unready',
    { publishNotReadyAddresses: true },
    { ready: false },
    { ready: true, serving: false, terminating: false },
  ],
  [
    'published terminating',
    { publishNotReadyAddresses: true },
    terminating,
    { ready: true, serving: true, terminating: true },
  ],
  ['succeeded', {}, { status: { phase: 'Succeeded' } }, undefined],
  ['failed', {}, { status: { phase: 'Failed' } }, undefined],
  ['no address', {}, { status: { podIP: '', podIPs: [] } }, undefined],
  ['only podIP', {}, { status: { podIPs: undefined } }, { ready: true, serving: true, terminating: false }],
  ['no address of the family', { ipFamilies: ['IPv6'] }, {}, undefined],
  ['label differs', {}, { labels: { app: 'db' } }, undefined],
  ['other namespace', {}, { metadata: { namespace: 'else' } }, undefined],
  ['node missing', {}, { spec: { nodeName: 'gone' } }, undefined],
  [
    'node missing, published',
    { publishNotReadyAddresses: true },
    { spec: { nodeName: 'gone' } },
    { ready: true, serving: true, terminating: false },
  ],
]
for (const [name, spec, parts, want] of conditionCases) {
  test(`conditions: ${name}`, () => {
    const plan = compileEndpointSlices(service(spec), [pod('p', '10.244.0.9', parts)], nodes, [])
    assert.deepEqual(endpointsOf(plan.create)[0]?.conditions, want)
    assert.equal(plan.missingNodes.length, name === 'node missing' ? 1 : 0)
  })
}

const familyCases: [string, Partial<Service['spec']>, string[]][] = [
  ['from ipFamilies', { ipFamilies: ['IPv6'] }, ['IPv6']],
  ['both', { ipFamilies: ['IPv6', 'IPv4'] }, ['IPv6', 'IPv4']],
  ['from the ClusterIP', { ipFamilies: [] }, ['IPv4']],
  ['from an IPv6 ClusterIP', { ipFamilies: undefined, clusterIP: 'fd00:96::5' }, ['IPv6']],
  ['headless without families', { ipFamilies: undefined, clusterIP: 'None' }, ['IPv4', 'IPv6']],
]
for (const [name, spec, want] of familyCases) {
  test(`families: ${name}`, () => {
    const dual = pod('p', '10.244.0.9', { status: { podIPs: [{ ip: '10.244.0.9' }, { ip: 'FD00:244:0::9' }] } })
    const plan = compileEndpointSlices(service(spec), [dual], nodes, [])
    assert.deepEqual(
      plan.create.map(({ addressType }) => addressType),
      want,
    )
    const v6 = plan.create.find(({ addressType }) => addressType === 'IPv6')
    if (v6) assert.deepEqual(v6.endpoints[0]?.addresses, ['fd00:244::9'], 'canonical')
  })
}

test('named ports that differ between pods make slices of their own; a pod without the name has an empty port list', () => {
  const svc = service({ ports: [{ name: 'http', port: 80, targetPort: 'web', appProtocol: 'kubernetes.io/h2c' }] })
  const at = (name: string, ip: string, containerPort: number, portName = 'web') =>
    pod(name, ip, { spec: { containers: [{ name: 'c', ports: [{ name: portName, containerPort }] }] } })
  const plan = compileEndpointSlices(
    svc,
    [at('a', '10.0.0.1', 1), at('b', '10.0.0.2', 2), at('c', '10.0.0.3', 1), at('d', '10.0.0.4', 9, 'x')],
    nodes,
    [],
  )
  assert.deepEqual(
    plan.create.map(({ ports, endpoints }) => [
      ports?.map(({ port }) => port),
      endpoints.map(({ addresses }) => addresses[0]),
    ]),
    [
      [[1], ['10.0.0.1', '10.0.0.3']],
      [[2], ['10.0.0.2']],
      [[], ['10.0.0.4']],
    ],
  )
  assert.deepEqual(plan.create[0]?.ports, [
    { name: 'http', protocol: 'TCP', port: 1, appProtocol: 'kubernetes.io/h2c' },
  ])
})

test('a named port has to have the protocol; sidecars count, init containers do not', () => {
  const spec = {
    containers: [{ name: 'main', ports: [{ name: 'dns', containerPort: 53, protocol: 'UDP' as const }] }],
    initContainers: [
      { name: 'init', ports: [{ name: 'admin', containerPort: 1 }] },
      { name: 'sidecar', restartPolicy: 'Always', ports: [{ name: 'admin', containerPort: 2 }] },
    ],
  }
  const p = pod('p', '10.0.0.1', { spec })
  assert.equal(findNamedPort(p, 'dns', 'UDP'), 53)
  assert.equal(findNamedPort(p, 'dns', 'TCP'), undefined)
  assert.equal(findNamedPort(p, 'admin', 'TCP'), 2)
})

test('hostname only when the subdomain is the Service', () => {
  const at = (subdomain: string) => pod('p', '10.0.0.1', { spec: { hostname: 'web-0', subdomain } })
  const hostname = (subdomain: string) =>
    endpointsOf(compileEndpointSlices(service(), [at(subdomain)], nodes, []).create)[0]?.hostname
  assert.equal(hostname('web'), 'web-0')
  assert.equal(hostname('other'), undefined)
})

test('a headless Service without ports has slices without ports, with the headless label', () => {
  const plan = compileEndpointSlices(service({ clusterIP: 'None', ports: [] }), [podAt(1)], nodes, [])
  assert.deepEqual(plan.create[0]?.ports, [])
  assert.equal(plan.create[0]?.metadata.labels?.['service.kubernetes.io/headless'], '')
  assert.equal(plan.create[0]?.endpoints.length, 1)
})

test('the placeholder is made once, never churned, and becomes the first real slice', () => {
  const store = new SliceStore()
  const first = settle(store, service(), [])
  assert.deepEqual([first.create[0]?.ports, first.create[0]?.endpoints], [[], []])
  const [name] = store.slices.keys()
  const again = settle(store, service(), [])
  assert.deepEqual([again.create, again.update, again.delete], [[], [], []])
  const filled = settle(store, service(), [podAt(1)])
  assert.deepEqual(
    [filled.create.length, filled.update.map(({ metadata }) => metadata.name), filled.delete.length],
    [0, [name], 0],
  )
  const emptied = settle(store, service(), [])
  assert.deepEqual(
    emptied.update.map(({ metadata, ports }) => [metadata.name, ports]),
    [[name, []]],
  )
})

test('packing: fills slices that change anyway, then one that fits best, and never rebalances', () => {
  const store = new SliceStore()
  settle(store, service(), range(0, 250).map(podAt))
  assert.deepEqual(
    [...store.slices.values()].map(({ endpoints }) => endpoints.length),
    [100, 100, 50],
  )
  const grown = settle(store, service(), range(0, 260).map(podAt))
  assert.deepEqual(
    grown.update.map(({ endpoints }) => endpoints.length),
    [60],
    'the one slice with room',
  )
  const holes = settle(store, service(), range(30, 260).map(podAt))
  assert.deepEqual(
    holes.update.map(({ endpoints }) => endpoints.length),
    [70],
  )
  // 35 more: both have room for 35, the fuller one (70) is closest to full.
  const best = settle(store, service(), range(30, 285).map(podAt))
  assert.deepEqual(
    best.update.map(({ endpoints }) => endpoints.length),
    [95],
  )
  // One replaced: only its slice changes, though others have room.
  const replaced = settle(store, service(), [...range(31, 285), 300].map(podAt))
  assert.equal(replaced.update.length, 1)
  assert.equal(replaced.create.length, 0)
  // More than fits anywhere: a new slice.
  const more = settle(store, service(), [...range(31, 285), ...range(300, 390)].map(podAt))
  assert.deepEqual([more.create.length, more.update.length], [1, 0])
})

test('a changed port list updates in place of delete and create', () => {
  const store = new SliceStore()
  settle(store, service(), range(0, 150).map(podAt))
  const names = [...store.slices.keys()]
  const plan = settle(
    store,
    service({ ports: [{ name: 'http', port: 80, targetPort: 9090 }] }),
    range(0, 150).map(podAt),
  )
  assert.deepEqual([plan.create.length, plan.delete.length], [0, 0])
  assert.deepEqual(plan.update.map(({ metadata }) => metadata.name).sort(), names)
})

test("labels follow the Service's; reserved ones on the slice are set again but alone cause no write", () => {
  const store = new SliceStore()
  settle(store, service({}, { labels: { a: '1' } }), [podAt(1)])
  const plan = settle(store, service({}, { labels: { a: '2' } }), [podAt(1)])
  assert.equal(plan.update[0]?.metadata.labels?.a, '2')
  const hostile = settle(store, service({}, { labels: { a: '2', 'endpointslice.kubernetes.io/managed-by': 'evil' } }), [
    podAt(1),
  ])
  assert.equal(hostile.update.length, 0)
})

test('slices of others are passed over, of a Service before it deleted, of lost families deleted', () => {
  const store = new SliceStore()
  settle(store, service({ ipFamilies: ['IPv4', 'IPv6'] }), [podAt(1)])
  const [v4, v6] = [...store.slices.values()]
  const user: EndpointSlice = {
    ...v4!,
    metadata: { ...v4!.metadata, name: 'mine', labels: { 'kubernetes.io/service-name': 'web' } },
  }
  const plan = compileEndpointSlices(service({}, { uid: 'new-uid' }), [podAt(1)], nodes, [
    ...store.slices.values(),
    user,
  ])
  assert.deepEqual(
    plan.delete.map(({ metadata }) => metadata.name).sort(),
    [v4!.metadata.name, v6!.metadata.name].sort(),
  )
  assert.equal(plan.create.length, 1)
})

test('nothing is created for a Service that goes', () => {
  const plan = compileEndpointSlices(service({}, { deletionTimestamp: '2026-01-01T00:00:00Z' }), [podAt(1)], nodes, [])
  assert.deepEqual([plan.create, plan.update, plan.delete], [[], [], []])
})

test('a slice on its way out is neither filled nor deleted again', () => {
  const store = new SliceStore()
  settle(store, service(), [podAt(1)])
  const dying = [...store.slices.values()].map((slice) => ({
    ...slice,
    metadata: { ...slice.metadata, deletionTimestamp: 'x' },
  }))
  const plan = compileEndpointSlices(service(), [podAt(1)], nodes, dying)
  assert.deepEqual([plan.create.length, plan.update.length, plan.delete.length], [1, 0, 0])
})

test('one endpoint in two slices stays in one', () => {
  const store = new SliceStore()
  settle(store, service(), [podAt(1), podAt(2)])
  const [slice] = store.slices.values()
  const twin = { ...slice!, metadata: { ...slice!.metadata, name: 'twin' }, endpoints: slice!.endpoints.slice(0, 1) }
  const plan = compileEndpointSlices(service(), [podAt(1), podAt(2)], nodes, [slice!, twin])
  assert.deepEqual(
    [plan.create.length, plan.update.length, plan.delete.map(({ metadata }) => metadata.name)],
    [0, 0, ['twin']],
  )
})

const hintCases: [string, Partial<Service['spec']>, Record<string, string>, unknown][] = [
  ['none', {}, {}, undefined],
  ['PreferClose', { trafficDistribution: 'PreferClose' }, {}, { forZones: [{ name: 'zone-a' }] }],
  ['PreferSameZone', { trafficDistribution: 'PreferSameZone' }, {}, { forZones: [{ name: 'zone-a' }] }],
  [
    'PreferSameNode',
    { trafficDistribution: 'PreferSameNode' },
    {},
    { forZones: [{ name: 'zone-a' }], forNodes: [{ name: 'node-1' }] },
  ],
  ['unknown', { trafficDistribution: 'Nearest' }, {}, undefined],
  [
    'topology mode Auto silences it',
    { trafficDistribution: 'PreferClose' },
    { 'service.kubernetes.io/topology-mode': 'Auto' },
    undefined,
  ],
]
for (const [name, spec, annotations, want] of hintCases) {
  test(`hints: ${name}`, () => {
    const store = new SliceStore()
    settle(store, service(spec, { annotations }), [podAt(1), pod('slow', '10.0.0.9', { ready: false })])
    assert.deepEqual(
      endpointsOf(store.slices.values()).map(({ hints }) => hints),
      [want, undefined],
    )
    const plan = settle(store, service(), [podAt(1), pod('slow', '10.0.0.9', { ready: false })])
    assert.equal(plan.update.length, want === undefined ? 0 : 1, 'hints go when the field goes')
  })
}

test('a Service without selector or of type ExternalName is left alone by its caller and selects nothing', () => {
  const plan = compileEndpointSlices(service({ selector: {} }), [podAt(1)], nodes, [])
  assert.equal(endpointsOf(plan.create).length, 0)
})

test('pods’ weights are on their slices, come and go without another change, and nothing is written where none is', () => {
  const svc = service()
  const store = new SliceStore()
  const weighed = (i: number, weight?: string) => {
    const made = podAt(i)
    const annotations: Record<string, string> = weight === undefined ? {} : { 'plumb.network/weight': weight }
    return { ...made, metadata: { ...made.metadata, annotations } }
  }
  const annotations = () =>
    [...store.slices.values()].map(({ metadata }) => metadata.annotations?.['plumb.network/weights'])
  settle(store, svc, [weighed(1, '3'), weighed(2), weighed(3, '0')])
  assert.deepEqual(annotations(), ['10.244.0.1=3,10.244.0.3=0'])
  const again = settle(store, svc, [weighed(1, '3'), weighed(2), weighed(3, '0')])
  assert.deepEqual([again.create.length, again.update.length, again.delete.length], [0, 0, 0])
  settle(store, svc, [weighed(1, '3'), weighed(2, '7'), weighed(3)])
  assert.deepEqual(annotations(), ['10.244.0.1=3,10.244.0.2=7'])
  settle(store, svc, [weighed(1), weighed(2), weighed(3)])
  assert.deepEqual(annotations(), [undefined])
})
