import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '../addr/index.ts'
import type { Answer } from './answer.ts'
import { withProbe } from './followed.ts'
import { renderAnswer } from './index.ts'
import type { Followed, Sighting } from './sighting.ts'

const because = { object: 'service/shop/web', field: 'spec.ports[0].port', value: '80' }
const way = (verdict: Answer['verdict']['kind']): Answer => ({
  schema: 'plumb.network/why/v1',
  question: {
    from: { kind: 'pod', namespace: 'shop', name: 'client' },
    to: { kind: 'service', namespace: 'shop', name: 'web' },
    transport: 'tcp',
    port: 80,
  },
  verdict: { kind: verdict, says: verdict === 'allow' ? 'reaches service/shop/web' : 'a policy denies it', because },
  steps: [{ stage: 'source', node: 'node-1', says: 'pod/shop/client is on node-1' }],
  branches: [
    {
      endpoint: { address: parseAddress('10.244.2.3'), port: 8080, pod: 'shop/web-b', node: 'node-2' },
      share: { of: 1, one: 1 },
      verdict: { kind: 'allow', says: 'reaches pod/shop/web-b', because },
      steps: [
        { stage: 'route', node: 'node-1', says: '' },
        { stage: 'route', node: 'node-2', says: '' },
        { stage: 'reply', node: 'node-2', says: '' },
      ],
    },
  ],
  assumptions: [],
  findings: [],
})
const seen = (place: string, packet = 'SYN', kind: Sighting['way'] = 'request'): Sighting => ({
  place,
  way: kind,
  packet,
  source: parseAddress('10.244.1.2'),
  sourcePort: 40_000,
  destination: parseAddress('10.244.2.3'),
  destinationPort: 8080,
  ttl: 63,
})
const client = 'pod/shop/client'
const [one, two, web] = ['node/node-1', 'node/node-2', 'pod/shop/web-b']
const back = (place: string, packet = 'SYN-ACK') => seen(place, packet, 'answer')
const lostInside: Followed = {
  from: client,
  sightings: [seen(client), seen(one)],
  outcome: '',
  connected: false,
  blind: [],
}

test('a node that takes a packet in and does not forward it is told from one that lost it on the way out', () => {
  assert.match(
    withProbe(way('allow'), lostInside).probed?.says ?? '',
    /^it came into node\/node-1 as .* and did not leave it for node\/node-2$/,
  )
})

const cases: readonly {
  says: string
  sightings: readonly Sighting[]
  connected?: boolean
  blind?: readonly string[]
  proves: RegExp
  verdict: string
}[] = [
  { says: 'nothing leaves', sightings: [], proves: /^no packet left pod\/shop\/client: no answer/, verdict: 'deny' },
  {
    says: 'lost between nodes',
    sightings: [seen(client), seen(one), { ...seen(one), ttl: 62 }],
    proves: /^it left node\/node-1 as 10\.244\.1\.2:40000 → 10\.244\.2\.3:8080 and never reached node\/node-2$/,
    verdict: 'deny',
  },
  {
    says: 'swallowed at the pod',
    sightings: [client, one, two, web].map((place) => seen(place)),
    proves: /^it arrived at pod\/shop\/web-b as .* and nothing answered$/,
    verdict: 'deny',
  },
  {
    says: 'refused by the pod',
    sightings: [
      ...[client, one, two, web].map((place) => seen(place)),
      ...[web, two, one, client].map((place) => back(place, 'RST')),
    ],
    proves: /refused there: RST/,
    verdict: 'deny',
  },
  {
    says: 'an answer that is lost',
    sightings: [...[client, one, two, web].map((place) => seen(place)), back(web), back(two)],
    proves: /the answer came back as far as node\/node-2 and never reached node\/node-1$/,
    verdict: 'deny',
  },
  {
    says: 'a place that could not be watched is passed over',
    sightings: [seen(client), seen(one), seen(web)],
    blind: [two],
    proves: /arrived at pod\/shop\/web-b/,
    verdict: 'deny',
  },
  {
    says: 'all well',
    sightings: [...[client, one, two, web].map((place) => seen(place)), back(client)],
    connected: true,
    proves: /^it arrived by node\/node-1, node\/node-2, pod\/shop\/web-b, and the answer came back$/,
    verdict: 'allow',
  },
]
for (const { says, sightings, connected = false, blind = [], proves, verdict } of cases) {
  test(`a followed packet proves: ${says}`, () => {
    const followed: Followed = { from: client, sightings, outcome: 'no answer in 1300 ms', connected, blind }
    const answer = withProbe(way('allow'), followed)
    assert.match(answer.probed?.says ?? '', proves)
    assert.equal(answer.verdict.kind, verdict)
    assert.equal(answer.probed?.kind, verdict === 'allow' ? 'agrees' : 'disagrees')
    const text = renderAnswer(answer)
    if (verdict === 'deny') assert.match(text, /^✗ .*the wire disagrees/)
    assert.ok(text.includes('Probed: one real packet'))
  })
}

test('where the model denies, silence agrees and an answer does not', () => {
  const base = { from: client, sightings: [seen(client)], outcome: '', blind: [] }
  assert.equal(withProbe(way('deny'), { ...base, connected: false }).probed?.kind, 'agrees')
  const through = withProbe(way('deny'), { ...base, connected: true })
  assert.equal(through.probed?.kind, 'disagrees')
  assert.match(renderAnswer(through), /the wire: the packet got through.*although the model denies it/)
})
