import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAddress } from '../addr/index.ts'
import type { Answer, Branch } from './answer.ts'
import { renderDot, renderMermaid } from './index.ts'

const address = parseAddress('10.244.2.3')
const policy = { object: 'networkpolicy/shop/closed', field: 'spec.ingress', value: '[]' }
const open: Branch = {
  endpoint: { address, port: 8080, pod: 'shop/web-a', node: 'node-2' },
  share: { of: 2, one: 1 },
  verdict: { kind: 'allow', says: 'reaches pod/shop/web-a', because: policy },
  steps: [
    { stage: 'endpoint', says: '10.244.2.3 port 8080 takes new connections' },
    { stage: 'socket', node: 'node-2', says: 'container main listens' },
    { stage: 'reply', node: 'node-2', says: 'leaves to node-1' },
    { stage: 'reply', node: 'node-1', says: 'is translated back' },
  ],
}
const closed: Branch = {
  ...open,
  verdict: { kind: 'deny', says: 'closed denies it', because: policy },
  steps: [
    { stage: 'endpoint', says: '10.244.2.4 port 8080 takes new connections' },
    { stage: 'policy', node: 'node-2', says: 'closed denies it', because: policy },
  ],
}
const answer: Answer = {
  schema: 'plumb.network/why/v1',
  question: {
    from: { kind: 'pod', namespace: 'shop', name: 'client' },
    to: { kind: 'service', namespace: 'shop', name: 'web' },
    transport: 'tcp',
    port: 80,
  },
  verdict: { kind: 'deny', says: '1 of 2 endpoints cannot be reached', because: policy },
  steps: [
    { stage: 'source', says: 'pod/shop/client runs on node-1' },
    {
      stage: 'service',
      node: 'node-1',
      says: 'service/shop/web has the port',
      observed: { kind: 'disagrees', says: 'no such map' },
    },
  ],
  branches: [open, closed],
  assumptions: [],
  findings: [],
}

test('Mermaid: request, both endpoints, reply to the source, and the policy to blame', () => {
  assert.equal(
    renderMermaid(answer),
    `%% pod/shop/client → svc/shop/web:80/tcp
flowchart TD
  n0["pod/shop/client"]:::is-end
  n1["service on node-1<br/>service/shop/web has the port<br/>✗ kernel: no such map"]:::is-disagrees
  n2["endpoint<br/>10.244.2.4 port 8080 takes new connections"]:::is-step
  n3["policy on node-2<br/>closed denies it<br/>networkpolicy/shop/closed spec.ingress = []"]:::is-blamed
  n4["✗ closed denies it"]:::is-deny
  n5["networkpolicy/shop/closed<br/>spec.ingress = []"]:::is-blamed
  n6["endpoint<br/>10.244.2.3 port 8080 takes new connections"]:::is-step
  n7["socket on node-2<br/>container main listens"]:::is-step
  n8["reply on node-2<br/>leaves to node-1"]:::is-step
  n9["reply on node-1<br/>is translated back"]:::is-step
  n10["✓ reaches pod/shop/web-a"]:::is-allow
  n0 --> n1
  n1 -->|"1 of 2"| n2
  n2 --> n3
  n3 --> n4
  n5 -.->|"because"| n4
  n1 -->|"1 of 2"| n6
  n6 --> n7
  n7 -.->|"reply"| n8
  n8 -.->|"reply"| n9
  n9 -.->|"reply"| n0
  n7 --> n10
  classDef is-allow fill:#e8f5e9,stroke:#2e7d32,color:#000000
  classDef is-blamed fill:#ffcdd2,stroke:#b71c1c,color:#000000,stroke-width:3px
  classDef is-deny fill:#ffebee,stroke:#c62828,color:#000000
  classDef is-disagrees fill:#fff3e0,stroke:#ef6c00,color:#000000
  classDef is-end fill:#e8eaf6,stroke:#3949ab,color:#000000
  classDef is-step fill:#ffffff,stroke:#757575,color:#000000`,
  )
})

test('DOT: a denial before any endpoint ends the way there', () => {
  assert.equal(
    renderDot({ ...answer, branches: [], steps: closed.steps.slice(1), verdict: closed.verdict }),
    `digraph why {
  label="pod/shop/client → svc/shop/web:80/tcp"
  node [shape=box, style="rounded,filled", fontname="sans-serif"]
  n0 [label="pod/shop/client", fillcolor="#e8eaf6", color="#3949ab"]
  n1 [label="policy on node-2\\nclosed denies it\\nnetworkpolicy/shop/closed spec.ingress = []", fillcolor="#ffcdd2", color="#b71c1c", penwidth=3]
  n2 [label="✗ closed denies it", fillcolor="#ffebee", color="#c62828"]
  n3 [label="networkpolicy/shop/closed\\nspec.ingress = []", fillcolor="#ffcdd2", color="#b71c1c", penwidth=3]
  n0 -> n1
  n1 -> n2
  n3 -> n2 [label="because", style=dashed]
}`,
  )
})

