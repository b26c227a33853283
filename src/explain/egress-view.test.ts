import assert from 'node:assert/strict'
import { test } from 'node:test'
import { snapshotOf } from '../cluster/index.ts'
import type { Egress, KubeObject, Node } from '../objects/index.ts'
import { namespaceObject, nodeObject, podObject } from '../policies/cluster.fixture.ts'
import { egressView, renderEgressView } from './index.ts'

const node = nodeObject(1) as Node
const world: readonly KubeObject[] = [
  { ...node, metadata: { ...node.metadata, annotations: { 'plumb.network/egress-index': '0' } } },
  namespaceObject('ns'),
  podObject('client', { labels: { app: 'client' }, node: 1, index: 2 }),
]
const egress = (name: string, created: string, spec: Partial<Egress['spec']>, owner?: string): Egress => ({
  apiVersion: 'plumb.network/v1alpha1',
  kind: 'Egress',
  metadata: { name, creationTimestamp: created },
  spec: { appliedTo: { podSelector: { matchLabels: { app: 'client' } } }, egressIP: '203.0.113.7', ...spec },
  ...(owner === undefined ? {} : { status: { addresses: [{ address: '203.0.113.7', node: owner }] } }),
})
const show = (name: string, ...egresses: Egress[]): string => {
  const view = egressView(snapshotOf([...world, ...egresses]), name)
  return typeof view === 'string' ? view : renderEgressView(view)
}

test('an Egress: address with its owner, destinations, and under which ports each pod leaves', () => {
  const text = show('red', egress('red', '2026-01-01', { excludedCIDRs: ['198.51.100.0/24'] }, 'node-1'))
  assert.match(text, /^✓ egress\/red: 1 pod leaves under 1 address/)
  assert.match(text, /203\.0\.113\.7 {2}held by node-1/)
  assert.match(text, /all outside the cluster except 198\.51\.100\.0\/24/)
  assert.match(
    text,
    /✓ ns\/client on node-1: under 203\.0\.113\.7, ports 1024-2047 \(those of node-1, shared by its pods\)/,
  )
  const own = show('red', egress('red', '2026-01-01', { ports: { perPod: 64 } }, 'node-1'))
  assert.match(own, /\(those of node-1, 64 for each pod\)/)
})

test('an Egress that does not carry anybody says why', () => {
  assert.match(
    show('red', egress('red', '2026-01-01', {})),
    /^✗ egress\/red: no node holds 203\.0\.113\.7[\s\S]*✗ ns\/client on node-1: dropped: /,
  )
  const nobody = egress('red', '2026-01-01', { appliedTo: { podSelector: { matchLabels: { app: 'no' } } } }, 'node-1')
  assert.match(show('red', nobody), /^✗ egress\/red: it selects no pod \(spec\.appliedTo\)/)
  const older = egress('old', '2025-01-01', {}, 'node-1')
  assert.match(
    show('red', older, egress('red', '2026-01-01', {}, 'node-1')),
    /✗ ns\/client on node-1: egress\/old selects it too, is older and holds/,
  )
  assert.match(
    show('red', egress('red', '2026-01-01', { egressIP: 'x' })),
    /it has no address[\s\S]*! egress\/red spec\.egressIP/,
  )
})

test('an owner that is not heard of any more is told as such', () => {
  const conditions = [{ type: 'Ready', status: 'Unknown' as const, reason: 'NodeStatusUnknown' }]
  const silent = world.map((one) => (one.kind === 'Node' ? { ...one, status: { ...node.status, conditions } } : one))
  const red = egress('red', '2026-01-01', {}, 'node-1')
  const view = egressView(snapshotOf([...silent, red]), 'red')
  const text = typeof view === 'string' ? view : renderEgressView(view)
  assert.match(
    text,
    /^✗ egress\/red: node-1 said last that it holds 203\.0\.113\.7, but node-1 has not renewed its Lease/,
  )
})

test('an unknown name gets the nearest ones', () => {
  assert.equal(show('rde', egress('red', '2026-01-01', {})), 'there is no Egress rde; did you mean red?')
  assert.equal(show('red'), 'there is no Egress red; there is none at all')
})
