import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { applyManifests } from './apply.ts'
import { ApiError, type Client } from './contract.ts'
import { parseManifests, renderProblem } from './manifests.ts'
import { applyMergePatch, threeWayPatch } from './merge.ts'

const mergeCases: [string, Record<string, unknown>, Record<string, unknown>, Record<string, unknown>, unknown][] = [
  ['same', { a: 1 }, { a: 1 }, { a: 1, server: 2 }, undefined],
  ['changed', { a: 1 }, { a: 2 }, { a: 1 }, { a: 2 }],
  ['changed by another', { a: 1 }, { a: 1 }, { a: 3 }, { a: 1 }],
  ['removed from the manifest', { a: 1, b: 1 }, { a: 1 }, { a: 1, b: 1 }, { b: null }],
  ['removed already', { a: 1, b: 1 }, { a: 1 }, { a: 1 }, undefined],
  ['set by the server only', {}, { a: 1 }, { a: 1, status: { x: 1 } }, undefined],
  [
    'nested',
    { m: { l: { a: '1', b: '1' } } },
    { m: { l: { a: '2' } } },
    { m: { l: { a: '1', b: '1', c: '1' } } },
    { m: { l: { a: '2', b: null } } },
  ],
  ['explicit null', { a: 1 }, { a: null }, { a: 1 }, { a: null }],
  [
    'list items with server defaults are the same',
    { ports: [{ port: 80 }] },
    { ports: [{ port: 80 }] },
    { ports: [{ port: 80, protocol: 'TCP', nodePort: 30080 }] },
    undefined,
  ],
  [
    'a changed item keeps what the server set, by key and not by place',
    { ports: [{ port: 80 }] },
    { ports: [{ port: 443 }, { port: 80, targetPort: 8080 }] },
    { ports: [{ port: 80, protocol: 'TCP', nodePort: 30080 }] },
    { ports: [{ port: 443 }, { port: 80, protocol: 'TCP', nodePort: 30080, targetPort: 8080 }] },
  ],
  ['a removed item', { args: ['a', 'b'] }, { args: ['a'] }, { args: ['a', 'b'] }, { args: ['a'] }],
  [
    'a field removed from an item',
    { c: [{ name: 'x', image: 'i', env: 1 }] },
    { c: [{ name: 'x', image: 'i' }] },
    { c: [{ name: 'x', image: 'i', env: 1, pull: 'Always' }] },
    { c: [{ name: 'x', image: 'i', pull: 'Always' }] },
  ],
]

for (const [name, last, wanted, live, patch] of mergeCases)
  test(`three-way: ${name}`, () => assert.deepEqual(threeWayPatch(last, wanted, live), patch))

test('three-way: after the patch there is nothing more to do', () => {
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean())
  const flat = fc.dictionary(fc.constantFrom('a', 'b', 'name'), leaf, { maxKeys: 3 })
  const value = fc.oneof(leaf, flat, fc.array(leaf, { maxLength: 3 }), fc.array(flat, { maxLength: 3 }))
  const json = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'name'), value, { maxKeys: 4 })
  fc.assert(
    fc.property(json, json, json, (last, wanted, live) => {
      const patch = threeWayPatch(last, wanted, live)
      const after = patch === undefined ? live : (applyMergePatch(live, patch) as Record<string, unknown>)
      assert.equal(threeWayPatch(wanted, wanted, after), undefined)
    }),
  )
})

test('manifests: documents, lists, places', () => {
  const text = `# first
apiVersion: v1
kind: Service
metadata: {name: a}
---
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}, data: {on: "x"}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}
`
  const { manifests, problems } = parseManifests(text, 'web.yaml')
  assert.deepEqual(problems, [])
  assert.deepEqual(
    manifests.map((m) => [m.object.kind, m.object.metadata.name, m.document, m.line]),
    [
      ['Service', 'a', 1, 2],
      ['ConfigMap', 'b', 3, 7],
      ['ConfigMap', 'c', 3, 7],
    ],
  )
})

test('manifests: JSON, and the words of YAML 1.1', () => {
  const { manifests } = parseManifests('{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"x":"yes"}', 'a.json')
  assert.deepEqual(manifests[0]?.object, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, x: 'yes' })
  const words =
    'apiVersion: v1\nkind: X\nmetadata: {name: a}\nd: {a: yes, b: off, c: 0644, d: 2024-01-01, e: "on", f: 1:30, g: y, h: 0.5, i: ~}\n'
  const [manifest] = parseManifests(words, 'x').manifests
  assert.deepEqual((manifest?.object as { d?: unknown } | undefined)?.d, {
    a: true,
    b: false,
    c: 420,
    d: '2024-01-01',
    e: 'on',
    f: '1:30',
    g: 'y',
    h: 0.5,
    i: null,
  })
})

for (const [text, message] of [
  ['a: b: c', /^f, document 1, line 1: is not YAML: Nested mappings/],
  ['kind: X\nmetadata: {name: a}', /^f, document 1, line 1: apiVersion is missing/],
  ['x: 1\n---\napiVersion: v1\nmetadata: {name: a}', /^f, document 2, line 3: kind is missing/],
  ['apiVersion: v1\nkind: Service\nmetadata: {name: 5}', /Service: metadata.name is missing or not a string/],
  ['apiVersion: v1\nkind: List\nitems: [{kind: X}]', /items\[0\]: apiVersion is missing/],
  ['- a', /is not an object/],
  [
    'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d]',
    /is not YAML: Excessive alias count/,
  ],
] as const)
  test(`manifests: ${message}`, () => {
    assert.match(parseManifests(text, 'f').problems.map(renderProblem).at(-1) ?? '', message)
  })

test('a custom kind is waited for when its definition comes along, and only then', async () => {
  let asked = 0
  const created: string[] = []
  const missing = {
    apiVersion: 'v1',
    kind: 'Status',
    metadata: {},
    status: 'Failure',
    code: 404,
    reason: 'NotFound',
  } as const
  const client = {
    async request(_: string, path: string) {
      assert.equal(path, '/apis/example.com/v1')
      // The definition is served a moment after it was stored.
      if (++asked < 4) throw new ApiError(missing)
      return {
        resources: [
          { name: 'widgets', kind: 'Widget', namespaced: true },
          { name: 'widgets/status', kind: 'Widget' },
        ],
      }
    },
    find: async () => undefined,
    async create(resource: { plural: string }, object: { metadata: { name: string; namespace?: string } }) {
      created.push(`${resource.plural} ${object.metadata.namespace}/${object.metadata.name}`)
      return object
    },
  } as unknown as Client
  const { manifests } = parseManifests(
    `{apiVersion: example.com/v1, kind: Gadget, metadata: {name: g}}
---
{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.example.com}, spec: {group: example.com, names: {kind: Widget}}}
`,
    'f',
  )
  const results = await applyManifests(client, manifests)
  assert.deepEqual(
    results.map(({ outcome }) => outcome),
    ['unknown-kind', 'created', 'created'],
  )
  assert.deepEqual(created, ['customresourcedefinitions undefined/widgets.example.com', 'widgets default/w'])
})
