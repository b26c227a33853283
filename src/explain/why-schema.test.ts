// Every answer is what its published schema says, and nothing more.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { parseAddress } from '../addr/index.ts'
import type { KubeObject } from '../objects/index.ts'
import {
  type Answer,
  confirm,
  destinationOf,
  type End,
  type Evidence,
  explainConnection,
  explainRequestWay,
  type Observation,
  observationsOf,
  rehearse,
  type Sighting,
  whySchema,
  withProbe,
} from './index.ts'
import { mistakesIn } from './why-schema.fixture.ts'

const root = join(import.meta.dirname, '..', '..')
const facts = { clusterDomain: 'cluster.local', servicePrefixes: [] }
const { snapshot, gateways } = rehearse(
  ['examples/shop/web.yaml', 'examples/shop/cart.yaml', 'examples/shop/client.yaml', 'examples/egress/egress.yaml']
    .flatMap((file) => parseAllDocuments(readFileSync(join(root, file), 'utf8')))
    .map((one) => one.toJS() as KubeObject),
)
const pods = [...snapshot.pods.keys()].map((key): End => {
  const [namespace = '', name = ''] = key.split('/')
  return { kind: 'pod', namespace, name }
})
const services = [...snapshot.services.keys()].map((key): End => {
  const [namespace = '', name = ''] = key.split('/')
  return { kind: 'service', namespace, name }
})
const others: readonly End[] = [
  ...[...snapshot.nodes.keys()].map((name): End => ({ kind: 'node', name })),
  { kind: 'address', address: parseAddress('203.0.113.7') },
  { kind: 'address', address: parseAddress('2001:db8::7') },
  { kind: 'pod', namespace: 'default', name: 'nobody' },
  { kind: 'name', name: 'nobody.example' },
]

function* answers(): Iterable<Answer> {
  for (const from of [...pods, ...others])
    for (const to of [...pods, ...services, ...others])
      for (const transport of ['tcp', 'udp', 'sctp', 'icmp'] as const)
        for (const port of [80, 'http', undefined])
          yield explainConnection(snapshot, { from, to, transport, ...(port === undefined ? {} : { port }) }, facts)
  for (const from of [...pods, ...others])
    for (const url of ['http://shop.example/', 'https://shop.example/cart?x=1', 'http://[2001:db8::1]:8080/'])
      yield explainRequestWay(snapshot, from, { url, family: 4 }, gateways, facts)
}

const seen = (answer: Answer, place: string): Sighting => {
  const { address, port } = destinationOf(answer)!
  const ends = { source: parseAddress('10.244.0.9'), sourcePort: 40_000, destination: address, destinationPort: port }
  return { place, way: 'request', packet: 'SYN', ttl: 63, ...ends }
}

test('answers of every kind fit the schema: asked, held against kernels and followed', (t) => {
  let count = 0
  const hold = (answer: Answer): void => {
    count++
    assert.deepEqual(mistakesIn(answer), [], JSON.stringify(answer.question))
  }
  for (const answer of answers()) {
    hold(answer)
    const unseen: Evidence = { kind: 'unseen', says: 'nobody was asked' }
    hold(confirm(answer, new Map(observationsOf(answer).map((one): [Observation, Evidence] => [one, unseen]))))
    if (destinationOf(answer) === undefined) continue
    const sightings = [seen(answer, 'node/node-1')]
    hold(withProbe(answer, { from: 'pod/a', sightings, outcome: 'nothing', connected: false, blind: [] }))
  }
  t.diagnostic(`${count} answers`)
  assert.ok(count > 1000)
})

test('what does not fit is found', () => {
  const [answer] = answers()
  assert.deepEqual(mistakesIn({ ...answer, more: 1 }), ['.more is not in the schema'])
  assert.deepEqual(mistakesIn({ ...answer, steps: [{ stage: 'socket', says: 7 }] }), [
    '.steps[0].says is integer, not string',
  ])
  assert.deepEqual(mistakesIn({ ...answer, verdict: undefined }), ['.verdict is missing'])
})

test('the schema in the docs is the one that plumb why --schema prints', () => {
  assert.deepEqual(JSON.parse(readFileSync(join(root, 'docs', 'why.schema.json'), 'utf8')), whySchema)
})
