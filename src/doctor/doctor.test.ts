import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { explainConnection } from '../explain/index.ts'
import { noGatewayApi } from '../gateways/index.ts'
import type { KubeObject, Pod, Service } from '../objects/index.ts'
import { openCapsule, readCapsule, saveCapsule } from './capsule.ts'
import { collected, plain as shape, shapes } from './cluster.fixture.ts'
import type { ControlResult } from './control.ts'
import { diagnose, diagnoseRequest } from './diagnose.ts'
import { findEmitter } from './emitter.ts'
import { requestsOfGateway } from './entry-requests.ts'
import type { Tested } from './examination.ts'
import type { Outcome, Probe } from './probe.ts'
import { renderDiagnosis } from './render.ts'
import { tryFix } from './trial.ts'

const well: Outcome = { kind: 'answered', says: 'connected' }
const silence: Outcome = { kind: 'silence' }

test('nobody is accused in healthy clusters, and the ladder has every rung that there can be', () => {
  fc.assert(
    fc.property(shapes, (one) => {
      const diagnosis = diagnose(collected(one, () => well))
      assert.deepEqual(diagnosis.causes, [])
      assert.equal(diagnosis.kind, 'healthy', diagnosis.says)
      const seen = new Set(diagnosis.tested.map(({ probe }) => probe.rung))
      for (const rung of ['loopback', 'pod', 'own-node', 'client-pod', 'cluster-ip'] as const)
        assert.ok(seen.has(rung), rung)
      assert.equal(seen.has('node-port'), one.type !== 'ClusterIP')
      assert.equal(seen.has('external'), one.type === 'LoadBalancer')
    }),
    { numRuns: 500 },
  )
})

const outcomes = fc.constantFrom<Outcome>(
  well,
  silence,
  { kind: 'refused', by: 'reset', says: '' },
  { kind: 'refused', by: 'icmp', says: 'port unreachable' },
  { kind: 'unreachable', says: 'EHOSTUNREACH' },
  { kind: 'closed', how: 'end' },
  { kind: 'stalled' },
  { kind: 'garbled', speaks: 'tls', says: 'a TLS alert came back' },
  { kind: 'garbled', speaks: 'other', says: '"SSH-2.0" came back to HTTP' },
  { kind: 'answered', says: 'HTTP 502', http: { status: 502, headers: {}, body: '' } },
  { kind: 'unseen', says: 'the place cannot be entered' },
)

test('any outcomes at all are judged and told, each cause with object, field and remedy; what fails is never called healthy', () => {
  fc.assert(
    fc.property(shapes, fc.array(outcomes, { minLength: 1, maxLength: 40 }), (one, some) => {
      let at = 0
      const diagnosis = diagnose(collected(one, () => some[at++ % some.length]!))
      assert.ok(renderDiagnosis(diagnosis).length > 0)
      for (const { object, field, says, fix } of diagnosis.causes) assert.ok(object && field && says && fix.says)
      const failed = diagnosis.tested.some(({ result }) =>
        result.tries.some(({ outcome }) => outcome !== well && outcome.kind !== 'unseen'),
      )
      assert.equal(diagnosis.kind === 'healthy' || diagnosis.kind === 'untried', !failed)
      assert.equal(diagnosis.kind === 'untried' && diagnosis.causes.length > 0, false)
    }),
    { numRuns: 300 },
  )
})

test('what no rule explains is not pinned on anybody, and the first failing rung is named', () => {
  const lost = diagnose(collected(shape, ({ rung }) => (rung === 'own-node' ? silence : well)))
  assert.equal(lost.kind, 'unexplained')
  assert.equal(lost.firstFailing, 'own-node')
  assert.match(lost.says, /own-node fails, and nothing that is known explains it/)
})

