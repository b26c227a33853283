import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { KubeObject, Service } from '../objects/index.ts'
import { ingress, path, service, sourcesOf } from './cluster.fixture.ts'
import { compileGateways, convertIngresses, explainRequest, type RequestAnswer } from './index.ts'
import type { Ingress } from './ingress.ts'
import type { ConfigMap, GatewayApiSources, Lookup } from './sources.ts'

const to = { namespace: 'ns', name: 'gw', gatewayClass: 'plumb' }
const services = ['a', 'b', 'c', 'd'].map((name) => service(name))
const lookup = new Map(services.map((one) => [`ns/${one.metadata.name}`, one]))
const headers: Lookup<ConfigMap> = new Map([
  [
    'ns/headers',
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'headers', namespace: 'ns' }, data: { 'x-a': 'b' } },
  ],
])
/** Nodes bind 20000 more than the port, as the controller arranges it. */
const gatewayService: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'gw-plumb', namespace: 'ns' },
  spec: { ports: [{ name: 'port-80', port: 80, targetPort: 20_080 }] },
}
const gatewayClass = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'GatewayClass',
  metadata: { name: 'plumb' },
  spec: { controllerName: 'plumb.network/gateway-controller' },
}

function modelOf(objects: readonly KubeObject[]) {
  const all = (kind: string): never[] => objects.filter((one) => one.kind === kind) as never[]
  const gatewayApi: Partial<GatewayApiSources> = {
    classes: [gatewayClass],
    gateways: all('Gateway'),
    httpRoutes: all('HTTPRoute'),
    tlsRoutes: all('TLSRoute'),
    grants: all('ReferenceGrant'),
  }
  return compileGateways(sourcesOf({ services: [...services, gatewayService], gatewayApi }))
}

/** What comes of a request, without the names of what decided it. */
function outcome(answer: RequestAnswer): unknown {
  if (answer.kind === 'answered') return { status: answer.status, filters: answer.rule?.action.filters ?? [] }
  if (answer.kind !== 'forwarded') return answer.kind
  const { targets, filters, timeoutMs } = answer.action
  const shares = targets.map(({ weight, target }) => [
    targets.length > 1 ? weight : 1,
    target.kind === 'backend' ? target.id : 'broken',
  ])
  return { shares, filters, timeoutMs }
}

const hosts = ['', 'a.example', '*.a.example', 'b.a.example', 'z.example']
const paths = ['/', '/x', '/x/', '/x/y', '/y', '/x/y/z']
const annotations = fc.constantFrom<Record<string, string>>(
  {},
  {},
  { 'rewrite-target': '/new' },
  { 'app-root': '/x' },
  { 'permanent-redirect': 'https://new.example/there' },
  { 'x-forwarded-prefix': '/p', 'upstream-vhost': 'inner.example', 'proxy-read-timeout': '7' },
  { 'enable-cors': 'true' },
  { 'custom-headers': 'ns/headers' },
  { 'mirror-target': 'http://b.ns.svc/$request_uri' },
  { 'server-alias': 'z.example,alias.example', 'from-to-www-redirect': 'true' },
  { canary: 'true', 'canary-weight': '30' },
  { canary: 'true', 'canary-by-header': 'x-canary' },
)
const anyIngress = fc.tuple(
  annotations,
  fc.array(
    fc.tuple(
      fc.constantFrom(...hosts),
      fc.constantFrom(...paths),
      fc.constantFrom('a', 'b', 'c', 'gone'),
      fc.constantFrom('Prefix' as const, 'Exact' as const, 'ImplementationSpecific' as const),
    ),
    { maxLength: 6 },
  ),
  fc.constantFrom(undefined, 'd'),
)
const anyRequest = fc.record({
  host: fc.constantFrom(
    'a.example',
    'b.a.example',
    'q.a.example',
    'c.b.a.example',
    'z.example',
    'www.z.example',
    'alias.example',
    'n',
  ),
  path: fc.constantFrom(...paths, '/x//y', '/xy', '/new'),
  headers: fc.constantFrom<Record<string, string>>({}, { 'x-canary': 'always' }, { 'x-canary': 'never' }),
})

