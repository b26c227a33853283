import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import { after, before, test } from 'node:test'
import { host } from '../agent/rig.fixture.ts'
import type { KubeObject, Service } from '../objects/index.ts'
import { serviceOf, sliceOf } from './gateway-objects.fixture.ts'
import { ingressOf, plumbClass } from './ingress-objects.fixture.ts'
import { type CurlAnswer, GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
const copies: { path: string | undefined; method: string | undefined; body: string }[] = []

before(async () => {
  gateway = new GatewayRig()
  const [one, two] = gateway.rig.backends
  gateway.serve(one, 8001)
  gateway.serve(two, 80)
  gateway.serve(two, 8003, ({ url, method }, body) => copies.push({ path: url, method, body }))
  await gateway.change([
    plumbClass,
    serviceOf('a'),
    sliceOf('a', 8001, one),
    serviceOf('copy'),
    sliceOf('copy', 8003, two),
  ])
})
const closers: (() => void)[] = []
after(() => {
  for (const close of closers) close()
  return gateway.close()
})

const trouble = (): string => `${gateway.log.lines.join('\n')}\n${JSON.stringify(gateway.module.findings)}`
const codes = (): string[] => gateway.module.findings.map(({ code }) => code).sort()
const headersOf = (name: string, namespace: string, data: Record<string, string>): KubeObject =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data }) as KubeObject

const ask = (name: string, ...words: readonly string[]): Promise<CurlAnswer> => gateway.answer(name, '/p?q=1', ...words)

test('service-upstream: the address of the Service is asked, as it changes; without one its pods are', async () => {
  const [one, two] = gateway.rig.backends
  const at = (clusterIP: string): Service => ({ ...serviceOf('s'), spec: { ...serviceOf('s').spec, clusterIP } })
  const upstream = { 'service-upstream': 'true' }
  const objects = [
    at(two.addresses[4]),
    sliceOf('s', 8001, one),
    ingressOf('itself', 'itself.example', upstream, 's'),
    ingressOf('pods', 'pods.example', {}, 's'),
  ]
  const from = async (name: string): Promise<string> => {
    const { status, body } = await ask(name)
    return status === 200 ? JSON.parse(body).from : String(status)
  }
  await gateway.serving(objects, async () => {
    assert.equal(await from('itself.example'), `${two.name}:80`, trouble())
    assert.equal(await from('pods.example'), `${one.name}:8001`)
    // Nobody listens there at port 80.
    await gateway.change([at(one.addresses[4])])
    assert.equal(await from('itself.example'), '503')
    await gateway.change([at('None')])
    assert.equal(await from('itself.example'), `${one.name}:8001`)
    assert.deepEqual(
      gateway.module.findings.map(({ code, says }) => [code, says]),
      [['AnnotationIgnored', 'Service "s" has no address of its own; its pods are asked']],
    )
  })
})

test('custom-headers: answers have the headers of the ConfigMap, as it changes; what cannot be given is told and nothing is served', async () => {
  const own = (data: Record<string, string>): KubeObject => headersOf('own', 'ns', data)
  const named = (name: string) => ({ 'custom-headers': name })
  const objects = [
    own({ 'X-Frame-Options': 'DENY', 'content-security-policy': 'default-src "self"; a=b' }),
    headersOf('framing', 'ns', { 'Content-Length': '3' }),
    headersOf('lines', 'ns', { 'x-a': 'b\r\nset-cookie: c=d' }),
    headersOf('foreign', 'other', { 'x-a': 'b' }),
    ingressOf('own', 'own.example', named('ns/own'), 'a'),
    ...['framing', 'lines', 'absent', 'other/foreign'].map((name) => {
      const short = name.split('/').at(-1)!
      return ingressOf(short, `${short}.example`, named(name), 'a')
    }),
  ]
  await gateway.serving(objects, async () => {
    const { status, head } = await ask('own.example')
    assert.equal(status, 200, trouble())
    assert.match(head, /x-frame-options: DENY/i)
    assert.match(head, /content-security-policy: default-src "self"; a=b$/im)
    for (const name of ['framing', 'lines', 'absent', 'foreign'])
      assert.equal((await ask(`${name}.example`)).status, 500, name)
    assert.deepEqual(codes(), ['AnnotationNotServed', 'ConfigMapInvalid', 'ConfigMapInvalid', 'ConfigMapMissing'])
    await gateway.change([own({ 'x-other': 'new' }), headersOf('absent', 'ns', { 'x-a': 'b' })])
    const changed = await ask('own.example')
    assert.match(changed.head, /x-other: new/i)
    assert.doesNotMatch(changed.head, /x-frame-options/i)
    assert.match((await ask('absent.example')).head, /x-a: b/i)
    await gateway.change([], [own({})])
    assert.equal((await ask('own.example')).status, 500)
  })
  await gateway.change([], [headersOf('absent', 'ns', {})])
})

