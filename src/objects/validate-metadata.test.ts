import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge } from './judge.fixture.ts'

const map = (metadata: object) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata })
const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: '1' }
const qualified =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

const cases: readonly [name: string, metadata: object, complaints: string[]][] = [
  ['no name', {}, ['metadata.name: Required value: name or generateName is required']],
  [
    'upper case',
    { name: 'Web' },
    [
      `metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
    ],
  ],
  [
    'long name',
    { name: 'a'.repeat(254) },
    [`metadata.name: Invalid value: "${'a'.repeat(254)}": must be no more than 253 bytes`],
  ],
  ['generated', { name: 'web-x7k2p', generateName: 'web-' }, []],
  [
    'label key',
    { name: 'a', labels: { 'a b': 'c' } },
    [`metadata.labels: Invalid value: "a b": name part ${qualified}`],
  ],
  [
    'label key with two slashes',
    { name: 'a', labels: { 'a/b/c': 'd' } },
    [
      `metadata.labels: Invalid value: "a/b/c": a qualified name ${qualified} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ],
  ],
  [
    'label value',
    { name: 'a', labels: { a: 'x'.repeat(64) } },
    [`metadata.labels: Invalid value: "${'x'.repeat(64)}": must be no more than 63 bytes`],
  ],
  [
    'annotation size',
    { name: 'a', annotations: { a: 'x'.repeat(262145) } },
    ['metadata.annotations: Too long: may not be more than 262144 bytes'],
  ],
  ['annotation key may be upper case', { name: 'a', annotations: { 'Example.COM/A': '' } }, []],
  [
    'finalizer',
    { name: 'a', finalizers: ['mine'] },
    ['metadata.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified'],
  ],
  [
    'owner',
    { name: 'a', ownerReferences: [{ ...owner, uid: '' }] },
    ['metadata.ownerReferences.uid: Invalid value: "": must not be empty'],
  ],
  [
    'two controllers',
    {
      name: 'a',
      ownerReferences: [
        { ...owner, controller: true },
        { ...owner, name: 'q', controller: true },
      ],
    },
    [
      'metadata.ownerReferences: Invalid value: [{"apiVersion":"v1","kind":"Pod","name":"p","uid":"1","controller":true},{"apiVersion":"v1","kind":"Pod","name":"q","uid":"1","controller":true}]: Only one reference can have Controller set to true. Found "true" in references for Pod/p and Pod/q',
    ],
  ],
]

for (const [name, metadata, complaints] of cases)
  test(`metadata: ${name}`, () => assert.deepEqual(judge('ConfigMap', map(metadata)), complaints))

const old = map({ name: 'a', namespace: 'default', uid: '1', creationTimestamp: '2024-01-01T00:00:00Z' })

test('system fields are kept when an update leaves them out', () => {
  assert.deepEqual(judge('ConfigMap', map({ name: 'a' }), old), [])
})

test('system fields may not change', () => {
  assert.deepEqual(judge('ConfigMap', map({ name: 'b', uid: '2' }), old), [
    'metadata.name: Invalid value: "b": field is immutable',
    'metadata.uid: Invalid value: "2": field is immutable',
  ])
})

test('an object that is being deleted takes no new finalizers', () => {
  const dying = map({ ...old.metadata, deletionTimestamp: '2024-01-02T00:00:00Z', finalizers: ['a.b/c'] })
  assert.deepEqual(judge('ConfigMap', map({ name: 'a', finalizers: ['a.b/c', 'a.b/d'] }), dying), [
    'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a.b/d"}',
  ])
})

test('cluster-scoped kinds have no namespace', () => {
  assert.deepEqual(judge('Namespace', { metadata: { name: 'a', namespace: 'b' } }), [
    'metadata.namespace: Forbidden: not allowed on this type',
  ])
})
