import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge, judged } from './judge.fixture.ts'
import type { Service } from './types.ts'

const service = (spec: object, metadata: object = { name: 'web' }) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata,
  spec,
})
const http = { port: 80 }
const allocated = {
  clusterIP: '10.96.0.7',
  clusterIPs: ['10.96.0.7'],
  ipFamilies: ['IPv4'],
  ipFamilyPolicy: 'SingleStack',
}

const bad: readonly [name: string, spec: object, complaints: string[]][] = [
  ['no ports', {}, ['spec.ports: Required value']],
  [
    'port out of range',
    { ports: [{ port: 70000 }] },
    [
      'spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive',
      'spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
    ],
  ],
  ['two ports need names', { ports: [{ port: 80 }, { port: 81, name: 'b' }] }, ['spec.ports[0].name: Required value']],
  [
    'names unique',
    {
      ports: [
        { port: 80, name: 'a' },
        { port: 81, name: 'a' },
      ],
    },
    ['spec.ports[1].name: Duplicate value: "a"'],
  ],
  [
    'name form',
    { ports: [{ port: 80, name: 'A_b' }] },
    [
      `spec.ports[0].name: Invalid value: "A_b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
    ],
  ],
  [
    'same port and protocol',
    {
      ports: [
        { port: 80, name: 'a' },
        { port: 80, name: 'b' },
      ],
    },
    ['spec.ports[1]: Duplicate value: {"port":80,"protocol":"TCP"}'],
  ],
  [
    'protocol',
    { ports: [{ port: 80, protocol: 'ICMP' }] },
    ['spec.ports[0].protocol: Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"'],
  ],
  [
    'target port name',
    { ports: [{ port: 80, targetPort: 'a--b' }] },
    ['spec.ports[0].targetPort: Invalid value: "a--b": must not contain consecutive hyphens'],
  ],
  [
    'type',
    { type: 'External', ports: [http] },
    [
      'spec.type: Unsupported value: "External": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
  ],
  [
    'node port of a ClusterIP',
    { ports: [{ port: 80, nodePort: 30080 }] },
    ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
  ],
  [
    'node port twice',
    {
      type: 'NodePort',
      ports: [
        { name: 'a', port: 80, nodePort: 30080 },
        { name: 'b', port: 81, nodePort: 30080 },
      ],
    },
    ['spec.ports[1].nodePort: Duplicate value: 30080'],
  ],
  [
    'headless NodePort',
    { type: 'NodePort', clusterIP: 'None', ports: [http] },
    [`spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for NodePort services`],
  ],
  [
    'affinity timeout',
    { ports: [http], sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86401 } } },
    [
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: must be greater than 0 and less than 86400',
    ],
  ],
  [
    'affinity',
    { ports: [http], sessionAffinity: 'Cookie' },
    ['spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"'],
  ],
  [
    'external policy inside',
    { ports: [http], externalTrafficPolicy: 'Local' },
    ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
  ],
  [
    'internal policy',
    { ports: [http], internalTrafficPolicy: 'Zone' },
    ['spec.internalTrafficPolicy: Unsupported value: "Zone": supported values: "Cluster", "Local"'],
  ],
  [
    'distribution',
    { ports: [http], trafficDistribution: 'Close' },
    [
      'spec.trafficDistribution: Unsupported value: "Close": supported values: "PreferClose", "PreferSameNode", "PreferSameZone"',
    ],
  ],
  [
    'source ranges',
    { type: 'LoadBalancer', ports: [http], loadBalancerSourceRanges: ['10.0.0.0'] },
    [
      'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
    ],
  ],
  [
    'source ranges elsewhere',
    { ports: [http], loadBalancerSourceRanges: ['10.0.0.0/8'] },
    ["spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'"],
  ],
  [
    'class elsewhere',
    { ports: [http], loadBalancerClass: 'x.io/y' },
    ["spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"],
  ],
  [
    'node ports switch elsewhere',
    { ports: [http], allocateLoadBalancerNodePorts: true },
    ["spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'"],
  ],
  [
    'health check port elsewhere',
    { type: 'NodePort', healthCheckNodePort: 31000, ports: [http] },
    [
      "spec.healthCheckNodePort: Invalid value: 31000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    ],
  ],
  [
    'external address',
    { ports: [http], externalIPs: ['127.0.0.1', 'x'] },
    [
      'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
      'spec.externalIPs[1]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
  ],
  ['external name', { type: 'ExternalName' }, ['spec.externalName: Required value']],
  [
    'external name with addresses',
    { type: 'ExternalName', externalName: 'a.b.', clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1'] },
    ['spec.clusterIPs: Forbidden: may not be set for ExternalName services'],
  ],
  [
    'cluster IP',
    { ports: [http], clusterIP: 'x' },
    ['spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  ],
  [
    'first cluster IP',
    { ports: [http], clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.2'] },
    ['spec.clusterIPs: Invalid value: ["10.96.0.2"]: first value must match `clusterIP`'],
  ],
  [
    'two of a family',
    { ports: [http], clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1', '10.96.0.2'] },
    ['spec.clusterIPs: Invalid value: ["10.96.0.1","10.96.0.2"]: may specify no more than one IP for each IP family'],
  ],
  [
    'family mismatch',
    { ports: [http], clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1'], ipFamilies: ['IPv6'] },
    ['spec.clusterIPs[0]: Invalid value: "10.96.0.1": expected an IPv6 value as indicated by `ipFamilies[0]`'],
  ],
  [
    'families',
    { ports: [http], ipFamilies: ['IPv4', 'IPv4'], ipFamilyPolicy: 'Both' },
    [
      'spec.ipFamilies[1]: Duplicate value: "IPv4"',
      'spec.ipFamilyPolicy: Unsupported value: "Both": supported values: "PreferDualStack", "RequireDualStack", "SingleStack"',
    ],
  ],
  [
    'kubelet port',
    { type: 'LoadBalancer', ports: [{ port: 10250 }] },
    ['spec.ports[0]: Invalid value: 10250: may not expose port 10250 externally since it is used by kubelet'],
  ],
]

for (const [name, spec, complaints] of bad)
  test(`a Service is refused: ${name}`, () => assert.deepEqual(judge('Service', service(spec)), complaints))

test('a Service is named by RFC 1035', () => {
  assert.deepEqual(judge('Service', service({ ports: [http] }, { name: '1web' })), [
    `metadata.name: Invalid value: "1web": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`,
  ])
})

const good: readonly [name: string, spec: object, expected: object][] = [
  [
    'ClusterIP',
    { ports: [http] },
    {
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      sessionAffinity: 'None',
      type: 'ClusterIP',
      internalTrafficPolicy: 'Cluster',
    },
  ],
  [
    'headless',
    { clusterIP: 'None' },
    {
      clusterIP: 'None',
      clusterIPs: ['None'],
      sessionAffinity: 'None',
      type: 'ClusterIP',
      internalTrafficPolicy: 'Cluster',
    },
  ],
  [
    'LoadBalancer',
    { type: 'LoadBalancer', ports: [{ port: 443, targetPort: 'https', nodePort: 30443 }] },
    {
      type: 'LoadBalancer',
      ports: [{ port: 443, targetPort: 'https', nodePort: 30443, protocol: 'TCP' }],
      sessionAffinity: 'None',
      externalTrafficPolicy: 'Cluster',
      internalTrafficPolicy: 'Cluster',
      allocateLoadBalancerNodePorts: true,
    },
  ],
  [
    'ExternalName',
    { type: 'ExternalName', externalName: 'db.example.com.' },
    {
      type: 'ExternalName',
      externalName: 'db.example.com.',
      sessionAffinity: 'None',
    },
  ],
  [
    'affinity',
    { ports: [http], sessionAffinity: 'ClientIP' },
    {
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
      type: 'ClusterIP',
      internalTrafficPolicy: 'Cluster',
    },
  ],
  [
    'TCP and UDP on one port',
    {
      type: 'NodePort',
      ports: [
        { name: 'a', port: 53, nodePort: 30053 },
        { name: 'b', port: 53, nodePort: 30053, protocol: 'UDP' },
      ],
    },
    {
      type: 'NodePort',
      ports: [
        { name: 'a', port: 53, nodePort: 30053, protocol: 'TCP', targetPort: 53 },
        { name: 'b', port: 53, nodePort: 30053, protocol: 'UDP', targetPort: 53 },
      ],
      sessionAffinity: 'None',
      externalTrafficPolicy: 'Cluster',
      internalTrafficPolicy: 'Cluster',
    },
  ],
]

for (const [name, spec, expected] of good)
  test(`a Service is completed: ${name}`, () => {
    const { object, complaints } = judged('Service', service(spec))
    assert.deepEqual(complaints, [])
    assert.deepEqual((object as Service).spec, expected)
  })

const stored = judged('Service', service({ ports: [http], ...allocated })).object as Service

const changes: readonly [name: string, spec: object, complaints: string[]][] = [
  [
    'another cluster IP',
    { ...stored.spec, clusterIP: '10.96.0.8', clusterIPs: ['10.96.0.8'] },
    ['spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set'],
  ],
  ['what the server allocated is kept when left out', { ports: [http] }, []],
  [
    'only clusterIP changed',
    { ...stored.spec, clusterIP: '10.96.0.8' },
    ['spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set'],
  ],
  [
    'second address added',
    {
      ...stored.spec,
      clusterIPs: ['10.96.0.7', 'fd00:96::7'],
      ipFamilies: ['IPv4', 'IPv6'],
      ipFamilyPolicy: 'PreferDualStack',
    },
    [],
  ],
  ['to ExternalName', { ...stored.spec, type: 'ExternalName', externalName: 'a.b' }, []],
  ['to NodePort', { ...stored.spec, type: 'NodePort' }, []],
]

for (const [name, spec, complaints] of changes)
  test(`a Service is updated: ${name}`, () => assert.deepEqual(judge('Service', service(spec), stored), complaints))

test('node ports are kept by port name and dropped with the type', () => {
  const old = judged('Service', service({ type: 'NodePort', ports: [{ name: 'a', port: 80, nodePort: 30080 }] })).object
  const kept = judged('Service', service({ type: 'NodePort', ports: [{ name: 'a', port: 8080 }] }), old)
    .object as Service
  assert.equal(kept.spec.ports?.[0]?.nodePort, 30080)
  const same = (old as Service).spec
  const dropped = judged('Service', service({ ...same, type: 'ClusterIP' }), old)
  assert.deepEqual(dropped.complaints, [])
  assert.equal((dropped.object as Service).spec.ports?.[0]?.nodePort, undefined)
  assert.equal((dropped.object as Service).spec.externalTrafficPolicy, undefined)
})

test('a change to SingleStack gives up the second address', () => {
  const dual = {
    ports: [http],
    clusterIP: '10.96.0.7',
    clusterIPs: ['10.96.0.7', 'fd00:96::7'],
    ipFamilies: ['IPv4', 'IPv6'],
    ipFamilyPolicy: 'PreferDualStack',
  }
  const old = judged('Service', service(dual)).object as Service
  const { object, complaints } = judged('Service', service({ ...old.spec, ipFamilyPolicy: 'SingleStack' }), old)
  assert.deepEqual(complaints, [])
  const { clusterIPs, ipFamilies } = (object as Service).spec
  assert.deepEqual({ clusterIPs, ipFamilies }, { clusterIPs: ['10.96.0.7'], ipFamilies: ['IPv4'] })
  assert.deepEqual(judge('Service', service({ ...dual, clusterIPs: ['10.96.0.7'], ipFamilies: ['IPv4'] }), old), [
    `spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to 'SingleStack' when releasing the secondary clusterIP`,
    `spec.ipFamilyPolicy: Invalid value: "PreferDualStack": must be set to 'SingleStack' when releasing the secondary ipFamily`,
  ])
})

test('load balancer status is for load balancers', () => {
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1', ipMode: 'VIP' }] } }
  assert.deepEqual(judge('Service', { ...stored, status }, stored, 'status'), [
    'status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is "LoadBalancer"',
  ])
})
