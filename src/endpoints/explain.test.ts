import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Service } from '../objects/index.ts'
import { nodes, pod, service } from './cluster.fixture.ts'
import { compileEndpointSlices } from './compile.ts'
import { explainEndpoint } from './explain.ts'

type Case = [
  name: string,
  Partial<Service['spec']>,
  Parameters<typeof pod>[2],
  verdict: string,
  field: string,
  says: RegExp,
]
const cases: Case[] = [
  ['fits', {}, {}, 'ready', '', /is ready$/],
  [
    'label differs',
    {},
    { labels: { app: 'wbe' } },
    'absent',
    'spec.selector[app]',
    /wants app=web, the Pod has app=wbe/,
  ],
  ['label missing', { selector: { app: 'web', tier: 'x' } }, {}, 'absent', 'spec.selector[tier]', /has no label tier/],
  ['no selector', { selector: undefined }, {}, 'absent', 'spec.selector', /kept by hand/],
  ['ExternalName', { type: 'ExternalName' }, {}, 'absent', 'spec.type', /has no endpoints/],
  ['namespace', {}, { metadata: { namespace: 'x' } }, 'absent', 'metadata.namespace', /own namespace shop/],
  ['ended', {}, { status: { phase: 'Failed' } }, 'absent', 'status.phase', /has ended/],
  ['no address', {}, { status: { podIPs: [], podIP: '' } }, 'absent', 'status.podIPs', /no address yet/],
  ['family', { ipFamilies: ['IPv6'] }, {}, 'absent', 'spec.ipFamilies', /Service's families/],
  ['node', {}, { spec: { nodeName: 'gone' } }, 'absent', 'spec.nodeName', /"gone" does not exist/],
  [
    'port name',
    { ports: [{ port: 80, targetPort: 'htpt' }] },
    {},
    'unready',
    'spec.ports[0].targetPort',
    /"htpt" names no TCP container port in the Pod \(it has http\)/,
  ],
  [
    'port protocol',
    { ports: [{ port: 80, targetPort: 'http', protocol: 'UDP' }] },
    {},
    'unready',
    'spec.ports[0].targetPort',
    /"http" is TCP, the Service's port UDP/,
  ],
  ['unready', {}, { ready: false }, 'unready', 'status.conditions[Ready]', /is not Ready/],
  [
    'terminating',
    {},
    { metadata: { deletionTimestamp: 'x' } },
    'unready',
    'metadata.deletionTimestamp',
    /is terminating/,
  ],
  ['published', { publishNotReadyAddresses: true }, { ready: false }, 'ready', '', /is ready/],
]
for (const [name, spec, parts, verdict, field, says] of cases) {
  test(`explains: ${name}, and agrees with the slices`, () => {
    const svc = service(spec)
    const p = pod('web-0', '10.0.0.1', parts)
    const answer = explainEndpoint({ service: svc, pod: p, node: nodes.get(p.spec.nodeName ?? '') })
    assert.equal(answer.verdict, verdict)
    assert.match(answer.says, says)
    const blocker = answer.steps.find(({ kind }) => kind === 'blocks')
    assert.equal(blocker?.because.field ?? '', field)
    const plan = compileEndpointSlices(svc, [p], nodes, [])
    const endpoint = plan.create.flatMap(({ endpoints }) => endpoints)[0]
    const ported = plan.create.some(({ ports, endpoints }) => endpoints.length > 0 && (ports ?? []).length > 0)
    const told = endpoint === undefined ? 'absent' : endpoint.conditions?.ready && ported ? 'ready' : 'unready'
    assert.equal(told, verdict)
  })
}

test('says that the slices have not caught up, and which slice lists it', () => {
  const p = pod('web-0', '10.0.0.1')
  const question = { service: service(), pod: p, node: nodes.get('node-1') }
  assert.match(explainEndpoint({ ...question, slices: [] }).says, /no EndpointSlice lists it yet/)
  const slice = compileEndpointSlices(service(), [p], nodes, []).create[0]!
  const found = explainEndpoint({ ...question, slices: [{ ...slice, metadata: { ...slice.metadata, name: 'web-x' } }] })
  assert.equal(found.verdict, 'ready')
  assert.equal(found.steps.at(-1)?.because.object, 'endpointslice/shop/web-x')
})
