import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import { snapshotOf } from '../cluster/index.ts'
import type { KubeObject, Service } from '../objects/index.ts'
import type { Collected, NodeState } from './examination.ts'
import { mergeCollected } from './merge.ts'
import type { Outcome, Place, ProbeResult } from './probe.ts'
import { subjectsOf } from './subject.ts'

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'ns' },
  spec: { nodeName: 'b', containers: [] },
}
const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 's', namespace: 'ns' },
  spec: { ports: [{ port: 80 }] },
}
const snapshot = snapshotOf([pod, service] as unknown as KubeObject[])
const [subject] = subjectsOf(snapshot, service as unknown as Service, {})
const unseen = (says: string): Outcome => ({ kind: 'unseen', says })
const answered: Outcome = { kind: 'answered', says: 'TCP' } as Outcome

function result(id: string, from: Place, outcome: Outcome): ProbeResult {
  const probe = {
    id,
    rung: 'pod',
    from,
    address: parseAddress('10.0.0.1'),
    port: 80,
    transport: 'tcp',
    tries: 1,
    speech: { kind: 'connect' },
  }
  return { probe, tries: [{ outcome, ms: 1, wire: undefined }] } as unknown as ProbeResult
}

function collected(of: Partial<Collected>): Collected {
  const facts = { clusterDomain: 'cluster.local', servicePrefixes: [] }
  const stand = { client: undefined, outside: [], clusterDomain: 'cluster.local' }
  if (subject === undefined || typeof subject === 'string') throw new Error('no subject')
  return {
    snapshot,
    subject,
    stand,
    facts,
    results: [],
    kernel: new Map(),
    sockets: new Map(),
    nodes: [],
    controls: [],
    ...of,
  }
}

const places: Place[] = [
  { kind: 'outside' },
  { kind: 'node', name: 'a' },
  { kind: 'node', name: 'b' },
  { kind: 'pod', namespace: 'ns', name: 'p' },
]
const outcomes = (said: Outcome[]) => places.map((place, at) => result(String(at), place, said[at] ?? unseen('')))
const state = (node: string): NodeState => ({ node, agent: 'answers' }) as NodeState

test('each thing is told by the machine that it is at', () => {
  const away = unseen('outside of the cluster')
  const own = collected({
    results: outcomes([answered, away, away, away]),
    kernel: new Map([['q', unseen('not from here') as never]]),
    owners: [{ address: parseAddress('10.9.9.9'), owners: ['a'], askedFrom: ['outside on eth0'], unasked: [] }],
  })
  const a = collected({
    results: outcomes([away, answered, away, away]),
    kernel: new Map([['q', { kind: 'neighbour', state: 'reachable' }]]),
    nodes: [state('a')],
    rises: [{ place: 'node/a', counter: 'checksum', by: 2 }],
    owners: [{ address: parseAddress('10.9.9.9'), owners: ['b'], askedFrom: ['node/a on eth0'], unasked: [] }],
  })
  const b = collected({
    results: outcomes([away, away, answered, unseen('its namespace is gone')]),
    kernel: new Map([['q', unseen('not on b') as never]]),
    nodes: [state('b')],
  })
  const merged = mergeCollected(own, [
    { node: 'a', collected: a },
    { node: 'b', collected: b },
  ])
  assert.deepEqual(
    merged.results.map(({ tries }) => tries[0]?.outcome),
    [answered, answered, answered, unseen('its namespace is gone')],
  )
  assert.deepEqual(merged.kernel.get('q'), { kind: 'neighbour', state: 'reachable' })
  assert.deepEqual(
    merged.nodes.map(({ node }) => node),
    ['a', 'b'],
  )
  assert.deepEqual(merged.rises, [{ place: 'node/a', counter: 'checksum', by: 2 }])
  assert.deepEqual(
    merged.owners?.map(({ owners, askedFrom }) => [owners, askedFrom]),
    [
      [
        ['a', 'b'],
        ['outside on eth0', 'node/a on eth0'],
      ],
    ],
  )
  assert.equal(mergeCollected(own, []), own)
})