const cases: readonly {
  says: string
  rule: string
  object: RegExp
  answer: (probe: Probe) => Outcome
  change?: (one: ReturnType<typeof collected>) => ReturnType<typeof collected>
}[] = [
  {
    says: 'a full table of connections',
    rule: 'conntrack-full',
    object: /^node\/node-1$/,
    answer: ({ rung }) => (rung === 'own-node' ? silence : well),
    change: (one) => ({
      ...one,
      nodes: one.nodes.map((state) =>
        state.node === 'node-1' ? { ...state, conntrack: { count: 999, max: 1000 } } : state,
      ),
    }),
  },
  {
    says: 'a table of neighbours without room',
    rule: 'neighbour-table-full',
    object: /^node\/node-1$/,
    answer: ({ rung }) => (rung === 'own-node' ? silence : well),
    change: (one) => ({ ...one, rises: [{ place: 'node/node-1', counter: 'neighbours', by: 3 }] }),
  },
  {
    says: 'a pod that loses what it sends to itself',
    rule: 'hairpin',
    object: /^pod\/ns\/web-0$/,
    answer: ({ rung }) => (rung === 'hairpin' ? silence : well),
  },
  {
    says: 'a node that does not forward',
    rule: 'not-forwarding',
    object: /^node\/node-0$/,
    answer: ({ rung }) => (rung === 'other-node' ? silence : well),
    change: (one) => ({
      ...one,
      nodes: one.nodes.map((state) =>
        state.node === 'node-0' ? { ...state, forwarding: { 4: false, 6: true } } : state,
      ),
    }),
  },
  {
    says: 'a DNS server that does not know the name',
    rule: 'dns',
    object: /^service\/ns\/web$/,
    answer: ({ rung }) => (rung === 'name' ? { kind: 'garbled', speaks: 'other', says: 'web.ns is NXDOMAIN' } : well),
    change: (one) => {
      const name: Probe = {
        id: 'name',
        rung: 'name',
        from: { kind: 'pod', namespace: 'ns', name: 'client' },
        address: '10.96.0.10' as never,
        port: 53,
        transport: 'udp',
        speech: { kind: 'dns', name: 'web.ns', type: 'A' },
        tries: 1,
      }
      const outcome: Outcome = { kind: 'garbled', speaks: 'other', says: 'web.ns is NXDOMAIN' }
      return { ...one, results: [...one.results, { probe: name, tries: [{ outcome, ms: 1, wire: undefined }] }] }
    },
  },
]
for (const { says, rule, object, answer, change = (same: ReturnType<typeof collected>) => same } of cases) {
  test(`the doctor names ${says}`, () => {
    const [first] = diagnose(change(collected(shape, answer))).causes
    assert.equal(first?.rule, rule)
    assert.match(first?.object ?? '', object)
  })
}

test('every probe of the ladder that the network carries has an answer of the model', () => {
  const one = collected(shape, () => well)
  for (const { probe, answer } of diagnose(one).tested) {
    if (probe.rung === 'loopback') assert.equal(answer, undefined)
    else assert.ok(answer?.verdict.kind === 'allow', `${probe.id}: ${answer?.verdict.says}`)
  }
  assert.equal(
    explainConnection(
      one.snapshot,
      {
        from: { kind: 'node', name: 'node-0' },
        to: { kind: 'service', namespace: 'ns', name: 'web' },
        transport: 'tcp',
      },
      one.facts,
    ).verdict.kind,
    'allow',
  )
})

test('a remedy is tried on the model: it helps or does not, and what else changes is told', () => {
  const rename = (selector: Record<string, string>) => (objects: KubeObject[]) =>
    objects
      .filter(({ kind }) => kind !== 'EndpointSlice')
      .map((one) => (one.kind === 'Service' ? { ...one, spec: { ...(one as Service).spec, selector } } : one))
  const refused = (probe: Probe): Outcome =>
    probe.rung === 'name' ? well : { kind: 'refused', by: 'icmp', says: 'port unreachable' }
  const { examination, causes } = diagnose(collected(shape, refused, rename({ app: 'wbe' })))
  const trial = tryFix(examination!, causes[0]!)
  assert.deepEqual(causes[0]?.fix.patch?.body, { spec: { selector: { app: 'web' } } })
  assert.equal(trial?.helps, true, trial?.says)
  assert.deepEqual(trial?.changes, ['pods join: ns/web-0, ns/web-1'])
  const wrong = { ...causes[0]!.fix.patch!, body: { spec: { selector: { app: 'nobody' } } } }
  const worse = tryFix(examination!, { ...causes[0]!, fix: { says: '', patch: wrong } })
  assert.equal(worse?.helps, false)
  assert.match(worse?.says ?? '', /there would still be no endpoint|no endpoint serves/)
})

