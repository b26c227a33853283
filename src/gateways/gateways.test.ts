import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ingress, ourClass, path, service, slice, sourcesOf } from './cluster.fixture.ts'
import { compileGateways, compileServers, explainRequest, ingressStatus, lowerGateway, planGateway } from './index.ts'
import type { Ingress } from './ingress.ts'

const services = ['a', 'b', 'c', 'd'].map((name) => service(name))

function answer(ingresses: readonly Ingress[], host: string, at: string): string {
  const model = compileGateways(sourcesOf({ ingresses, services }))
  const got = explainRequest(model, { host, path: at })
  if (got.kind === 'answered') return String(got.status)
  return got.kind === 'forwarded' ? got.backend.split(':')[1]! : got.kind
}

test('paths: elements, trailing slashes, the longest first, Exact before Prefix', () => {
  const rules = (...paths: Parameters<typeof path>[]) => [
    ingress('web', { rules: [{ http: { paths: paths.map((p) => path(...p)) } }] }),
  ]
  const cases: [Ingress[], [string, string][]][] = [
    [
      rules(['/foo', 'a']),
      [
        ['/foo', 'a'],
        ['/foo/', 'a'],
        ['/foo/bar', 'a'],
        ['/foobar', '404'],
        ['/', '404'],
        ['/FOO', '404'],
      ],
    ],
    [
      rules(['/foo/', 'a']),
      [
        ['/foo', 'a'],
        ['/foo/', 'a'],
        ['/fo', '404'],
      ],
    ],
    [
      rules(['/foo', 'a', 'Exact']),
      [
        ['/foo', 'a'],
        ['/foo/', '404'],
        ['/foo/bar', '404'],
      ],
    ],
    [
      rules(['/', 'a'], ['/aaa', 'b'], ['/aaa/bbb', 'c'], ['/aaa', 'd', 'Exact']),
      [
        ['/', 'a'],
        ['/aaa', 'd'],
        ['/aaa/', 'b'],
        ['/aaa/bbb/c', 'c'],
        ['/aaabbb', 'a'],
      ],
    ],
    [
      rules(['/x', 'a', 'ImplementationSpecific']),
      [
        ['/x/y', 'a'],
        ['/xy', '404'],
      ],
    ],
  ]
  for (const [ingresses, requests] of cases)
    for (const [at, expected] of requests)
      assert.equal(answer(ingresses, 'any.example', at), expected, `${at} of ${JSON.stringify(ingresses[0]?.spec)}`)
})

test('hosts: exact before wildcard, a wildcard is one label, ports and case do not count, default backends come last', () => {
  const ingresses = [
    ingress('hosts', {
      defaultBackend: { service: { name: 'd', port: { name: 'http' } } },
      rules: [
        { host: '*.foo.com', http: { paths: [path('/', 'b')] } },
        { host: 'bar.foo.com', http: { paths: [path('/only', 'a')] } },
      ],
    }),
  ]
  const cases = [
    ['bar.foo.com', '/only', 'a'],
    ['BAR.foo.com:8080', '/only', 'a'],
    ['bar.foo.com', '/', 'd'],
    ['baz.foo.com', '/', 'b'],
    ['x.baz.foo.com', '/', 'd'],
    ['foo.com', '/', 'd'],
  ] as const
  for (const [host, at, expected] of cases) assert.equal(answer(ingresses, host, at), expected, host + at)
})

