/** A JSON Schema, as far as the words of answers need one. */
type Schema = Readonly<Record<string, unknown>>

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const whole = { type: 'integer', minimum: 0 } as const
const port = { type: 'integer', minimum: 0, maximum: 65535 } as const
const words = { type: 'array', items: text } as const
const oneOf = (...values: readonly string[]): Schema => ({ type: 'string', enum: values })
const list = (items: Schema): Schema => ({ type: 'array', items })

/** Fields whose names end with `?` need not be there; there are no others. */
function record(fields: Readonly<Record<string, Schema>>, description?: string): Schema {
  const entries = Object.entries(fields)
  return {
    type: 'object',
    ...(description === undefined ? {} : { description }),
    properties: Object.fromEntries(entries.map(([name, schema]) => [name.replace('?', ''), schema])),
    required: entries.flatMap(([name]) => (name.endsWith('?') ? [] : [name])),
    additionalProperties: false,
  }
}

const because = record({ object: text, field: text, value: text }, 'The object, field and value that decide it')
const verdict = record({ kind: oneOf('allow', 'deny', 'pass'), says: text, because })
const transport = oneOf('tcp', 'udp', 'sctp')
const family = { type: 'integer', enum: [4, 6] }
const end: Schema = {
  oneOf: [
    record({ kind: oneOf('pod', 'service'), namespace: text, name: text }),
    record({ kind: oneOf('node', 'name'), name: text }),
    record({ kind: oneOf('address'), address: text }),
  ],
}
const place = record({ address: text, port })
const observation: Schema = {
  description: 'What the kernel of a node is asked in order to confirm the step',
  oneOf: [
    record({
      kind: oneOf('route'),
      node: text,
      destination: text,
      expect: record({ 'gateway?': text, 'link?': text, 'prefix?': text }),
    }),
    record({ kind: oneOf('neighbour'), node: text, address: text, 'link?': text }),
    record({
      kind: oneOf('frontend'),
      node: text,
      address: text,
      transport,
      port,
      'client?': text,
      inside: flag,
      expect: list(place),
    }),
    record({
      kind: oneOf('conntrack'),
      node: text,
      clients: words,
      transport,
      asked: record({ address: text, port, 'transport?': oneOf('tcp', 'udp', 'sctp', 'icmp') }),
      endpoint: record({ address: text, port, 'transport?': oneOf('tcp', 'udp', 'sctp', 'icmp') }),
      seenAs: oneOf('kept', 'masqueraded', 'external'),
    }),
    record({ kind: oneOf('policy'), node: text, direction: oneOf('egress', 'ingress'), address: text, expect: text }),
    record({ kind: oneOf('server'), node: text, backend: text, address: text, port }),
    record({ kind: oneOf('listener'), node: text, pod: record({ namespace: text, name: text }), transport, port }),
  ],
}
const observed = record({ kind: oneOf('agrees', 'disagrees', 'unseen'), says: text }, 'What the kernel said')
const stages = [
  'name',
  'source',
  'request',
  'service',
  'endpoint',
  'policy',
  'egress',
  'route',
  'neighbour',
  'link',
] as const
const step = record({
  stage: oneOf(...stages, 'socket', 'reply'),
  'node?': text,
  says: text,
  'because?': because,
  'observation?': observation,
  'observed?': observed,
})
const branch = record({
  endpoint: record({ address: text, port, 'pod?': text, 'node?': text }),
  share: record({ of: whole, one: whole }, 'So many of so many connections'),
  verdict,
  'seenAs?': text,
  steps: list(step),
})
const sighting = record({
  place: text,
  way: oneOf('request', 'answer'),
  packet: text,
  source: text,
  sourcePort: port,
  destination: text,
  destinationPort: port,
  ttl: whole,
})
const probed = record({
  kind: oneOf('agrees', 'disagrees', 'unseen'),
  says: text,
  hops: list(record({ place: text, expected: flag, sightings: list(sighting) })),
})
const finding = record({ code: text, object: text, field: text, says: text, try: text })

/** What `plumb why -o json` prints, as JSON Schema (draft 2020-12). */
export const whySchema: Schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://plumb.network/schemas/why/v1.json',
  title: 'The answer of plumb why',
  ...record({
    schema: oneOf('plumb.network/why/v1'),
    question: record({
      from: end,
      to: end,
      transport: oneOf('tcp', 'udp', 'sctp', 'icmp'),
      'port?': { oneOf: [port, text] },
      'family?': family,
    }),
    verdict,
    'seenAs?': { ...text, description: 'The client’s address as the other end sees it' },
    steps: list(step),
    branches: list(branch),
    'probed?': probed,
    assumptions: words,
    findings: list(finding),
  }),
}