const gatewayProbe: Probe = {
  id: 'gateway node-0',
  rung: 'gateway',
  from: { kind: 'outside' },
  address: '172.30.0.10' as never,
  port: 80,
  transport: 'tcp',
  speech: { kind: 'http', host: 'web.example', path: '/' },
  tries: 1,
  target: 'node/node-0',
}
const status = (code: number, headers: Record<string, string> = {}): Outcome => ({
  kind: 'answered',
  says: `HTTP ${code}`,
  http: { status: code, headers, body: '' },
})
const testedAs = (probe: Probe, outcome: Outcome): Tested => ({
  probe,
  good: outcome.kind === 'answered' && (outcome.http?.status ?? 0) < 500,
  result: { probe, tries: [{ outcome, ms: 1, wire: undefined }] },
  answer: undefined,
})
const control = (code: number, state: string, own: boolean): ControlResult => ({
  plan: {
    place: { kind: 'node', name: 'node-0' },
    to: 'pods',
    backends: [],
    speech: 'http',
    host: '',
    path: '/',
    tries: 1,
  },
  tries: [{ status: code, server: '10.244.0.2:8080', state, says: '', own, connectMs: 0, firstByteMs: 1 }],
})
const made = 'plumb; error=connection_refused'
const emitters: readonly {
  says: string
  gateway: Outcome
  pod: Outcome
  control: ControlResult
  who: string
  blame?: RegExp
}[] = [
  {
    says: 'the gateway, for a backend that fails a proxy apart from it too',
    gateway: status(503, { 'proxy-status': made }),
    pod: { kind: 'refused', by: 'reset', says: '' },
    control: control(503, 'SC', false),
    who: 'gateway',
    blame: /they are to blame/,
  },
  {
    says: 'the gateway, for no fault of the backend',
    gateway: status(503, { 'proxy-status': made }),
    pod: status(200),
    control: control(200, '--', true),
    who: 'gateway',
    blame: /the gateway is to blame/,
  },
  {
    says: 'the application, asked with nothing in between',
    gateway: status(502),
    pod: status(502),
    control: control(502, '--', true),
    who: 'backend',
  },
  {
    says: 'the application, by the header of the proxy before it',
    gateway: status(502, { 'proxy-status': 'edge; received-status=502' }),
    pod: status(200),
    control: control(200, '--', true),
    who: 'backend',
  },
  {
    says: 'the application, by the control’s log',
    gateway: status(500),
    pod: { kind: 'stalled' },
    control: control(500, '--', true),
    who: 'backend',
  },
]
for (const { says, gateway, pod, control: one, who, blame } of emitters) {
  test(`who made a 5xx: ${says}`, () => {
    const found = findEmitter([testedAs(gatewayProbe, gateway), testedAs({ ...gatewayProbe, rung: 'pod' }, pod)], [one])
    assert.equal(found?.who, who)
    if (blame !== undefined) assert.match(found?.says ?? '', blame)
    assert.ok((found?.proof.length ?? 0) >= 2)
  })
}

test('no emitter is named where nobody saw a 5xx', () => {
  assert.equal(findEmitter([testedAs(gatewayProbe, status(200))], []), undefined)
})

