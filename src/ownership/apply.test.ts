import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scene } from './scene.fixture.ts'

const maps = () => new Scene('v1', 'ConfigMap')
const services = () => new Scene('v1', 'Service')
const deployments = () => new Scene('apps/v1', 'Deployment')
const pod = (spec: object, more: object = {}) => ({ spec: { ...more, template: { spec } } })

test('an applier owns what it specifies, and its value wins nothing against itself', () => {
  const scene = maps()
  scene.applied('a', { data: { x: '1' } })
  assert.deepEqual(scene.owners, { a: { 'f:data': { 'f:x': {} } } })
  scene.applied('a', { data: { x: '2' } })
  assert.deepEqual(scene.fields, { data: { x: '2' } })
})

test('another value of a field that someone owns is a conflict; force takes the field over', () => {
  const scene = maps()
  scene.applied('a', { data: { x: '1', y: '1' } })
  assert.deepEqual(scene.apply('b', { data: { x: '2', z: '1' } }), {
    outcome: 'conflicts',
    conflicts: [{ field: '.data.x', manager: '"a"' }],
  })
  scene.applied('b', { data: { x: '2', z: '1' } }, { force: true })
  assert.deepEqual(scene.fields, { data: { x: '2', y: '1', z: '1' } })
  assert.deepEqual(scene.owners, { a: { 'f:data': { 'f:y': {} } }, b: { 'f:data': { 'f:x': {}, 'f:z': {} } } })
})

test('the same value is shared: the field goes when the last of its owners leaves it out', () => {
  const scene = maps()
  scene.applied('a', { data: { x: '1' } })
  scene.applied('b', { data: { x: '1' } })
  scene.applied('a', {})
  assert.deepEqual(scene.fields, { data: { x: '1' } })
  assert.deepEqual(scene.owners, { b: { 'f:data': { 'f:x': {} } } })
  scene.applied('b', {})
  assert.deepEqual(scene.fields, {})
  assert.deepEqual(scene.managedFields, [])
})

test('a plain write owns what it adds or changes, takes it from others, and never conflicts', () => {
  const scene = maps()
  scene.update('creator', { data: { x: '1', y: '1' } })
  assert.deepEqual(scene.owners, { creator: { 'f:data': { '.': {}, 'f:x': {}, 'f:y': {} } } })
  scene.update('editor', { data: { x: '2', y: '1' } })
  assert.deepEqual(scene.owners, {
    creator: { 'f:data': { '.': {}, 'f:y': {} } },
    editor: { 'f:data': { 'f:x': {} } },
  })
  const conflict = scene.apply('applier', { data: { x: '3' } })
  assert.deepEqual(conflict, {
    outcome: 'conflicts',
    conflicts: [{ field: '.data.x', manager: '"editor" using v1' }],
  })
  scene.update('editor', { data: { x: '2' } })
  assert.deepEqual(scene.owners.creator, { 'f:data': {} })
})

test('a field that an applier gave up stays when a plain writer owns it', () => {
  const scene = deployments()
  scene.applied('me', { spec: { replicas: 3, minReadySeconds: 1 } })
  scene.update('autoscaler', { spec: { replicas: 5, minReadySeconds: 1 } })
  scene.applied('me', { spec: { minReadySeconds: 1 } })
  assert.deepEqual(scene.fields.spec, { replicas: 5, minReadySeconds: 1 })
  scene.applied('me', { spec: {} })
  assert.equal(scene.fields.spec.minReadySeconds, undefined)
})

test('a field that nobody owns, such as a default, is not removed with what is applied around it', () => {
  const scene = deployments()
  scene.applied('me', pod({ containers: [{ name: 'c', image: 'a' }] }))
  const live = JSON.parse(JSON.stringify(scene.live))
  live.spec.template.spec.restartPolicy = 'Always'
  live.spec.template.spec.containers[0].imagePullPolicy = 'Always'
  scene.live = live
  scene.applied('me', pod({ containers: [{ name: 'd', image: 'a' }] }))
  assert.deepEqual(scene.fields.spec.template.spec, {
    containers: [{ name: 'd', image: 'a' }],
    restartPolicy: 'Always',
  })
})

