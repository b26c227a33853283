import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import type { Egress, KubeObject, Node } from '../objects/index.ts'
import { namespaceObject, nodeObject, podObject } from '../policies/cluster.fixture.ts'
import { type Answer, explainConnection, renderAnswer } from './index.ts'

const indexed = (number: number): Node => {
  const node = nodeObject(number) as Node
  const annotations = { 'plumb.network/egress-index': String(number - 1) }
  return { ...node, metadata: { ...node.metadata, annotations } }
}
const world: readonly KubeObject[] = [
  indexed(1),
  indexed(2),
  namespaceObject('ns'),
  podObject('client', { labels: { app: 'client' }, node: 1, index: 2 }),
]
const egress = (name: string, spec: Partial<Egress['spec']>, owner?: string): Egress => ({
  apiVersion: 'plumb.network/v1alpha1',
  kind: 'Egress',
  metadata: { name, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { appliedTo: { podSelector: { matchLabels: { app: 'client' } } }, egressIP: '203.0.113.7', ...spec },
  ...(owner === undefined ? {} : { status: { addresses: [{ address: '203.0.113.7', node: owner }] } }),
})
const ask = (to: string, ...egresses: Egress[]): Answer =>
  explainConnection(
    snapshotOf([...world, ...egresses]),
    {
      from: { kind: 'pod', namespace: 'ns', name: 'client' },
      to: { kind: 'address', address: parseAddress(to) },
      transport: 'tcp',
      port: 443,
    },
    { clusterDomain: 'cluster.local', servicePrefixes: [] },
  )

test('a selected pod’s way out: address, ports, owner, each with its object', () => {
  const answer = ask('198.51.100.1', egress('red', {}, 'node-2'))
  assert.equal(answer.verdict.kind, 'pass')
  assert.match(answer.verdict.says, /; it sees 203\.0\.113\.7$/)
  assert.equal(answer.verdict.because.object, 'egress/red')
  assert.deepEqual(
    answer.steps.slice(-5).map(({ stage, node, because }) => `${stage} ${node} ${because?.object} ${because?.field}`),
    [
      'egress node-1 egress/red spec.appliedTo',
      'egress node-1 egress/red spec.egressIP',
      'egress node-1 egress/red status.addresses',
      'route node-1 node/node-2 status.addresses',
      'route node-2 node/node-2 status.addresses',
    ],
  )
  const text = renderAnswer(answer)
  assert.match(text, /under 203\.0\.113\.7 and a port of 1024-2047, which are those of node-1/)
  assert.match(text, /through node-2, which answers for 203\.0\.113\.7/)
})

test('no owner: denied, with the remedy’s object; with onUnavailable Node it leaves as ever', () => {
  const blocked = ask('198.51.100.1', egress('red', {}))
  assert.equal(blocked.verdict.kind, 'deny')
  assert.match(blocked.verdict.says, /dropped on node-1: no node holds 203\.0\.113\.7 now/)
  const open = ask('198.51.100.1', egress('red', { onUnavailable: 'Node' }))
  assert.equal(open.verdict.kind, 'pass')
  assert.match(renderAnswer(open), /so they leave under the node’s address/)
  assert.match(open.verdict.says, /; it sees 172\.30\.0\.11$/)
})

test('excluded, not among the destinations, not selected, shadowed by an older one', () => {
  const text = (to: string, ...of: Egress[]) => renderAnswer(ask(to, ...of))
  const narrow = egress('red', { destinationCIDRs: ['192.0.2.0/24'], excludedCIDRs: ['192.0.2.128/25'] }, 'node-2')
  assert.match(text('192.0.2.200', narrow), /192\.0\.2\.200 is excluded by 192\.0\.2\.128\/25/)
  assert.match(text('198.51.100.1', narrow), /198\.51\.100\.1 is none of its destinations/)
  const other = egress('other', { appliedTo: { podSelector: { matchLabels: { app: 'x' } } } }, 'node-2')
  assert.match(
    text('198.51.100.1', other),
    /no Egress selects pod\/ns\/client, so it leaves under the address of node-1/,
  )
  const young = { ...egress('a-young', {}), metadata: { name: 'a-young', creationTimestamp: '2026-02-01T00:00:00Z' } }
  assert.match(
    text('198.51.100.1', young, egress('red', {}, 'node-2')),
    /egress\/red selects pod\/ns\/client; egress\/a-young too, but egress\/red is older and holds/,
  )
  assert.ok(!ask('198.51.100.1').steps.some(({ stage }) => stage === 'egress'))
})