test('mirror-target: a Service gets a copy of every request as it came; no copy, no harm', async () => {
  const objects = [
    ingressOf(
      'copied',
      'copied.example',
      { 'mirror-target': 'http://copy.ns.svc.cluster.local$request_uri', 'rewrite-target': '/new' },
      'a',
    ),
    ingressOf('bare', 'bare.example', { 'mirror-target': 'http://copy' }, 'a'),
    ingressOf('gone', 'gone.example', { 'mirror-target': 'http://nobody/$request_uri' }, 'a'),
    ingressOf('outside', 'outside.example', { 'mirror-target': 'https://mirror.example.com/$request_uri' }, 'a'),
    ingressOf('foreign', 'foreign.example', { 'mirror-target': 'http://copy.other.svc' }, 'a'),
  ]
  await gateway.serving(objects, async () => {
    const copied = async (count: number): Promise<void> => {
      while (copies.length < count) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    const answer = await ask('copied.example', '-d', 'a body')
    assert.equal(JSON.parse(answer.body).path, '/new?q=1', trouble())
    await copied(1)
    assert.deepEqual(copies, [{ path: '/p?q=1', method: 'POST', body: 'a body' }])
    for (const name of ['gone', 'outside', 'foreign']) assert.equal((await ask(`${name}.example`)).status, 200, name)
    assert.equal((await ask('bare.example')).status, 200)
    await copied(2)
    assert.deepEqual(copies.at(-1), { path: '/p?q=1', method: 'GET', body: '' })
    assert.equal(copies.length, 2)
    assert.deepEqual(codes(), ['AnnotationIgnored', 'AnnotationNotServed', 'BackendMissing'])
  })
})

test('default-backend, custom-http-errors: a Service answers where no pod is ready, and instead of pods that answer wrongly', async () => {
  const [one, two] = gateway.rig.backends
  const serve = (station: typeof one, port: number, answer: RequestListener): void => {
    const server = createServer(answer).listen({ fd: host.listenTcp(station.namespace, station.addresses[4], port).fd })
    closers.push(() => server.close())
  }
  serve(one, 8011, ({ url = '' }, answer) => {
    answer.writeHead(Number(/s=(\d+)/.exec(url)?.[1] ?? 200), { 'x-own': 'pod' }).end(`pod ${'x'.repeat(20_000)}`)
  })
  serve(two, 8012, ({ headers, method, url }, answer) => {
    const body = JSON.stringify({ method, url, headers })
    answer.writeHead(Number(headers['x-code'] ?? 404), { 'x-page': 'yes' })
    answer.end(headers['x-code'] === '418' ? body.padEnd(30_000) : body)
  })
  const [ready, errors] = [sliceOf('p', 8011, one), sliceOf('pages', 8012, two)]
  const pages = { 'default-backend': 'pages', 'custom-http-errors': '404,418, 503' }
  const objects = [
    ...[serviceOf('p'), ready, serviceOf('pages'), errors],
    ingressOf('paged', 'paged.example', pages, 'p'),
    ingressOf('kept', 'kept.example', { 'default-backend': 'pages' }, 'p'),
    ingressOf('none', 'none.example', { 'custom-http-errors': '404' }, 'p'),
    ingressOf('lost', 'lost.example', { ...pages, 'default-backend': 'nobody' }, 'p'),
  ]
  const words = (status: number): string[] => ['-H', 'accept: text/html', '--url-query', `s=${status}`]
  await gateway.serving(objects, async () => {
    const replaced = await ask('paged.example', ...words(404), '-H', 'x-request-id: known', '-d', 'a body')
    assert.equal(replaced.status, 404, trouble())
    assert.match(replaced.head, /x-page: yes/i)
    assert.doesNotMatch(replaced.head, /x-own|proxy-status/i)
    const told = JSON.parse(replaced.body)
    const { host: asked, 'x-plumb-mirror': mirror, 'x-plumb-method': verb } = told.headers
    assert.deepEqual(
      [told.method, told.url, asked, mirror, verb],
      ['POST', '/?q=1&s=404', 'paged.example', undefined, undefined],
    )
    const of = { 'x-namespace': 'ns', 'x-ingress-name': 'paged', 'x-service-name': 'p', 'x-service-port': '80' }
    const request = { 'x-format': 'text/html', 'x-original-uri': '/p?q=1&s=404', 'x-request-id': 'known' }
    for (const [name, value] of Object.entries({ 'x-code': '404', ...of, ...request }))
      assert.equal(told.headers[name], value, name)
    assert.match((await ask('paged.example', '-I', ...words(503))).head, /^HTTP\/1.1 503.*x-page: yes/is)
    // Other codes, pages that are too long, and Ingresses without pages keep what pods say.
    for (const [name, status] of [
      ['paged', 500],
      ['paged', 418],
      ['paged', 200],
      ['kept', 404],
      ['none', 404],
      ['lost', 404],
    ] as const)
      assert.match(
        (await ask(`${name}.example`, ...words(status))).head,
        new RegExp(`^HTTP/1.1 ${status}.*x-own: pod`, 'is'),
        name,
      )
    assert.deepEqual(codes(), ['AnnotationIgnored', 'BackendMissing'])
    const { reloads } = gateway.module
    await gateway.change([], [ready])
    for (const name of ['paged', 'kept']) {
      const instead = await ask(`${name}.example`, ...words(200))
      assert.equal(instead.status, 503, trouble())
      const { url, headers } = JSON.parse(instead.body)
      assert.deepEqual([url, headers['x-code'], headers['x-service-name']], ['/p?q=1&s=200', '503', 'p'])
    }
    assert.match(
      (await ask('none.example')).head,
      /^HTTP\/1.1 503.*proxy-status: plumb; error=destination_unavailable/is,
    )
    await gateway.change([ready], [errors])
    assert.match((await ask('paged.example', ...words(404))).head, /x-own: pod/i)
    await gateway.change([], [ready])
    assert.match((await ask('kept.example')).head, /proxy-status: plumb; error=destination_unavailable/i)
    assert.equal(gateway.module.reloads, reloads)
  })
})
