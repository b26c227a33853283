import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge, judged } from './judge.fixture.ts'

const name = { name: 'x' }
const slice = (more: object) => ({ metadata: name, addressType: 'IPv4', endpoints: [], ...more })
const policy = (spec: object) => ({ metadata: name, spec: { podSelector: {}, ...spec } })
const from = (peer: object) => policy({ ingress: [{ from: [peer] }] })
const backend = { service: { name: 'web', port: { number: 80 } } }
const path = (more: object) => ({
  metadata: name,
  spec: { rules: [{ http: { paths: [{ path: '/', pathType: 'Prefix', backend, ...more }] } }] },
})

const cases: readonly [kind: string, name: string, object: object, complaints: string[]][] = [
  ['EndpointSlice', 'good', slice({ endpoints: [{ addresses: ['10.244.1.2'] }], ports: [{ port: 80 }] }), []],
  ['EndpointSlice', 'type missing', { metadata: name }, ['addressType: Required value']],
  [
    'EndpointSlice',
    'type',
    slice({ addressType: 'IP' }),
    ['addressType: Unsupported value: "IP": supported values: "FQDN", "IPv4", "IPv6"'],
  ],
  [
    'EndpointSlice',
    'family',
    slice({ endpoints: [{ addresses: ['fd00::1'] }] }),
    ['endpoints[0].addresses[0]: Invalid value: "fd00::1": must be an IPv4 address'],
  ],
  [
    'EndpointSlice',
    'loopback',
    slice({ endpoints: [{ addresses: ['127.0.0.1'] }] }),
    ['endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  ],
  [
    'EndpointSlice',
    'no address',
    slice({ endpoints: [{ addresses: [] }] }),
    ['endpoints[0].addresses: Required value: must contain at least 1 address'],
  ],
  [
    'EndpointSlice',
    'too many endpoints',
    slice({ endpoints: Array.from({ length: 1001 }, () => ({ addresses: ['10.0.0.1'] })) }),
    ['endpoints: Too many: 1001: must have at most 1000 items'],
  ],
  [
    'EndpointSlice',
    'too many ports',
    slice({ ports: Array.from({ length: 101 }, (_, port) => ({ name: `p${port}`, port })) }),
    ['ports: Too many: 101: must have at most 100 items'],
  ],
  [
    'EndpointSlice',
    'port names',
    slice({ ports: [{ port: 80 }, { port: 81 }] }),
    ['ports[1].name: Duplicate value: ""'],
  ],
  ['Endpoints', 'good', { metadata: name, subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }] }, []],
  [
    'Endpoints',
    'empty subset',
    { metadata: name, subsets: [{}] },
    ['subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`'],
  ],
  [
    'Endpoints',
    'address',
    { metadata: name, subsets: [{ addresses: [{ ip: 'x' }] }] },
    ['subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  ],
  ['NetworkPolicy', 'good', from({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }), []],
  ['NetworkPolicy', 'no peer', from({}), ['spec.ingress[0].from[0]: Required value: must specify a peer']],
  [
    'NetworkPolicy',
    'two sorts of peer',
    from({ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }),
    ['spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer'],
  ],
  [
    'NetworkPolicy',
    'exception outside',
    from({ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16', '10.0.0.0/8'] } }),
    [
      'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
      'spec.ingress[0].from[0].ipBlock.except[1]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
    ],
  ],
  [
    'NetworkPolicy',
    'end port',
    policy({ egress: [{ ports: [{ port: 90, endPort: 80 }, { endPort: 80 }, { port: 'http', endPort: 80 }] }] }),
    [
      'spec.egress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to `port`',
      'spec.egress[0].ports[1].port: Required value: must be specified when `endPort` is specified',
      'spec.egress[0].ports[2].endPort: Forbidden: `port` must be an integer when `endPort` is specified',
    ],
  ],
  [
    'NetworkPolicy',
    'type',
    policy({ policyTypes: ['Both'] }),
    ['spec.policyTypes[0]: Unsupported value: "Both": supported values: "Egress", "Ingress"'],
  ],
  ['Ingress', 'good', path({}), []],
  [
    'Ingress',
    'nothing',
    { metadata: name, spec: {} },
    ['spec: Invalid value: []: either `defaultBackend` or `rules` must be specified'],
  ],
  [
    'Ingress',
    'path type',
    path({ pathType: undefined }),
    ['spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified'],
  ],
  [
    'Ingress',
    'path',
    path({ path: 'a' }),
    ['spec.rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path'],
  ],
  [
    'Ingress',
    'backend',
    path({ backend: { service: { name: 'web' } } }),
    ['spec.rules[0].http.paths[0].backend: Required value: port name or number is required'],
  ],
  [
    'ServiceCIDR',
    'host bits',
    { metadata: name, spec: { cidrs: ['10.96.0.1/16'] } },
    [
      'spec.cidrs[0]: Invalid value: "10.96.0.1/16": must be a valid CIDR value in canonical form, with no host bits set',
    ],
  ],
  [
    'IPAddress',
    'good',
    { metadata: { name: 'fd00:96::1' }, spec: { parentRef: { resource: 'services', name: 'a' } } },
    [],
  ],
  [
    'IPAddress',
    'not canonical',
    { metadata: { name: 'fd00:96:0::1' }, spec: { parentRef: { resource: 'services', name: 'a' } } },
    ['metadata.name: Invalid value: "fd00:96:0::1": not a valid address in canonical format'],
  ],
  [
    'ConfigMap',
    'key',
    { metadata: name, data: { 'a b': '' } },
    [
      `data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
    ],
  ],
  [
    'Secret',
    'tls',
    { metadata: name, type: 'kubernetes.io/tls', data: { 'tls.crt': '' } },
    ['data[tls.key]: Required value'],
  ],
  [
    'Lease',
    'duration',
    { metadata: name, spec: { leaseDurationSeconds: 0 } },
    ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
  ],
  [
    'Node',
    'taint',
    { metadata: name, spec: { taints: [{ key: 'a', effect: 'Never' }] } },
    [
      'spec.taints[0].effect: Unsupported value: "Never": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"',
    ],
  ],
  [
    'Event',
    'namespace',
    { metadata: { name: 'x', namespace: 'a' }, involvedObject: { namespace: 'b' } },
    ['involvedObject.namespace: Invalid value: "b": does not match event.namespace'],
  ],
]

for (const [kind, name, object, complaints] of cases)
  test(`${kind}: ${name}`, () => assert.deepEqual(judge(kind, object), complaints))

test('policy types follow the rules', () => {
  const types = (spec: object) =>
    (judged('NetworkPolicy', policy(spec)).object as { spec?: { policyTypes?: string[] } }).spec?.policyTypes
  assert.deepEqual(types({}), ['Ingress'])
  assert.deepEqual(types({ egress: [] }), ['Ingress'])
  assert.deepEqual(types({ egress: [{}] }), ['Ingress', 'Egress'])
  assert.deepEqual(types({ egress: [{}], policyTypes: ['Egress'] }), ['Egress'])
})

test('what is sealed stays', () => {
  const old = { metadata: { ...name, namespace: 'default' }, data: { a: '1' }, immutable: true }
  assert.deepEqual(judge('ConfigMap', { metadata: name, data: { a: '2' }, immutable: true }, old), [
    'data: Forbidden: field is immutable when `immutable` is set',
  ])
  assert.deepEqual(judge('ConfigMap', { metadata: name, data: { a: '1' } }, old), [
    'immutable: Forbidden: field is immutable when `immutable` is set',
  ])
})

test('the address type of a slice is fixed', () => {
  assert.deepEqual(
    judge('EndpointSlice', slice({ addressType: 'IPv6' }), slice({ metadata: { ...name, namespace: 'default' } })),
    ['addressType: Invalid value: "IPv6": field is immutable'],
  )
})

test('a namespace carries its name and its finalizer', () => {
  const { object } = judged('Namespace', { metadata: { name: 'a' }, status: { phase: 'Terminating' } })
  assert.deepEqual(object, {
    metadata: { name: 'a', labels: { 'kubernetes.io/metadata.name': 'a' } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  })
})

test('plain data of a Secret is encoded', () => {
  const { object } = judged('Secret', { metadata: name, data: { a: 'MQ==' }, stringData: { b: '2' } })
  assert.deepEqual(object, {
    metadata: { ...name, namespace: 'default' },
    type: 'Opaque',
    data: { a: 'MQ==', b: 'Mg==' },
  })
})
