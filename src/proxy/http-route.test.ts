import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { KubeObject } from '../objects/index.ts'
import { gatewayClass, gatewayOf, routeOf, serviceOf, sliceOf, to } from './gateway-objects.fixture.ts'
import { GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
const names = ['a', 'b', 'c', 'd']
const ports: Readonly<Record<string, number>> = { a: 8001, b: 8002, c: 8003, d: 8004 }
const http = { name: 'http', port: 80, protocol: 'HTTP' }

before(async () => {
  gateway = new GatewayRig()
  const [one] = gateway.rig.backends
  for (const name of names) gateway.serve(one, ports[name]!)
  const services = names.flatMap((name) => [serviceOf(name), sliceOf(name, ports[name]!, one)])
  await gateway.change([gatewayClass, ...gatewayOf('gw', [http]), ...services])
})
after(() => gateway.close())

interface Answer {
  readonly status: number
  readonly head: string
  readonly from: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** Asks port 80 of the Gateway with curl. */
async function ask(url: string, ...words: readonly string[]): Promise<Answer> {
  const { host } = new URL(url)
  const said = await gateway.curl('-i', '--path-as-is', '--connect-to', `${host}:80:203.0.113.1:20080`, ...words, url)
  const [head = '', body = ''] = said.split('\r\n\r\n')
  const status = Number(/^HTTP\/\S+ (\d+)/.exec(head)?.[1])
  const told = status === 200 && body.startsWith('{') ? JSON.parse(body) : {}
  return { status, head, from: told.from ?? '', path: told.path ?? '', headers: told.headers ?? {} }
}

const podOf = (name: string): string => `backend-1:${ports[name]}`
const serve = (name: string, rules: readonly object[], more: Parameters<typeof routeOf>[3] = {}) =>
  gateway.change([routeOf('HTTPRoute', name, rules, more)])
const drop = (...routes: readonly string[]) =>
  gateway.change(
    [],
    routes.map((name): KubeObject => routeOf('HTTPRoute', name, [])),
  )
const trouble = (): string => `${gateway.log.lines.join('\n')}\n${JSON.stringify(gateway.module.findings)}`

test('the most specific match wins: Exact, longest prefix, method, headers, query, then age', async () => {
  await serve('wide', [
    { matches: [{ path: { type: 'PathPrefix', value: '/' } }], backendRefs: [to('a')] },
    { matches: [{ path: { type: 'PathPrefix', value: '/x' } }], backendRefs: [to('b')] },
    { matches: [{ path: { type: 'Exact', value: '/x/y' } }], backendRefs: [to('c')] },
    { matches: [{ path: { type: 'PathPrefix', value: '/x' }, method: 'POST' }], backendRefs: [to('d')] },
    { matches: [{ headers: [{ name: 'Version', value: 'two' }] }], backendRefs: [to('c')] },
    { matches: [{ queryParams: [{ name: 'q', value: 'a b' }] }], backendRefs: [to('d')] },
    {
      matches: [{ headers: [{ name: 'tier', type: 'RegularExpression', value: 'g[ou]ld.*' }] }],
      backendRefs: [to('b')],
    },
  ])
  await serve('newer', [{ backendRefs: [to('d')] }], { created: '2026-02-01T00:00:00Z' })
  const cases: [string, string, string[]][] = [
    ['/', 'a', []],
    ['/x', 'b', []],
    ['/xy', 'a', []],
    ['/x/', 'b', []],
    ['/x/y', 'c', []],
    ['/x/y/z', 'b', []],
    ['/x/z', 'd', ['-X', 'POST']],
    ['/', 'c', ['-H', 'version: two']],
    ['/', 'a', ['-H', 'version: three']],
    ['/?q=a+b', 'd', []],
    ['/?q=a%20b&q=c', 'd', []],
    ['/?q=c&q=a+b', 'a', []],
    ['/', 'b', ['-H', 'tier: goldmember']],
    ['/', 'a', ['-H', 'tier: silver']],
    ['/x', 'b', ['-H', 'version: two']],
  ]
  for (const [path, name, words] of cases)
    assert.equal((await ask(`http://any.example${path}`, ...words)).from, podOf(name), `${path} ${words}\n${trouble()}`)
  await drop('wide', 'newer')
  const none = await ask('http://any.example/')
  assert.equal(none.status, 404)
  assert.match(none.head, /proxy-status: plumb; error=destination_not_found/)
})

test('a route that changes its conditions needs no reload', async () => {
  const rule = (value: string) => [{ matches: [{ headers: [{ name: 'v', value }] }], backendRefs: [to('a')] }]
  await serve('web', [...rule('0'), { backendRefs: [to('b')] }])
  const { reloads } = gateway.module
  for (const value of ['1', '2', '3']) {
    await serve('web', [...rule(value), { backendRefs: [to('b')] }])
    assert.equal((await ask('http://v.example/', '-H', `v: ${value}`)).from, podOf('a'))
    assert.equal((await ask('http://v.example/')).from, podOf('b'))
  }
  assert.equal(gateway.module.reloads, reloads, trouble())
  await drop('web')
})

test('filters change requests and answers, redirect and rewrite', async () => {
  const prefix = (value: string) => [{ path: { type: 'PathPrefix', value } }]
  await serve('filters', [
    {
      matches: prefix('/headers'),
      filters: [
        {
          type: 'RequestHeaderModifier',
          requestHeaderModifier: {
            set: [{ name: 'X-Set', value: 'a, "b" %41' }],
            add: [{ name: 'x-add', value: 'two' }],
            remove: ['x-gone'],
          },
        },
        {
          type: 'ResponseHeaderModifier',
          responseHeaderModifier: { set: [{ name: 'x-answer', value: 'yes' }], remove: ['date'] },
        },
      ],
      backendRefs: [to('a')],
    },
    {
      matches: prefix('/rewrite'),
      filters: [
        {
          type: 'URLRewrite',
          urlRewrite: { hostname: 'inner.example', path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/new/' } },
        },
      ],
      backendRefs: [to('b')],
    },
    {
      matches: prefix('/root'),
      filters: [{ type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } } }],
      backendRefs: [to('b')],
    },
    {
      matches: prefix('/away'),
      filters: [{ type: 'RequestRedirect', requestRedirect: { scheme: 'https', statusCode: 308 } }],
    },
    {
      matches: prefix('/port'),
      filters: [
        {
          type: 'RequestRedirect',
          requestRedirect: {
            hostname: 'other.example',
            port: 8443,
            path: { type: 'ReplaceFullPath', replaceFullPath: '/there' },
          },
        },
      ],
    },
  ])
  const changed = await ask('http://f.example/headers', '-H', 'x-add: one', '-H', 'x-gone: 1', '-H', 'x-set: old')
  assert.equal(changed.headers['x-set'], 'a, "b" %41', trouble())
  assert.equal(changed.headers['x-add'], 'one, two')
  assert.equal(changed.headers['x-gone'], undefined)
  assert.match(changed.head, /x-answer: yes/)
  assert.doesNotMatch(changed.head, /^date:/im)
  for (const [path, expected] of [
    ['/rewrite', '/new'],
    ['/rewrite/', '/new/'],
    ['/rewrite/a?b=c', '/new/a?b=c'],
    ['/root', '/'],
    ['/root/a', '/a'],
  ] as const)
    assert.equal((await ask(`http://f.example${path}`)).path, expected, path)
  assert.equal((await ask('http://f.example/rewrite')).headers.host, 'inner.example')
  const away = await ask('http://f.example/away/x?y=z')
  assert.equal(away.status, 308)
  assert.match(away.head, /location: https:\/\/f.example\/away\/x\?y=z/)
  assert.match((await ask('http://f.example/port')).head, /302[\s\S]*location: http:\/\/other.example:8443\/there/)
  await drop('filters')
})

test('weights share requests; what is not there takes its share as 500', async () => {
  await serve('split', [{ backendRefs: [to('a', { weight: 3 }), to('gone', { weight: 1 }), to('b', { weight: 0 })] }])
  const count = { 200: 0, 500: 0 } as Record<number, number>
  const agent = gateway.agent(true)
  for (let at = 0; at < 200; at++) {
    const { status, from } = await gateway.ask('s.example', '/', agent, 20_080)
    count[status] = (count[status] ?? 0) + 1
    if (status === 200) assert.equal(from, podOf('a'))
  }
  agent.destroy()
  assert.ok(count[200]! > 110 && count[500]! > 20, JSON.stringify(count))
  assert.equal(count[200]! + count[500]!, 200)
  await drop('split')
})

test('copies of requests arrive elsewhere, with body and headers, and nobody waits for them', async () => {
  const { promise, resolve } = Promise.withResolvers<string>()
  const [, two] = gateway.rig.backends
  const copy = gateway.serve(two, 8009, (request, body) =>
    resolve(`${request.method} ${request.url} ${request.headers['x-a']} ${body}`),
  )
  await gateway.change([serviceOf('copy'), sliceOf('copy', 8009, two)])
  await serve('mirrored', [
    { filters: [{ type: 'RequestMirror', requestMirror: { backendRef: to('copy') } }], backendRefs: [to('a')] },
  ])
  assert.equal((await ask('http://m.example/p?q=1', '-H', 'x-a: b', '-d', 'the body')).from, podOf('a'), trouble())
  assert.equal(await promise, 'POST /p?q=1 b the body')
  copy.close()
  await drop('mirrored')
})

test('dot segments are refused, an id goes through, errors tell it', async () => {
  await serve('web', [{ matches: [{ path: { type: 'PathPrefix', value: '/pub' } }], backendRefs: [to('a')] }])
  for (const path of ['/pub/../admin', '/pub/%2e%2E/admin', '/pub/./x', '/pub/..'])
    assert.equal((await ask(`http://w.example${path}`)).status, 400, path)
  assert.equal((await ask('http://w.example/pub/a%2Fb')).path, '/pub/a%2Fb')
  assert.equal((await ask('http://w.example/pub', '-H', 'x-request-id: abc-1')).headers['x-request-id'], 'abc-1')
  assert.match(
    (await ask('http://w.example/pub', '-H', 'x-request-id: a b')).headers['x-request-id']!,
    /^[0-9A-F]{16}-\d+$/,
  )
  assert.match((await ask('http://w.example/no', '-H', 'x-request-id: abc-2')).head, /x-request-id: abc-2/)
  await drop('web')
})