test('a capsule is judged as the cluster was, anywhere, and holds no secrets', () => {
  fc.assert(
    fc.property(shapes, fc.array(outcomes, { minLength: 1, maxLength: 20 }), (one, some) => {
      let at = 0
      const before = collected(
        one,
        () => some[at++ % some.length]!,
        (objects) =>
          objects.map((object) =>
            object.kind === 'Pod'
              ? {
                  ...object,
                  spec: {
                    ...(object as Pod).spec,
                    containers: (object as Pod).spec.containers.map((c) => ({
                      ...c,
                      env: [{ name: 'TOKEN', value: 's3cret' }],
                    })),
                  },
                }
              : object,
          ),
      )
      const text = JSON.stringify(saveCapsule(before.snapshot, before.facts, [before], '2026-01-01T00:00:00Z'))
      assert.ok(!text.includes('s3cret'))
      const capsule = readCapsule(text)
      assert.ok(typeof capsule !== 'string')
      const [after] = openCapsule(capsule)
      assert.equal(renderDiagnosis(diagnose(after!)), renderDiagnosis(diagnose(before)))
    }),
    { numRuns: 50 },
  )
})

test('what is no capsule is refused with the reason', () => {
  assert.equal(readCapsule('no'), 'is not JSON')
  assert.match(String(readCapsule('{}')), /is no capsule of this version/)
  assert.match(String(readCapsule('{"schema":"plumb.network/capsule/v1"}')), /lacks objects/)
})

test('a policy that lets the client in and keeps nodes out is meant so, and accuses nobody', () => {
  const policy = (app: string): KubeObject =>
    ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'allow', namespace: 'ns' },
      spec: {
        podSelector: { matchLabels: { app: 'web' } },
        ingress: [{ from: [{ podSelector: { matchLabels: { app } } }] }],
      },
    }) as KubeObject
  const nodesKeptOut = ({ rung }: Probe): Outcome => (rung === 'other-node' ? silence : well)
  const meant = diagnose(collected({ ...shape, type: 'ClusterIP' }, nodesKeptOut, (all) => [...all, policy('client')]))
  assert.equal(meant.kind, 'healthy', meant.says)
  const clientsToo = ({ rung }: Probe): Outcome => (['other-node', 'client-pod'].includes(rung) ? silence : well)
  const denied = diagnose(collected({ ...shape, type: 'ClusterIP' }, clientsToo, (all) => [...all, policy('other')]))
  assert.equal(denied.causes[0]?.rule, 'policy-denies', denied.says)
  assert.equal(denied.causes[0].object, 'networkpolicy/ns/allow')
  const trial = tryFix(denied.examination!, denied.causes[0])
  assert.deepEqual(trial, {
    helps: true,
    says: 'tried on the model: 4 of 4 probes that failed would get through',
    changes: ['the policy is for 2 pods, all of which it opens so'],
  })
})

test('session affinity is told as what keeps a client at a bad endpoint, and is no certain cause', () => {
  const bad = '10.244.1.3'
  const answer = ({ rung, address }: Probe): Outcome => (rung === 'cluster-ip' || address === bad ? silence : well)
  const { causes } = diagnose(collected({ ...shape, affinity: true }, answer))
  const cause = causes.find(({ rule }) => rule === 'session-affinity')
  assert.equal(cause?.confidence, 'possible')
  assert.equal(cause?.field, 'spec.sessionAffinity')
  assert.ok(
    !diagnose(collected({ ...shape, affinity: false }, answer)).causes.some(({ rule }) => rule === 'session-affinity'),
  )
})

const forwarded = {
  kind: 'forwarded',
  backend: 'ns:web:80',
  action: { id: 'ingress/ns/web', filters: [], targets: [] },
  rule: { because: { object: 'ingress/ns/web', field: 'spec.rules[0]', value: '' } },
  lost: [],
} as never

