import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AdmissionRule } from '../objects/index.ts'
import type { Attributes, Target } from './attributes.ts'
import { matchedVersion, namespaceSelected, objectSelected } from './match.ts'

const pods: Target = {
  operation: 'CREATE',
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  namespaced: true,
  versions: ['v1'],
}
const routes: Target = {
  ...pods,
  group: 'gateway.networking.k8s.io',
  resource: 'httproutes',
  versions: ['v1', 'v1beta1'],
}
const rule = (resources: string[], more: AdmissionRule = {}): AdmissionRule => ({
  operations: ['*'],
  apiGroups: ['*'],
  apiVersions: ['*'],
  resources,
  ...more,
})

for (const [name, rules, policy, target, expected] of [
  ['every resource', [rule(['*'])], 'Exact', pods, 'v1'],
  ['every resource is no subresource', [rule(['*'])], 'Exact', { ...pods, subresource: 'status' }, undefined],
  ['every subresource', [rule(['*/*'])], 'Exact', { ...pods, subresource: 'status' }, 'v1'],
  ['one subresource of all', [rule(['*/status'])], 'Exact', { ...pods, subresource: 'status' }, 'v1'],
  ['all subresources of one', [rule(['pods/*'])], 'Exact', { ...pods, subresource: 'exec' }, 'v1'],
  ['another operation', [rule(['pods'], { operations: ['UPDATE'] })], 'Exact', pods, undefined],
  ['another scope', [rule(['pods'], { scope: 'Cluster' })], 'Exact', pods, undefined],
  ['its scope', [rule(['pods'], { scope: 'Namespaced' })], 'Exact', pods, 'v1'],
  ['another version, exactly', [rule(['httproutes'], { apiVersions: ['v1beta1'] })], 'Exact', routes, undefined],
  ['an equivalent version', [rule(['httproutes'], { apiVersions: ['v1beta1'] })], 'Equivalent', routes, 'v1beta1'],
  ['its own version first', [rule(['httproutes'])], 'Equivalent', routes, 'v1'],
  ['a second rule', [rule(['nodes']), rule(['pods'])], undefined, pods, 'v1'],
  ['no rules', [], undefined, pods, undefined],
] as const)
  test(`rules: ${name}`, () => assert.equal(matchedVersion(rules, policy, target), expected))

const labelled = (labels: Record<string, string>) => ({ apiVersion: 'v1', kind: 'X', metadata: { name: 'n', labels } })
const attributes = (more: Partial<Attributes>): Attributes => ({
  target: pods,
  kind: { group: '', version: 'v1', kind: 'Pod' },
  name: 'n',
  namespace: 'space',
  object: undefined,
  oldObject: undefined,
  user: { name: 'u', uid: '', groups: [], extra: {} },
  dryRun: false,
  options: null,
  ...more,
})
const selector = { matchLabels: { a: 'b' } }
const find = () => labelled({ a: 'b' })

test('selectors look at the namespace, at a Namespace itself, and at both objects of an update', () => {
  assert.ok(namespaceSelected(selector, attributes({}), find))
  assert.ok(!namespaceSelected(selector, attributes({}), () => undefined))
  const namespaces = { ...pods, resource: 'namespaces', namespaced: false }
  assert.ok(
    namespaceSelected(selector, attributes({ target: namespaces, object: labelled({ a: 'b' }) }), () => undefined),
  )
  assert.ok(!namespaceSelected(selector, attributes({ target: namespaces, object: labelled({}) }), find))
  const nodes = { ...pods, resource: 'nodes', namespaced: false }
  assert.ok(namespaceSelected(selector, attributes({ target: nodes, namespace: '' }), () => undefined))
  assert.ok(objectSelected(selector, attributes({ object: labelled({}), oldObject: labelled({ a: 'b' }) })))
  assert.ok(!objectSelected(selector, attributes({ object: labelled({}) })))
  assert.ok(objectSelected({}, attributes({})))
})
