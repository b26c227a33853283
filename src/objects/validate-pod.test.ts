import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge, judged } from './judge.fixture.ts'
import type { Pod } from './types.ts'

const pod = (spec: object) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec })
const container = { name: 'main', image: 'nginx:1.27' }
const one = (more: object) => ({ containers: [{ ...container, ...more }] })

const bad: readonly [name: string, spec: object, complaints: string[]][] = [
  ['no containers', {}, ['spec.containers: Required value']],
  ['no image', { containers: [{ name: 'a' }] }, ['spec.containers[0].image: Required value']],
  ['no container name', { containers: [{ image: 'a' }] }, ['spec.containers[0].name: Required value']],
  ['container twice', { containers: [container, container] }, ['spec.containers[1].name: Duplicate value: "main"']],
  [
    'image with a space',
    one({ image: ' nginx' }),
    ['spec.containers[0].image: Invalid value: " nginx": must not have leading or trailing whitespace'],
  ],
  [
    'pull policy',
    one({ imagePullPolicy: 'Sometimes' }),
    [
      'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
    ],
  ],
  [
    'port number',
    one({ ports: [{ containerPort: 0 }, { containerPort: 65536 }] }),
    [
      'spec.containers[0].ports[0].containerPort: Required value',
      'spec.containers[0].ports[1].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive',
    ],
  ],
  [
    'port name',
    one({ ports: [{ containerPort: 80, name: 'a-very-long-port-name' }] }),
    ['spec.containers[0].ports[0].name: Invalid value: "a-very-long-port-name": must be no more than 15 bytes'],
  ],
  [
    'port name twice',
    one({
      ports: [
        { containerPort: 80, name: 'web' },
        { containerPort: 81, name: 'web' },
      ],
    }),
    ['spec.containers[0].ports[1].name: Duplicate value: "web"'],
  ],
  [
    'host port twice',
    one({
      ports: [
        { containerPort: 80, hostPort: 80 },
        { containerPort: 81, hostPort: 80 },
      ],
    }),
    ['spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"'],
  ],
  [
    'env name',
    one({ env: [{ name: 'A=B' }] }),
    [
      `spec.containers[0].env[0].name: Invalid value: "A=B": a valid environment variable name must consist only of printable ASCII characters other than '=' (regex used for validation is '^[ -<>-~]+$')`,
    ],
  ],
  [
    'env source',
    one({
      env: [
        { name: 'A', valueFrom: {} },
        { name: 'B', valueFrom: { fieldRef: { fieldPath: 'status.phase' } } },
      ],
    }),
    [
      'spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`',
      'spec.containers[0].env[1].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
    ],
  ],
  [
    'probe without handler',
    one({ livenessProbe: {} }),
    ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
  ],
  [
    'probe with two',
    one({ readinessProbe: { httpGet: { port: 80 }, tcpSocket: { port: 80 } } }),
    ['spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type'],
  ],
  [
    'liveness threshold',
    one({ livenessProbe: { tcpSocket: { port: 80 }, successThreshold: 2 } }),
    ['spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1'],
  ],
  [
    'probe port',
    one({ readinessProbe: { httpGet: { port: 'x--y' }, periodSeconds: -1 } }),
    [
      'spec.containers[0].readinessProbe.httpGet.port: Invalid value: "x--y": must not contain consecutive hyphens',
      'spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0',
    ],
  ],
  [
    'mount of nothing',
    one({ volumeMounts: [{ name: 'data', mountPath: '/data' }] }),
    ['spec.containers[0].volumeMounts[0].name: Not found: "data"'],
  ],
  [
    'request above limit',
    one({ resources: { limits: { cpu: '500m' }, requests: { cpu: 1 } } }),
    ['spec.containers[0].resources.requests: Invalid value: "1": must be less than or equal to cpu limit of 500m'],
  ],
  [
    'restart policy',
    { ...one({}), restartPolicy: 'Sometimes' },
    ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"'],
  ],
  [
    'dns policy',
    { ...one({}), dnsPolicy: 'Mine' },
    [
      'spec.dnsPolicy: Unsupported value: "Mine": supported values: "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"',
    ],
  ],
  [
    'dns policy None',
    { ...one({}), dnsPolicy: 'None' },
    ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None'],
  ],
  [
    'nameservers',
    { ...one({}), dnsConfig: { nameservers: ['1.1.1.1', '1.1.1.2', '1.1.1.3', 'x'] } },
    [
      'spec.dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.2","1.1.1.3","x"]: must not have more than 3 nameservers',
      'spec.dnsConfig.nameservers[3]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
  ],
  [
    'search paths',
    { ...one({}), dnsConfig: { searches: ['_sip._tcp.abc_d.example.com', '.', 'a.', 'A_b'] } },
    [
      "spec.dnsConfig.searches[3]: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')",
    ],
  ],
  [
    'hook on an init container',
    { ...one({}), initContainers: [{ name: 'i', image: 'a', readinessProbe: { tcpSocket: { port: 1 } } }] },
    [
      'spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
    ],
  ],
  [
    'volume twice',
    { ...one({}), volumes: [{ name: 'a' }, { name: 'a', emptyDir: {}, hostPath: { path: '/' } }] },
    [
      'spec.volumes[1].name: Duplicate value: "a"',
      'spec.volumes[1].hostPath: Forbidden: may not specify more than 1 volume type',
    ],
  ],
]

for (const [name, spec, complaints] of bad)
  test(`a Pod is refused: ${name}`, () => assert.deepEqual(judge('Pod', pod(spec)), complaints))

test('a Pod is completed', () => {
  const { object, complaints } = judged(
    'Pod',
    pod(one({ ports: [{ containerPort: 80 }], livenessProbe: { httpGet: { port: 80 } } })),
  )
  assert.deepEqual(complaints, [])
  assert.deepEqual((object as Pod).spec, {
    containers: [
      {
        ...container,
        ports: [{ containerPort: 80, protocol: 'TCP' }],
        livenessProbe: {
          httpGet: { port: 80, path: '/', scheme: 'HTTP' },
          timeoutSeconds: 1,
          periodSeconds: 10,
          successThreshold: 1,
          failureThreshold: 3,
        },
        imagePullPolicy: 'IfNotPresent',
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        resources: {},
      },
    ],
    enableServiceLinks: true,
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
    schedulerName: 'default-scheduler',
  })
  assert.deepEqual((object as Pod).status, { phase: 'Pending', qosClass: 'BestEffort' })
  assert.equal(object.metadata.generation, 1)
})

const classes: readonly [resources: object[], qosClass: string][] = [
  [[{}], 'BestEffort'],
  [[{ requests: { cpu: '1' } }], 'Burstable'],
  [[{ limits: { cpu: '1', memory: '1Gi' } }], 'Guaranteed'],
  [[{ limits: { cpu: '1', memory: '1Gi' } }, {}], 'Burstable'],
]

for (const [resources, qosClass] of classes)
  test(`resources ${JSON.stringify(resources)} make a ${qosClass} pod`, () => {
    const containers = resources.map((item, index) => ({ name: `c${index}`, image: 'a', resources: item }))
    assert.equal((judged('Pod', pod({ containers })).object as Pod).status?.qosClass, qosClass)
  })

const images: readonly [image: string, policy: string][] = [
  ['nginx', 'Always'],
  ['nginx:latest', 'Always'],
  ['nginx:1', 'IfNotPresent'],
  ['registry:5000/nginx', 'Always'],
  ['nginx@sha256:00', 'IfNotPresent'],
]

for (const [image, policy] of images)
  test(`image ${image} is pulled ${policy}`, () => {
    const { spec } = judged('Pod', pod(one({ image }))).object as Pod
    assert.equal((spec.containers[0] as { imagePullPolicy?: string }).imagePullPolicy, policy)
  })

const stored = judged('Pod', pod(one({}))).object as Pod

test('the image of a Pod may change', () => assert.deepEqual(judge('Pod', pod(one({ image: 'nginx:2' })), stored), []))

test('nothing else of a Pod may change', () => {
  const message =
    'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'
  assert.deepEqual(judge('Pod', pod({ ...one({}), nodeName: 'n1' }), stored), [message])
})

test('a binding sets the node', () => {
  assert.deepEqual(judge('Pod', pod({ ...one({}), nodeName: 'n1' }), stored, 'binding'), [])
})

test('containers may not come or go', () => {
  assert.deepEqual(judge('Pod', pod({ containers: [container, { name: 'b', image: 'b' }] }), stored), [
    'spec.containers: Forbidden: pod updates may not add or remove containers',
  ])
})

test('a gated pod says so; its gates may go, and until then its node selector may grow', () => {
  const gated = (names: string[], nodeSelector = {}) =>
    pod({ ...one({}), schedulingGates: names.map((name) => ({ name })), nodeSelector })
  const { object } = judged('Pod', gated(['a.b/c', 'd'], { x: '1' }))
  assert.equal((object as Pod).status?.conditions?.[0]?.reason, 'SchedulingGated')
  assert.deepEqual(judge('Pod', gated(['d'], { x: '1', y: '2' }), object), [])
  assert.deepEqual(judge('Pod', gated(['d', 'e'], { y: '2' }), object), [
    "spec.schedulingGates: Forbidden: only deletion is allowed, but found new scheduling gate 'e'",
    'spec.nodeSelector: Invalid value: {"y":"2"}: only additions are allowed (no mutations or deletions)',
  ])
})

test('sources of volumes are named', () => {
  const volumes = [
    { name: 'a', configMap: {} },
    { name: 'b', secret: {} },
    { name: 'c', persistentVolumeClaim: {} },
  ]
  assert.deepEqual(judge('Pod', pod({ ...one({}), volumes })), [
    'spec.volumes[0].configMap.name: Required value',
    'spec.volumes[1].secret.secretName: Required value',
    'spec.volumes[2].persistentVolumeClaim.claimName: Required value',
  ])
})
