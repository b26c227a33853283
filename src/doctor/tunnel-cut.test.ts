import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { internalAddresses, renderUnderlay, snapshotOf, underlayAnnotation } from '../cluster/index.ts'
import type { KubeObject, Node } from '../objects/index.ts'
import { collected, objectsOf, shapes } from './cluster.fixture.ts'
import { diagnose } from './diagnose.ts'
import type { Outcome, Probe } from './probe.ts'

const shape = {
  ...fc.sample(shapes, { numRuns: 1, seed: 1 })[0]!,
  nodes: 2,
  pods: [0, 1],
  type: 'ClusterIP',
  local: false,
  dual: false,
} as const
const well: Outcome = { kind: 'answered', says: 'connected' }

/** The same cluster with a segment for each node. */
function apart(object: KubeObject): KubeObject {
  if (object.kind !== 'Node') return object
  const segments = internalAddresses(object as Node).map((address) => `${address}/32` as never)
  const underlay = renderUnderlay({ segments, vxlan: { id: 80, port: 8472 }, mtu: 1500 })
  return { ...object, metadata: { ...object.metadata, annotations: { [underlayAnnotation]: underlay } } }
}

function causes(outcome: (probe: Probe) => Outcome, objects = objectsOf(shape).map(apart)) {
  const snapshot = snapshotOf(objects)
  return diagnose({ ...collected(shape, outcome), snapshot }).causes.map(({ rule, object }) => `${rule} ${object}`)
}

test('what is lost between two segments alone is the tunnel’s; on one segment it is not, nor where something passes', () => {
  const crosses = ({ rung }: Probe) => rung === 'other-node'
  const cut = (probe: Probe): Outcome => (crosses(probe) ? { kind: 'silence' } : well)
  assert.ok(
    causes(cut).some((one) => one.startsWith('tunnel-cut node/')),
    causes(cut).join(),
  )
  assert.deepEqual(
    causes(() => well),
    [],
  )
  assert.ok(!causes(cut, objectsOf(shape)).some((one) => one.startsWith('tunnel-cut')))
  const refused = (probe: Probe): Outcome => (crosses(probe) ? { kind: 'refused', by: 'reset', says: '' } : well)
  assert.ok(!causes(refused).some((one) => one.startsWith('tunnel-cut')))
})