test('classes: by name, by annotation, by default, and not those of others', () => {
  const spec = { rules: [{ http: { paths: [path('/', 'a')] } }] }
  const bare: Ingress = { ...ingress('bare', spec), spec }
  const other = { ...ourClass, metadata: { name: 'other' }, spec: { controller: 'example.com/other' } }
  const standard = {
    ...ourClass,
    metadata: { name: 'plumb', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
  }
  const annotated = { ...bare, metadata: { ...bare.metadata, annotations: { 'kubernetes.io/ingress.class': 'plumb' } } }
  const wanted = (one: Ingress, classes = [ourClass, other]) =>
    compileGateways(sourcesOf({ ingresses: [one], classes, services })).wanted
  assert.equal(wanted(bare), false)
  assert.equal(wanted(bare, [standard]), true)
  assert.equal(wanted(annotated), true)
  assert.equal(wanted(ingress('x', { ...spec, ingressClassName: 'other' })), false)
  const model = compileGateways(
    sourcesOf({ ingresses: [ingress('x', { ...spec, ingressClassName: 'none' })], services }),
  )
  assert.deepEqual(
    model.findings.map(({ code, field }) => [code, field]),
    [['IngressClassMissing', 'spec.ingressClassName']],
  )
})

test('mistakes are findings, and the rest is served', () => {
  const ingresses = [
    ingress('old', {
      rules: [{ host: 'a.example', http: { paths: [path('/', 'a'), path('/gone', 'gone')] } }],
      tls: [{ hosts: ['a.example'], secretName: 'none' }],
    }),
    ingress(
      'new',
      {
        rules: [
          {
            host: 'a.example',
            http: {
              paths: [
                path('/', 'b'),
                { ...path('/port', 'a'), backend: { service: { name: 'a', port: { number: 81 } } } },
                path('/sp ace', 'a'),
              ],
            },
          },
        ],
      },
      '2026-02-01T00:00:00Z',
    ),
  ]
  const model = compileGateways(sourcesOf({ ingresses, services }))
  assert.deepEqual(model.findings.map(({ code, object }) => `${code} ${object}`).sort(), [
    'BackendMissing ingress/ns/old',
    'BackendPortMissing ingress/ns/new',
    'PathNeverMatches ingress/ns/new',
    'RouteTaken ingress/ns/new',
    'SecretMissing ingress/ns/old',
  ])
  assert.equal(answer(ingresses, 'a.example', '/'), 'a')
  assert.equal(answer(ingresses, 'a.example', '/gone/x'), '500')
  assert.equal(answer(ingresses, 'a.example', '/port'), '500')
  for (const one of ingresses) assert.deepEqual(ingressStatus(one, [ourClass], []), { loadBalancer: { ingress: [] } })
  assert.equal(ingressStatus(ingresses[0]!, [], []), undefined)
})

test('an endpoint or a route to a known backend is a command, a new backend a reload', () => {
  const place = { directory: '/run/x', defaultCertificate: 'PEM', nowMs: 0 }
  const lowered = (addresses: readonly string[], ...paths: Parameters<typeof path>[]) => {
    const sources = sourcesOf({
      ingresses: [ingress('web', { rules: [{ http: { paths: paths.map((p) => path(...p)) } }] })],
      services,
      slices: [slice('a', addresses)],
    })
    return lowerGateway(compileGateways(sources), (backend) => compileServers(backend, sources), place, '')
  }
  const first = lowered(['10.0.0.1', '10.0.0.2'], ['/', 'a'])
  assert.deepEqual(planGateway(first, lowered(['10.0.0.1', '10.0.0.2'], ['/', 'a'])), { kind: 'nothing' })
  const kinds = (plan: ReturnType<typeof planGateway>) =>
    plan.kind === 'commands' ? plan.commands.map(({ kind }) => kind) : plan.kind
  assert.deepEqual(kinds(planGateway(first, lowered(['10.0.0.2', '10.0.0.3'], ['/', 'a']))), [
    'add-server',
    'remove-server',
  ])
  assert.deepEqual(kinds(planGateway(first, lowered(['10.0.0.1', '10.0.0.2'], ['/', 'a'], ['/x', 'a']))), [
    'edit-map',
    'edit-map',
  ])
  assert.equal(kinds(planGateway(first, lowered(['10.0.0.1'], ['/', 'a'], ['/x', 'b']))), 'reload')
})

test('servers: ready ones, else those that still serve while they end', () => {
  const backend = compileGateways(
    sourcesOf({ ingresses: [ingress('web', { rules: [{ http: { paths: [path('/', 'a')] } }] })], services }),
  ).backends[0]!
  const of = (conditions: object) =>
    compileServers(backend, sourcesOf({ services, slices: [slice('a', ['10.0.0.1'], 8080, conditions)] })).map(
      ({ address }) => address,
    )
  assert.deepEqual(of({}), ['10.0.0.1'])
  assert.deepEqual(of({ ready: false }), [])
  assert.deepEqual(of({ ready: false, serving: true, terminating: true }), ['10.0.0.1'])
})
