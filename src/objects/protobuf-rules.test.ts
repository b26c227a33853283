import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeProtobuf, encodeProtobuf, ProtobufError } from './index.ts'

type Part = readonly [number: number, value: number | string | Buffer]

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]
}

/** A message of varints (numbers) and length-delimited values. */
function message(...parts: Part[]): Buffer {
  return Buffer.concat(
    parts.flatMap(([number, value]) => {
      if (typeof value === 'number') return [Buffer.from([...varint(number * 8), ...varint(value)])]
      const bytes = Buffer.from(value)
      return [Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]
    }),
  )
}

function envelope(apiVersion: string, kind: string, raw: Buffer, ...more: Part[]): Buffer {
  const type = message([1, apiVersion], [2, kind])
  return Buffer.concat([Buffer.from('k8s\0'), message([1, type], [2, raw], ...more)])
}

/** The object without apiVersion and kind. */
function read(apiVersion: string, kind: string, ...parts: Part[]): object {
  const { apiVersion: _, kind: __, ...rest } = decodeProtobuf(envelope(apiVersion, kind, message(...parts))).object
  return rest
}

const meta = message([1, 'n'])

test('what Go always writes and JSON leaves out when zero is left out; what it holds by pointer is kept', () => {
  const emptyMeta = message([1, 'n'], [2, ''], [7, 0], [8, Buffer.alloc(0)])
  assert.deepEqual(read('v1', 'Service', [1, emptyMeta], [2, message([3, ''], [7, ''])], [3, Buffer.alloc(0)]), {
    metadata: { name: 'n' },
  })
  // replicas is a pointer, minReadySeconds is not.
  assert.deepEqual(read('apps/v1', 'Deployment', [1, meta], [2, message([1, 0], [5, 0], [7, 0])]), {
    metadata: { name: 'n' },
    spec: { replicas: 0 },
  })
  // A port that is required stays, so that validation names it.
  assert.deepEqual(read('v1', 'Service', [2, message([1, message([1, ''], [3, 0])])]), {
    spec: { ports: [{ port: 0 }] },
  })
  assert.deepEqual(read('v1', 'Pod', [2, message([1, message([1, 'v'], [2, message([2, Buffer.alloc(0)])])])]), {
    spec: { volumes: [{ name: 'v', emptyDir: {} }] },
  })
  assert.deepEqual(read('v1', 'ConfigMap', [4, 0]), { immutable: false })
})

test('forms of their own: int or string, quantity, times, base64, raw JSON, lists in maps', () => {
  const port = (...parts: Part[]) =>
    read('v1', 'Service', [2, message([1, message([3, 1], [4, message(...parts)])])]) as {
      spec: { ports: [{ targetPort?: unknown }] }
    }
  assert.equal(port([1, 0], [2, 8080], [3, '']).spec.ports[0].targetPort, 8080)
  assert.equal(port([1, 1], [2, 0], [3, 'http']).spec.ports[0].targetPort, 'http')
  assert.equal('targetPort' in port([1, 0], [2, 0], [3, '']).spec.ports[0], false)
  assert.deepEqual(read('policy/v1', 'PodDisruptionBudget', [2, message([3, message([1, 0], [2, 0], [3, ''])])]), {
    spec: { maxUnavailable: 0 },
  })
  const quota = message([1, message([1, 'cpu'], [2, message([1, '500m'])])], [1, message([1, 'pods'])])
  assert.deepEqual(read('v1', 'ResourceQuota', [2, quota]), { spec: { hard: { cpu: '500m', pods: '0' } } })
  const lease = message([4, message([1, 1700000000], [2, 123456789])], [3, Buffer.alloc(0)])
  assert.deepEqual(read('coordination.k8s.io/v1', 'Lease', [2, lease]), {
    spec: { renewTime: '2023-11-14T22:13:20.123456Z' },
  })
  const time = (...parts: Part[]) => read('v1', 'Pod', [1, message([8, message(...parts)])])
  assert.deepEqual(time([1, 1700000000], [2, 5]), { metadata: { creationTimestamp: '2023-11-14T22:13:20Z' } })
  assert.deepEqual(time(), {})
  assert.deepEqual(time([1, 0], [2, 0]), {})
  assert.throws(() => time([1, 1e12]), ProtobufError)
  assert.deepEqual(read('v1', 'Secret', [2, message([1, 'k'], [2, Buffer.from([0, 255])])], [2, message([1, 'e'])]), {
    data: { k: 'AP8=', e: '' },
  })
  const nested = envelope('v1', 'ConfigMap', message([1, meta]))
  assert.deepEqual(read('apps/v1', 'ControllerRevision', [2, message([1, '{"a":[1]}'])], [3, 1]), {
    data: { a: [1] },
    revision: 1,
  })
  assert.deepEqual(read('apps/v1', 'ControllerRevision', [2, message([1, nested])]), {
    data: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'n' } },
  })
  const user = message([4, message([1, 'k'], [2, message([1, 'a'], [1, 'b'])])])
  assert.deepEqual(read('authentication.k8s.io/v1', 'TokenReview', [3, message([2, user])]), {
    status: { user: { extra: { k: ['a', 'b'] } } },
  })
})

