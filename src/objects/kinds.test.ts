import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiVersionOf, findKind, findKindOf, getKind, kinds, Pods, Services, schemaOf } from './index.ts'

test('every kind is found by path, by apiVersion and by name', () => {
  for (const kind of kinds) {
    assert.equal(findKind(kind.group, kind.version, kind.plural), kind)
    assert.equal(findKindOf(apiVersionOf(kind), kind.kind), kind)
    assert.equal(getKind(kind.kind), kind.stored?.kind ?? kind)
  }
  assert.equal(findKind('', 'v1', 'gateways'), undefined)
  assert.equal(findKindOf('apps/v1', 'Pod'), undefined)
  assert.throws(() => getKind('Gateway'), /no built-in kind is called "Gateway"/)
})

test('names and short names are unique', () => {
  const names = kinds
    .filter(({ stored }) => stored === undefined)
    .flatMap((kind) => [...new Set([kind.plural, kind.singular, ...kind.shortNames])])
  assert.equal(new Set(names).size, names.length)
})

test('every kind has a schema, and a scope that its schema knows', () => {
  for (const kind of kinds) {
    const schema = schemaOf(kind)
    assert.ok(schema?.properties.has('metadata'), kind.kind)
    if (kind.subresources.includes('status')) assert.ok(schema?.properties.has('status'), kind.kind)
  }
})

test('`kubectl get all` shows what upstream shows', () => {
  const all = kinds.filter((kind) => kind.categories.includes('all')).map((kind) => kind.plural)
  assert.deepEqual([...new Set(all)].sort(), [
    'cronjobs',
    'daemonsets',
    'deployments',
    'horizontalpodautoscalers',
    'jobs',
    'pods',
    'replicasets',
    'replicationcontrollers',
    'services',
    'statefulsets',
  ])
})

test('fields are selectable on the barest object', () => {
  for (const kind of kinds)
    for (const [field, read] of Object.entries(kind.selectableFields)) {
      const bare = { apiVersion: '', kind: kind.kind, metadata: { name: 'x' }, spec: {} }
      assert.equal(typeof read(bare), 'string', `${kind.kind} ${field}`)
    }
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec: { containers: [], nodeName: 'n1' } }
  assert.equal(Pods.selectableFields['spec.nodeName']?.(pod), 'n1')
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'x' }, spec: { type: 'NodePort' } }
  assert.equal(Services.selectableFields['spec.type']?.(service), 'NodePort')
})