test('items of a list map belong to whoever applies them, by their keys; protocol is TCP when left out', () => {
  const scene = services()
  scene.applied('a', { spec: { ports: [{ port: 80, name: 'http' }] } })
  scene.applied('b', { spec: { ports: [{ port: 80, protocol: 'UDP', name: 'quic' }] } })
  assert.deepEqual(
    scene.fields.spec.ports.map(({ name }: { name: string }) => name),
    ['http', 'quic'],
  )
  const clash = scene.apply('b', { spec: { ports: [{ port: 80, protocol: 'TCP', name: 'web' }] } })
  assert.deepEqual(clash.outcome === 'conflicts' && clash.conflicts, [
    { field: '.spec.ports[port=80,protocol="TCP"].name', manager: '"a"' },
  ])
  scene.applied('a', { spec: { ports: [{ port: 443, name: 'https' }] } })
  assert.deepEqual(
    scene.fields.spec.ports.map(({ name }: { name: string }) => name),
    ['quic', 'https'],
  )
})

test('sets are merged by value', () => {
  const scene = maps()
  const finalizers = (...items: string[]) => ({ metadata: { finalizers: items } })
  scene.applied('a', finalizers('x/1', 'x/2'))
  scene.applied('b', finalizers('x/2', 'x/3'))
  assert.deepEqual(scene.fields.metadata.finalizers, ['x/1', 'x/2', 'x/3'])
  scene.applied('a', finalizers('x/1'))
  assert.deepEqual(scene.fields.metadata.finalizers, ['x/1', 'x/2', 'x/3'])
  scene.applied('b', finalizers('x/3'))
  assert.deepEqual(scene.fields.metadata.finalizers, ['x/1', 'x/3'])
})

test('atomic lists, maps and structs are owned and replaced as one piece', () => {
  const scene = services()
  scene.applied('a', { spec: { selector: { app: 'a', tier: 'b' }, externalIPs: ['1.2.3.4', '1.2.3.5'] } })
  assert.deepEqual(scene.owners.a, { 'f:spec': { 'f:externalIPs': {}, 'f:selector': {} } })
  const clash = scene.apply('b', { spec: { selector: { app: 'a' }, externalIPs: ['1.2.3.4'] } })
  assert.deepEqual(clash.outcome === 'conflicts' && clash.conflicts.map(({ field }) => field), [
    '.spec.externalIPs',
    '.spec.selector',
  ])
  scene.applied('a', { spec: { selector: { app: 'a' } } })
  assert.deepEqual(scene.fields.spec, { selector: { app: 'a' } })
})

test('the order of a list: as live where it is not touched, as applied where it is', () => {
  const rows: [string, string, string][] = [
    ['abc', 'b', 'abc'],
    ['abc', 'cba', 'cba'],
    ['ab', 'x', 'abx'],
    ['abc', 'xb', 'axbc'],
    ['abcd', 'db', 'acdb'],
    ['', 'ab', 'ab'],
  ]
  for (const [live, applied, expected] of rows) {
    const scene = deployments()
    const containers = (names: string) => pod({ containers: [...names].map((name) => ({ name, image: 'i' })) })
    scene.update('other', containers(live))
    scene.applied('me', containers(applied))
    const names = scene.fields.spec.template.spec.containers.map(({ name }: { name: string }) => name).join('')
    assert.equal(names, expected, `${live} with ${applied}`)
  }
})

test('configurations that make no sense are refused in upstream words', () => {
  const rows: [object, string][] = [
    [
      pod({ containers: [{ name: 'c' }, { name: 'c' }] }),
      '.spec.template.spec.containers: duplicate entries for key [name="c"]',
    ],
    [
      pod({ containers: [{ image: 'c' }] }),
      `.spec.template.spec.containers: element 0: associative list with keys has an element that omits key field "name" (and doesn't have default value)`,
    ],
    [{ spec: { replica: 1 } }, '.spec.replica: field not declared in schema'],
    [
      { metadata: { finalizers: ['a', 'a'] }, spec: { foo: 1 } },
      'errors:\n  .metadata.finalizers: duplicate entries for key [="a"]\n  .spec.foo: field not declared in schema',
    ],
  ]
  for (const [fields, text] of rows)
    assert.deepEqual(deployments().apply('me', fields), {
      outcome: 'refused',
      why: `failed to create typed patch object (/x; apps/v1, Kind=Deployment): ${text}`,
    })
  assert.deepEqual(maps().apply('me', { metadata: { managedFields: [] } }), {
    outcome: 'refused',
    why: 'metadata.managedFields must be nil',
  })
})