test('a CustomResourceDefinition keeps what its schemas say', () => {
  const schema = {
    type: 'object',
    additionalProperties: false,
    'x-kubernetes-preserve-unknown-fields': true,
    'x-kubernetes-validations': [{ rule: 'self > 0', reason: 'FieldValueInvalid' }],
    properties: {
      size: { type: 'integer', minimum: 0, maxLength: 0, default: 0, enum: [0, 'a', { b: 1 }] },
      list: { type: 'array', items: { type: 'string', default: { a: [false] } } },
      map: { type: 'object', additionalProperties: { $ref: '#/x' }, dependencies: { a: ['b'], c: { type: 'string' } } },
      many: { items: [{ type: 'string' }, { type: 'number', multipleOf: 0.5 }], additionalItems: true },
    },
  }
  const version = {
    name: 'v1',
    served: true,
    storage: false,
    schema: { openAPIV3Schema: schema },
    subresources: { status: {}, scale: { specReplicasPath: '.a', statusReplicasPath: '.b' } },
    selectableFields: [{ jsonPath: '.spec.a' }],
  }
  const object = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.com' },
    spec: { group: 'example.com', scope: 'Cluster', names: { plural: 'things', kind: 'Thing' }, versions: [version] },
  }
  assert.deepEqual(decodeProtobuf(encodeProtobuf(object)).object, object)
})

test('protobuf rules: unknown fields are passed over, the last value wins, messages merge, numbers may be packed', () => {
  assert.deepEqual(read('v1', 'ConfigMap', [1, meta], [99, 'later'], [98, 7]), { metadata: { name: 'n' } })
  assert.deepEqual(read('v1', 'ConfigMap', [1, meta], [1, message([1, 'm'], [3, 's'])]), {
    metadata: { name: 'm', namespace: 's' },
  })
  const job = (codes: Part[]) =>
    read('batch/v1', 'Job', [2, message([11, message([1, message([2, message([2, 'In'], ...codes)])])])])
  assert.deepEqual(
    job([[3, Buffer.from([1, ...varint(300)])]]),
    job([
      [3, 1],
      [3, 300],
    ]),
  )
})

test('malformed bodies are refused with a reason', () => {
  const deep = (levels: number): Buffer => (levels === 0 ? Buffer.alloc(0) : message([2, deep(levels - 1)]))
  const extensions = (levels: number): Buffer =>
    envelope('apps/v1', 'ControllerRevision', levels === 0 ? meta : message([2, message([1, extensions(levels - 1)])]))
  const cases: [Buffer, RegExp][] = [
    [Buffer.alloc(0), /does not start with/],
    [Buffer.from('{"kind":"Pod"}'), /does not start with/],
    [Buffer.from('k8s\0'), /'Kind' is missing/],
    [envelope('', 'Pod', meta), /'apiVersion' is missing/],
    [envelope('v1', 'Pod', meta, [3, 'gzip']), /content encoding "gzip"/],
    [envelope('v1', 'Pod', meta, [4, 'application/json']), /content type "application\/json"/],
    [envelope('v1', 'Pod', Buffer.from([10, 200])), /unexpected EOF/],
    [envelope('v1', 'Pod', Buffer.from([10])), /unexpected EOF/],
    [envelope('v1', 'Pod', message([1, 5])), /wrong wireType = 0 for field metadata of core.v1.Pod/],
    [envelope('v1', 'Pod', Buffer.from([0, 0])), /illegal tag/],
    [envelope('v1', 'Pod', Buffer.from([0x9b, 6])), /illegal wireType 3/],
    [envelope('v1', 'Pod', Buffer.alloc(20, 255)), /integer overflow/],
    [envelope('v1', 'ConfigMap', message([2, message([1, '__proto__'], [2, 'x'])])), /__proto__/],
    [envelope('apps/v1', 'ControllerRevision', message([2, message([1, '{'])])), /embedded JSON/],
    [extensions(30), /nested more than 10/],
    [envelope('v1', 'Pod', Buffer.alloc(2_100_000, message([15, 0]))), /too many fields/],
  ]
  for (const [bytes, pattern] of cases)
    assert.throws(
      () => decodeProtobuf(bytes),
      (error: unknown) => error instanceof ProtobufError && error.reason === 'malformed' && pattern.test(error.message),
      String(pattern),
    )
  assert.throws(() => decodeProtobuf(envelope('example.com/v1', 'Thing', deep(3))), { reason: 'unknown-kind' })
})

test('what has no number or no form is not written', () => {
  const head = { apiVersion: 'v1', kind: 'ConfigMap' }
  assert.throws(() => encodeProtobuf({ ...head, dota: {} }), /no field number of core.v1.ConfigMap.dota/)
  assert.throws(() => encodeProtobuf({ ...head, data: ['x'] }), /core.v1.ConfigMap.data: \["x"\] has no protobuf form/)
  assert.throws(() => encodeProtobuf({ ...head, immutable: 'yes' }), /has no protobuf form/)
  assert.throws(() => encodeProtobuf({ ...head, metadata: { creationTimestamp: 'noon' } }), /"noon" is not a time/)
  assert.throws(() => encodeProtobuf({ apiVersion: 'example.com/v1', kind: 'Thing' }), { reason: 'unknown-kind' })
})
