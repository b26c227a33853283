import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ConfigMaps,
  checkFields,
  Deployments,
  errors,
  type Kind,
  Leases,
  Nodes,
  Pods,
  Secrets,
  Services,
} from './index.ts'

const container = (more: object) => ({ spec: { containers: [{ name: 'a', ...more }] } })

const unknown: readonly [kind: Kind, object: object, unknown: string[]][] = [
  [Services, { spec: { foo: 1 } }, ['unknown field "spec.foo"']],
  [
    Services,
    { spec: { ports: [{ port: 1 }, { port: 2, nodeport: 3 }] }, extra: {} },
    ['unknown field "spec.ports[1].nodeport"', 'unknown field "extra"'],
  ],
  [Services, { metadata: { labels: { anything: 'goes' }, lables: {} } }, ['unknown field "metadata.lables"']],
  [
    Deployments,
    { spec: { template: { spec: { containers: [{ imagePullPolice: '' }] } } } },
    ['unknown field "spec.template.spec.containers[0].imagePullPolice"'],
  ],
  [Pods, { metadata: { managedFields: [{ fieldsV1: { 'f:spec': {} } }] } }, []],
]

for (const [kind, object, expected] of unknown)
  test(`fields of ${kind.kind} ${JSON.stringify(object)}`, () => {
    assert.deepEqual(checkFields(kind, object), { unknown: expected, typeErrors: [] })
  })

const cannot = (what: string, field: string, type: string) =>
  `json: cannot unmarshal ${what} into Go struct field ${field} of type ${type}`

const typeErrors: readonly [kind: Kind, object: object, message: string | undefined][] = [
  [Services, { spec: { ports: 'http' } }, cannot('string', 'ServiceSpec.spec.ports', '[]v1.ServicePort')],
  [Services, { spec: { ports: [{ port: '80' }] } }, cannot('string', 'ServicePort.spec.ports.port', 'int32')],
  [Services, { spec: { ports: [{ port: 80.5 }] } }, cannot('number 80.5', 'ServicePort.spec.ports.port', 'int32')],
  [
    Services,
    { spec: { ports: [{ port: 2 ** 31 }] } },
    cannot('number 2147483648', 'ServicePort.spec.ports.port', 'int32'),
  ],
  [Services, { spec: { ports: [{ targetPort: 'http' }, { targetPort: 80 }] } }, undefined],
  [Services, { spec: { ports: [{ targetPort: true }] } }, cannot('bool', 'ServicePort.spec.ports.targetPort', 'int32')],
  [Services, { spec: [] }, cannot('array', 'Service.spec', 'v1.ServiceSpec')],
  [Services, { spec: { selector: { app: 1 } } }, cannot('number', 'ServiceSpec.spec.selector', 'string')],
  [Services, { metadata: { labels: ['a'] } }, cannot('array', 'ObjectMeta.metadata.labels', 'map[string]string')],
  [Services, { metadata: null, spec: { ports: null, clusterIP: null } }, undefined],
  [Pods, container({ image: 1 }), cannot('number', 'Container.spec.containers.image', 'string')],
  [Pods, container({ resources: { limits: { cpu: 1, memory: '64Mi', disk: '1e3' } } }), undefined],
  [
    Pods,
    container({ resources: { limits: { cpu: 'lots' } } }),
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  ],
  [Pods, container({ resources: { limits: { cpu: '1KK' } } }), "unable to parse quantity's suffix"],
  [Pods, { spec: { hostNetwork: 'yes' } }, cannot('string', 'PodSpec.spec.hostNetwork', 'bool')],
  [Secrets, { data: { a: 'MQ==' } }, undefined],
  [Secrets, { data: { a: 'plain text' } }, 'illegal base64 data at input byte 5'],
  [ConfigMaps, { data: { port: 80 } }, cannot('number', 'ConfigMap.data', 'string')],
  [Nodes, { status: { capacity: { pods: '110' } } }, undefined],
  [Leases, { spec: { renewTime: '2024-05-01T10:00:00.123456Z' } }, undefined],
  [
    Leases,
    { spec: { renewTime: 'now' } },
    'parsing time "now" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "now" as "2006"',
  ],
]

for (const [kind, object, message] of typeErrors)
  test(`types of ${kind.kind} ${JSON.stringify(object)}`, () => {
    const check = checkFields(kind, object)
    assert.deepEqual(check.unknown, [])
    assert.equal(check.typeErrors[0]?.message, message)
  })

test('hostile objects are not answered at length', () => {
  const fields = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`f${index}`, 1]))
  const check = checkFields(Services, { spec: fields, metadata: { labels: fields } })
  assert.deepEqual([check.unknown.length, check.typeErrors.length], [100, 100])
})

test('refusals read as upstream writes them', () => {
  const { unknown } = checkFields(Services, { spec: { foo: 1, bar: 2 } })
  assert.equal(
    errors.undecodable('v1', 'Service', errors.strictDecodingError(unknown)).message,
    'Service in version "v1" cannot be handled as a Service: strict decoding error: unknown field "spec.foo", unknown field "spec.bar"',
  )
  assert.equal(
    errors.undecodable('apps/v1', 'Deployment', 'x').message,
    'Deployment in version "v1" cannot be handled as a Deployment: x',
  )
})