test('a gateway that fails where the control is served is to blame itself, and a silent one is not', () => {
  const routed = {
    request: { scheme: 'http', host: 'web.example', path: '/', objects: [] },
    model: {
      wanted: true,
      entrances: [],
      backends: [],
      certificates: [],
      authorities: [],
      userLists: [],
      findings: [],
    },
    answer: forwarded,
    now: '2026-01-01T00:00:00Z',
    backend: undefined,
  } as const
  const judge = (outcome: Outcome, one: ControlResult) =>
    diagnoseRequest({ ...routed, tested: [testedAs(gatewayProbe, outcome)], controls: [one] })
  const refused: Outcome = { kind: 'refused', by: 'reset', says: '' }
  const blamed = judge(refused, control(200, '--', true))
  assert.equal(blamed.causes[0]?.rule, 'gateway-itself')
  assert.equal(blamed.causes[0]?.object, 'node/node-0')
  assert.equal(judge(silence, control(200, '--', true)).kind, 'unexplained')
  assert.equal(judge(refused, control(503, 'SC', false)).kind, 'unexplained')
  assert.equal(judge(status(200), control(200, '--', true)).kind, 'healthy')
})

test('behind a gateway that ends TLS a redirect to the very URL that was asked for is told as one', () => {
  const probe: Probe = {
    ...gatewayProbe,
    speech: { kind: 'https', host: 'web.example', path: '/cart', sni: 'web.example' },
  }
  const judge = (location: string) => {
    const http = { status: 301, headers: { location }, body: '' }
    const outcome: Outcome = { kind: 'answered', says: 'HTTP 301', http }
    const result = { probe, tries: [{ outcome, ms: 1, wire: undefined }] }
    return diagnoseRequest({
      request: { scheme: 'https', host: 'web.example', path: '/cart', objects: [] },
      model: {
        wanted: true,
        entrances: [],
        backends: [],
        certificates: [],
        authorities: [],
        userLists: [],
        findings: [],
      },
      answer: forwarded,
      now: '2026-01-01T00:00:00Z',
      backend: undefined,
      tested: [{ result, probe, good: true, answer: undefined }],
      controls: [],
    })
  }
  const [cause] = judge('https://web.example/cart').causes
  assert.equal(cause?.rule, 'request-loops')
  assert.match(cause?.says ?? '', /does not look at X-Forwarded-Proto/)
  assert.equal(judge('https://web.example/login').kind, 'healthy')
  assert.equal(judge('http://web.example/cart').kind, 'healthy')
})

test('of a Gateway is asked what its listeners and routes promise', () => {
  const route = (name: string, spec: object) => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name, namespace: 'shop' },
    spec,
  })
  const gateway = {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'front', namespace: 'shop' },
    spec: {
      listeners: [
        { name: 'http', port: 80, protocol: 'HTTP' },
        { name: 'https', port: 8443, protocol: 'HTTPS', hostname: '*.shop.example' },
        { name: 'tcp', port: 5432, protocol: 'TCP' },
      ],
    },
  }
  const httpRoutes = [
    route('cart', {
      parentRefs: [{ name: 'front', sectionName: 'http' }],
      hostnames: ['cart.shop.example'],
      rules: [{ matches: [{ path: { type: 'PathPrefix', value: '/cart' } }] }],
    }),
    route('elsewhere', { parentRefs: [{ name: 'front', namespace: 'other' }] }),
  ]
  const asked = requestsOfGateway({ ...noGatewayApi, gateways: [gateway], httpRoutes }, gateway)
  assert.deepEqual(
    asked.map(({ scheme, host, port, path, objects }) => `${scheme}://${host}:${port}${path} ${objects.join(' ')}`),
    [
      'http://cart.shop.example:80/cart gateway/shop/front httproute/shop/cart',
      'https://any.shop.example:8443/ gateway/shop/front',
    ],
  )
})

test('where nothing could be sent nobody is accused of what nobody tried, and it is not called healthy', () => {
  const unsent: Outcome = { kind: 'unseen', says: 'no lab' }
  fc.assert(
    fc.property(shapes, (one) => {
      const diagnosis = diagnose(collected(one, () => unsent))
      assert.equal(diagnosis.kind, 'untried')
      assert.deepEqual(diagnosis.unseen, ['no lab'])
      assert.match(renderDiagnosis(diagnosis), /^· .*nothing could be tried/)
    }),
    { numRuns: 100 },
  )
})