function ingressOf(
  [notes, rules, fallback]: typeof anyIngress extends fc.Arbitrary<infer T> ? T : never,
  at: number,
): Ingress {
  const made = ingress(`i${at}`, {
    rules: rules.map(([host, text, name, type]) => ({
      ...(host && { host }),
      http: { paths: [path(text, name, type)] },
    })),
    ...(fallback && { defaultBackend: { service: { name: fallback, port: { name: 'http' } } } }),
  })
  const prefixed = Object.entries(notes).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value])
  return { ...made, metadata: { ...made.metadata, annotations: Object.fromEntries(prefixed) } }
}

test('requests are led alike by random Ingresses and by what they are converted to, but where the report says otherwise', () => {
  let compared = 0
  fc.assert(
    fc.property(
      fc.array(anyIngress, { minLength: 1, maxLength: 4 }),
      fc.array(anyRequest, { minLength: 10, maxLength: 20 }),
      (drawn, requests) => {
        const ingresses = drawn.map(ingressOf)
        const { objects, notes } = convertIngresses(ingresses, lookup, headers, to)
        const before = compileGateways(sourcesOf({ ingresses, services, configMaps: headers }))
        const after = modelOf(objects)
        for (const request of requests) {
          const isDeep = request.host.split('.').length > 3
          if (isDeep && notes.some(({ code }) => code === 'WildcardDepth')) continue
          const was = explainRequest(before, request)
          const is = explainRequest(after, { ...request, port: 20_080 })
          // Without any route no Gateway is made, and nobody listens.
          if (objects.length === 0) assert.equal(was.kind === 'answered' && was.status, 404)
          else assert.deepEqual(outcome(is), outcome(was), `${JSON.stringify(request)} ${JSON.stringify(objects)}`)
          compared++
        }
      },
    ),
    { numRuns: 400 },
  )
  assert.ok(compared > 1000)
})

function annotated(name: string, notes: Record<string, string>, spec: Ingress['spec']): Ingress {
  const made = ingress(name, spec)
  const prefixed = Object.entries(notes).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value])
  return { ...made, metadata: { ...made.metadata, annotations: Object.fromEntries(prefixed) } }
}

const rulesFor = (host: string, ...all: ReturnType<typeof path>[]) => ({ rules: [{ host, http: { paths: all } }] })

test('TLS: a listener for each host, grants for Secrets elsewhere, redirects at HTTP alone, passthrough as a TLSRoute', () => {
  const secure = annotated(
    'secure',
    { 'ssl-redirect': 'true' },
    {
      ...rulesFor('tls.example', path('/', 'a')),
      tls: [{ hosts: ['tls.example'], secretName: 'secret' }],
    },
  )
  const passed = annotated('passed', { 'ssl-passthrough': 'true' }, rulesFor('pass.example', path('/', 'b')))
  const { objects, notes } = convertIngresses([secure, passed], lookup, headers, { ...to, namespace: 'edge' })
  const gateway = objects[0] as unknown as { spec: { listeners: { name: string; protocol: string }[] } }
  const { listeners } = gateway.spec
  assert.deepEqual(
    listeners.map(({ name, protocol }) => `${name} ${protocol}`),
    ['http HTTP', 'https-tls-example HTTPS', 'tls-pass-example TLS'],
  )
  const grant = objects.find(({ kind }) => kind === 'ReferenceGrant') as unknown as { spec: object }
  assert.deepEqual(grant.spec, {
    from: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: 'edge' }],
    to: [{ group: '', kind: 'Secret', name: 'secret' }],
  })
  const routes = objects.filter(({ kind }) => kind.endsWith('Route')) as unknown as {
    kind: string
    spec: { parentRefs: { sectionName: string; namespace: string }[]; rules: { filters?: { type: string }[] }[] }
  }[]
  assert.deepEqual(
    routes.map(({ kind, spec }) => [kind, spec.parentRefs[0]!.sectionName, spec.rules[0]!.filters?.[0]?.type]).sort(),
    [
      ['HTTPRoute', 'http', 'RequestRedirect'],
      ['HTTPRoute', 'http', 'RequestRedirect'],
      ['HTTPRoute', 'https-tls-example', undefined],
      ['TLSRoute', 'tls-pass-example', undefined],
    ],
  )
  assert.deepEqual(notes, [])
})