test('live lists that hold an item twice are whole until somebody applies the item', () => {
  const scene = deployments()
  const env = (...items: object[]) => pod({ containers: [{ name: 'c', env: items }] })
  scene.update('creator', env({ name: 'A', value: '1' }, { name: 'A', value: '2' }, { name: 'B', value: '1' }))
  scene.applied('me', env({ name: 'C', value: '1' }))
  assert.equal(scene.fields.spec.template.spec.containers[0].env.length, 4)
  scene.applied('me', env({ name: 'A', value: '3' }), { force: true })
  assert.deepEqual(scene.fields.spec.template.spec.containers[0].env, [
    { name: 'A', value: '3' },
    { name: 'B', value: '1' },
  ])
})

test('null and empty values are owned; null empties the field', () => {
  const scene = deployments()
  scene.applied('me', {
    metadata: { labels: {} },
    ...pod({ volumes: [{ name: 'v', emptyDir: {} }] }, { replicas: null }),
  })
  assert.deepEqual(scene.owners.me, {
    'f:metadata': { 'f:labels': {} },
    'f:spec': {
      'f:replicas': {},
      'f:template': { 'f:spec': { 'f:volumes': { 'k:{"name":"v"}': { '.': {}, 'f:emptyDir': {}, 'f:name': {} } } } },
    },
  })
})

test('custom kinds have no schema: maps are merged, lists are one piece', () => {
  const scene = new Scene('example.com/v1', 'Widget')
  scene.applied('a', { spec: { size: { w: 1 }, list: [1, 2] } })
  scene.applied('b', { spec: { size: { h: 2 } } })
  assert.deepEqual(scene.fields, { spec: { size: { w: 1, h: 2 }, list: [1, 2] } })
  assert.equal(scene.apply('b', { spec: { list: [1] } }).outcome, 'conflicts')
  scene.applied('a', { spec: { list: [2] } })
  assert.deepEqual(scene.fields, { spec: { size: { h: 2 }, list: [2] } })
  scene.update('c', { spec: { size: 'large', list: [2] } })
  assert.deepEqual(scene.fields.spec.size, 'large')
  assert.equal('b' in scene.owners && JSON.stringify(scene.owners.b).includes('f:h'), false)
})

test('an apply that changes nothing keeps its time', () => {
  const scene = maps()
  scene.applied('a', { data: { x: '1' } })
  const before = scene.managedFields
  scene.applied('a', { data: { x: '1' } })
  assert.deepEqual(scene.managedFields, before)
})

test('custom kinds with a structural schema: list types, map types and undeclared fields', () => {
  const text = { type: 'string' }
  const rule = { type: 'object', properties: { name: text, proto: { ...text, default: 'tcp' }, to: text } }
  const schema = {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          rules: {
            type: 'array',
            items: rule,
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['name', 'proto'],
          },
          tags: { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
          whole: { type: 'object', additionalProperties: text, 'x-kubernetes-map-type': 'atomic' },
          free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        },
      },
    },
  }
  const scene = new Scene('example.com/v1', 'Widget', schema)
  scene.applied('a', { spec: { rules: [{ name: 'r', to: 'x' }], tags: ['1'], whole: { a: '1' }, free: { a: 1 } } })
  scene.applied('b', { spec: { rules: [{ name: 's', proto: 'udp' }], tags: ['2'], free: { b: { c: 1 } } } })
  assert.deepEqual(scene.fields.spec, {
    rules: [
      { name: 'r', to: 'x' },
      { name: 's', proto: 'udp' },
    ],
    tags: ['1', '2'],
    whole: { a: '1' },
    free: { a: 1, b: { c: 1 } },
  })
  const clash = scene.apply('b', { spec: { rules: [{ name: 'r', proto: 'tcp', to: 'y' }], whole: { b: '1' } } })
  assert.deepEqual(clash.outcome === 'conflicts' && clash.conflicts.map(({ field }) => field), [
    '.spec.rules[name="r",proto="tcp"].to',
    '.spec.whole',
  ])
  const refused = scene.apply('b', { spec: { rule: 1 } })
  assert.match(refused.outcome === 'refused' ? refused.why : '', /: \.spec\.rule: field not declared in schema$/)
})
