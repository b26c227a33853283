import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalizeQuantities, canonicalQuantity } from './canonical-quantity.ts'
import { getKind } from './kinds.ts'

// Each as Go's resource.Quantity writes it.
const cases: readonly [string, string][] = [
  ['0.1', '100m'],
  ['1000m', '1'],
  ['1500m', '1500m'],
  ['2.5', '2500m'],
  ['1000', '1k'],
  ['1500', '1500'],
  ['1024Mi', '1Gi'],
  ['1.5Gi', '1536Mi'],
  ['512Ki', '512Ki'],
  ['1000Ki', '1000Ki'],
  ['0.5Ki', '512'],
  ['0.1Gi', '107374182400m'],
  ['1e3', '1e3'],
  ['12e4', '120e3'],
  ['0', '0'],
  ['0Gi', '0'],
  ['-0.5', '-500m'],
  ['0.0000000001', '1n'],
  ['100G', '100G'],
  ['what', 'what'],
]
for (const [text, expected] of cases) {
  test(`quantity ${text} is ${expected}`, () => {
    assert.equal(canonicalQuantity(text), expected)
    assert.equal(canonicalQuantity(expected), expected)
  })
}

test('quantities are found wherever the schema of a kind has them, and numbers are text', () => {
  const resources = { limits: { cpu: 0.5, memory: '1024Mi' } }
  const pod = { spec: { containers: [{ name: '0.1', resources }], overhead: { cpu: '2000m' } } }
  canonicalizeQuantities(getKind('Pod'), pod)
  assert.deepEqual(resources, { limits: { cpu: '500m', memory: '1Gi' } })
  assert.deepEqual([pod.spec.containers[0]?.name, pod.spec.overhead.cpu], ['0.1', '2'])
})