test('the report: what fences or rewrites by groups is left out, TLS to pods needs an authority, common rewrites carry over', () => {
  const objects = (notes: Record<string, string>, spec: Ingress['spec']) =>
    convertIngresses([annotated('one', notes, spec)], lookup, headers, to)
  const all = rulesFor('x.example', path('/', 'a'))
  const codes = ({ notes }: ReturnType<typeof objects>): string[] =>
    notes.map(({ kind, code }) => `${kind} ${code}`).sort()
  const lostHttps = 'lost HttpsWithoutCertificate'
  for (const [annotations, code] of [
    [{ 'whitelist-source-range': '10.0.0.0/8' }, 'lost SourcesNotFenced'],
    [{ 'auth-url': 'https://elsewhere.example/x' }, 'lost AnnotationNotServed'],
    [{ 'auth-url': 'http://a.ns.svc/x' }, 'lost RequestsNotAuthenticated'],
    [{ 'auth-type': 'basic', 'auth-secret': 'users' }, 'lost RequestsNotAuthenticated'],
    [{ 'auth-tls-secret': 'authority' }, 'lost RequestsNotAuthenticated'],
    [{ 'allowlist-source-range': '10.0.0.0/8' }, 'lost SourcesNotFenced'],
  ] as const) {
    const fenced = objects(annotations, all)
    assert.deepEqual(fenced.objects, [], JSON.stringify(annotations))
    assert.deepEqual(codes(fenced), [lostHttps, code].sort())
  }
  const groups = { 'use-regex': 'true', 'rewrite-target': '/v2/$2' }
  const common = objects(groups, rulesFor('x.example', path('/api(/|$)(.*)', 'a', 'ImplementationSpecific')))
  const route = common.objects.find(({ kind }) => kind === 'HTTPRoute') as unknown as { spec: { rules: object[] } }
  assert.deepEqual(route.spec.rules[0], {
    matches: [{ path: { type: 'PathPrefix', value: '/api' } }],
    filters: [{ type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/v2' } } }],
    backendRefs: [{ name: 'a', port: 80 }],
  })
  assert.deepEqual(codes(common), ['changed RewrittenRoot', lostHttps])
  const root = objects(groups, rulesFor('x.example', path('/', 'a', 'ImplementationSpecific')))
  const [, whole] = root.objects as unknown as { spec: { rules: { matches: object[]; filters: object[] }[] } }[]
  assert.deepEqual(whole?.spec.rules[0]?.matches, [{ path: { type: 'PathPrefix', value: '/' } }])
  assert.deepEqual(whole.spec.rules[0].filters, [
    { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplaceFullPath', replaceFullPath: '/v2/' } } },
  ])
  const odd = objects(groups, rulesFor('x.example', path('/a(b+)/(.*)', 'a', 'ImplementationSpecific')))
  assert.deepEqual(odd.objects, [])
  assert.ok(codes(odd).includes('lost RewriteByGroups'))
  const tls = objects({ 'backend-protocol': 'HTTPS' }, all)
  assert.deepEqual(codes(tls), ['changed CertificatesChecked', lostHttps])
  assert.equal(tls.objects.filter(({ kind }) => kind === 'BackendTLSPolicy').length, 1)
  const lost: [Record<string, string>, string][] = [
    [{ 'mirror-target': 'http://a', 'mirror-host': 'b.example' }, 'lost CopiesAsTheyCame'],
    [{ affinity: 'cookie', 'session-cookie-domain': '.example' }, 'lost SessionCookie'],
    [{ 'proxy-cookie-domain': 'a.example b.example' }, 'lost AnswersNotRewritten'],
    [
      {
        'backend-protocol': 'HTTPS',
        'proxy-ssl-secret': 'shown',
        'proxy-ssl-verify': 'on',
        'proxy-ssl-name': 'a.example',
      },
      'lost CertificateNotShown',
    ],
  ]
  for (const [annotations, code] of lost) {
    const converted = objects(annotations, all)
    assert.ok(codes(converted).includes(code), JSON.stringify(codes(converted)))
    assert.ok(
      converted.objects.some(({ kind }) => kind === 'HTTPRoute'),
      JSON.stringify(annotations),
    )
  }
})