test('no text of an object ends its label or adds to the picture', () => {
  const evil = 'a"]; n0 --> x\n%% `b` <img src=x> #quot; & \\'
  const dark = { ...answer, branches: [], steps: [{ stage: 'service' as const, says: evil }] }
  const mermaid = renderMermaid(dark).split('\n')
  assert.equal(
    mermaid.find((line) => line.startsWith('  n1[')),
    '  n1["service<br/>a#34;]#59; n0 --#62; x %% #96;b#96; #60;img src=x#62; #35;quot#59; #38; #92;"]:::is-step',
  )
  const dot = renderDot(dark).split('\n')
  assert.equal(
    dot.find((line) => line.startsWith('  n1 [')),
    '  n1 [label="service\\na\\"]; n0 --> x %% `b` <img src=x> #quot; & \\\\", fillcolor="#ffffff", color="#757575"]',
  )
  const hostName = renderMermaid({
    ...dark,
    question: { ...answer.question, to: { kind: 'name', name: 'x\n}%%{init}' } },
  })
  assert.equal(hostName.split('\n').length, mermaid.length)
})

test('of many endpoints eight are drawn and the others counted', () => {
  const many = renderMermaid({ ...answer, branches: Array.from({ length: 11 }, () => open) })
  assert.equal(many.match(/takes new connections/g)?.length, 8)
  assert.match(many, /… and 3 more endpoints/)
})

test('the endpoint that fails is drawn among many that do not; a verdict that no endpoint tells is drawn too', () => {
  const last = renderMermaid({ ...answer, branches: [...Array.from({ length: 11 }, () => open), closed] })
  assert.match(last, /"✗ closed denies it"/)
  assert.doesNotMatch(last, /1 of 2 endpoints cannot be reached/)
  const turned = renderMermaid({ ...answer, branches: [open] })
  assert.match(turned, /"✗ 1 of 2 endpoints cannot be reached"\]:::is-deny/)
})

// Graphviz' own grammar (graphviz.org/doc/info/lang.html) and Mermaid's flowcharts, as far as these pictures use them.
const quoted = String.raw`"(?:[^"\\\n]|\\.)*"`
const attribute = String.raw`[a-z]+=(?:${quoted}|[a-z]+|\d+)`
const attributes = String.raw`\[${attribute}(?:, ${attribute})*\]`
const dotLine = new RegExp(
  String.raw`^(?:digraph [a-z]+ \{|  label=${quoted}|  node ${attributes}|  n\d+ ${attributes}|  n\d+ -> n\d+(?: ${attributes})?|\})$`,
)
const mermaidLine =
  /^(?:%% [^\n{}]*|flowchart TD| {2}n\d+\["[^"#;<>`\\]*(?:(?:#\d+;|<br\/>)[^"#;<>`\\]*)*"\]:::is-[a-z]+| {2}n\d+ (?:-->|-\.->)(?:\|"[^"<>`\\]*"\|)? n\d+| {2}classDef is-[a-z]+ fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#[0-9a-f]{6}(?:,stroke-width:\dpx)?)$/

test('whatever objects are called, both pictures keep to their grammars, and arrows join boxes that are there', () => {
  const nasty = fc.oneof(
    fc.string(),
    fc.constantFrom('"]', '\\', '\n', '}', '%%{init: {}}%%', '-->', '|x|', 'end', '<b>', '#34;', '`'),
  )
  const text = fc.array(nasty, { maxLength: 5 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(text, text, text, (says, object, name) => {
      const because = { object, field: says, value: name }
      const step = { stage: 'service' as const, node: name, says, because }
      const branch = { ...open, verdict: { kind: 'deny' as const, says, because }, steps: [step, ...open.steps] }
      const any: Answer = {
        ...answer,
        question: { ...answer.question, to: { kind: 'name', name } },
        steps: [step],
        branches: [branch, open],
      }
      for (const [picture, grammar] of [
        [renderDot(any), dotLine],
        [renderMermaid(any), mermaidLine],
      ] as const) {
        for (const line of picture.split('\n')) assert.match(line, grammar)
        const boxes = new Set([...picture.matchAll(/^ {2}(n\d+) ?\[/gm)].map(([, id]) => id))
        for (const [, from, to] of picture.matchAll(/^ {2}(n\d+) (?:->|-->|-\.->)(?:\|"[^"]*"\|)? (n\d+)/gm))
          assert.ok(boxes.has(from) && boxes.has(to), `${from} and ${to}`)
      }
    }),
    { numRuns: 300 },
  )
})

test('Graphviz draws it', { skip: spawnSync('dot', ['-V']).error ? 'graphviz is not installed' : false }, () => {
  const { status, stdout, stderr } = spawnSync('dot', ['-Tsvg'], { input: renderDot(answer) })
  assert.equal(status, 0, stderr.toString())
  assert.match(stdout.toString(), /<svg/)
})
