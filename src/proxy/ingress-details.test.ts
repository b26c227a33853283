import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { after, before, test } from 'node:test'
import { host } from '../agent/rig.fixture.ts'
import type { KubeObject } from '../objects/index.ts'
import { serviceOf, sliceOf } from './gateway-objects.fixture.ts'
import { ingressOf, plumbClass } from './ingress-objects.fixture.ts'
import { type CurlAnswer, GatewayRig } from './rig.fixture.ts'

let gateway: GatewayRig
const closers: (() => void)[] = []
const asked: IncomingHttpHeaders[] = []
const copies: { host: string | undefined; body: string }[] = []
const cookies = [
  'a=1; Domain=inner.example; Path=/app/x; HttpOnly',
  'b=2; domain=.INNER.example; path=/other',
  'c=3; Domain=else.example',
]

before(async () => {
  gateway = new GatewayRig()
  const [one, two] = gateway.rig.backends
  gateway.serve(one, 8001)
  gateway.serve(two, 8002, ({ headers }, body) => copies.push({ host: headers.host, body }))
  const listen = (port: number, server: ReturnType<typeof createServer>): void => {
    server.listen({ fd: host.listenTcp(one.namespace, one.addresses[4], port).fd })
    closers.push(() => server.close())
  }
  const location = 'http://inner.example/app/next?q=1'
  listen(
    8003,
    createServer((_, answer) => answer.writeHead(302, { location, 'set-cookie': cookies }).end()),
  )
  listen(
    8004,
    createServer(({ headers }, answer) => {
      asked.push(headers)
      answer.writeHead(headers.cookie === 'user=ann' ? 200 : 401).end()
    }),
  )
  const slices = [
    sliceOf('a', 8001, one),
    sliceOf('copy', 8002, two),
    sliceOf('moves', 8003, one),
    sliceOf('auth', 8004, one),
  ]
  await gateway.change([plumbClass, ...['a', 'copy', 'moves', 'auth'].map((name) => serviceOf(name)), ...slices])
})
after(() => {
  for (const close of closers) close()
  return gateway.close()
})

const trouble = (): string => `${gateway.log.lines.join('\n')}\n${JSON.stringify(gateway.module.findings)}`

/** Head and body of what `NAME.example` answers. */
const ask = (name: string, ...words: readonly string[]): Promise<CurlAnswer> =>
  gateway.answer(`${name}.example`, '/p', ...words)

const lines = (head: string, name: string): string[] =>
  head.split('\r\n').flatMap((line) => (line.startsWith(`${name}: `) ? line.slice(name.length + 2) : []))
const faults = (): string[] => gateway.module.findings.map(({ code, object }) => `${object.slice(11)} ${code}`).sort()

test('cookies of sessions: path, domain, SameSite and Secure as told, and the pod is kept', async () => {
  const session = (name: string, more: Record<string, string>) =>
    ingressOf(name, `${name}.example`, { affinity: 'cookie', 'session-cookie-name': 'who', ...more }, 'a')
  const objects = [
    session('plain', {}),
    session('told', {
      'session-cookie-path': '/shop',
      'session-cookie-domain': '.example',
      'session-cookie-samesite': 'strict',
      'session-cookie-secure': 'true',
      'session-cookie-max-age': '60',
    }),
    session('none', { 'session-cookie-samesite': 'None' }),
    session('wrong', { 'session-cookie-path': '/x; Domain=evil.example', 'session-cookie-samesite': 'Perhaps' }),
  ]
  await gateway.serving(objects, async () => {
    const attributes = async (name: string): Promise<string> =>
      lines((await ask(name)).head, 'set-cookie')
        .join()
        .replace(/^who=[^;]+; /, '')
    assert.equal(await attributes('plain'), 'Path=/; HttpOnly; SameSite=Lax', trouble())
    assert.equal(await attributes('told'), 'Path=/shop; Domain=.example; HttpOnly; SameSite=Strict; Secure; Max-Age=60')
    assert.equal(await attributes('none'), 'Path=/; HttpOnly; SameSite=None; Secure')
    assert.equal(await attributes('wrong'), 'Path=/; HttpOnly; SameSite=Lax')
    assert.deepEqual(faults(), ['wrong AnnotationInvalid', 'wrong AnnotationInvalid'])
  })
})

test('answers: the inner address of pods in location and cookies becomes the outer one', async () => {
  const objects = [
    ingressOf('untouched', 'untouched.example', {}, 'moves'),
    ingressOf(
      'outer',
      'outer.example',
      {
        'proxy-redirect-from': 'http://inner.example/app/',
        'proxy-redirect-to': '$scheme://$host/shop/',
        'proxy-cookie-domain': 'inner.example outer.example',
        'proxy-cookie-path': '/app/ /shop/',
      },
      'moves',
    ),
    ingressOf('off', 'off.example', { 'proxy-redirect-from': 'off', 'proxy-cookie-domain': 'off' }, 'moves'),
    ingressOf(
      'default',
      'default.example',
      { 'proxy-redirect-from': 'default', 'proxy-cookie-path': '~^/(.*) /$1' },
      'moves',
    ),
  ]
  await gateway.serving(objects, async () => {
    const said = async (name: string) => {
      const { head } = await ask(name)
      return [...lines(head, 'location'), ...lines(head, 'set-cookie')]
    }
    const plain = ['http://inner.example/app/next?q=1', ...cookies]
    assert.deepEqual(await said('untouched'), plain, trouble())
    assert.deepEqual(await said('off'), plain)
    assert.deepEqual(await said('default'), plain)
    assert.deepEqual(await said('outer'), [
      'http://outer.example/shop/next?q=1',
      'a=1; Domain=outer.example; Path=/shop/x; HttpOnly',
      'b=2; domain=outer.example; path=/other',
      cookies[2],
    ])
    assert.deepEqual(faults(), ['default AnnotationIgnored', 'default AnnotationInvalid'])
  })
})

test('satisfy any: an address or a proof; allowlist-source-range is a fence as its older name is', async () => {
  const url = 'http://auth.ns.svc.cluster.local/verify'
  const fenced = (name: string, range: string, more: Record<string, string>) =>
    ingressOf(name, `${name}.example`, { 'allowlist-source-range': range, ...more }, 'a')
  const own = `${gateway.rig.outsider.addresses[4]}/32`
  const objects = [
    fenced('here', own, { 'auth-url': url, satisfy: 'any' }),
    fenced('away', '192.0.2.0/24', { 'auth-url': url, satisfy: 'any' }),
    fenced('both', own, { 'auth-url': url, satisfy: 'all' }),
    fenced('fence', '192.0.2.0/24', { satisfy: 'any' }),
    fenced('broken', 'everybody', {}),
    ingressOf('denied', 'denied.example', { 'denylist-source-range': own, 'auth-url': url, satisfy: 'any' }, 'a'),
  ]
  await gateway.serving(objects, async () => {
    const proof = ['-H', 'cookie: user=ann']
    const got = async (name: string) => [(await ask(name)).status, (await ask(name, ...proof)).status]
    assert.deepEqual(await got('here'), [200, 200], trouble())
    assert.deepEqual(await got('away'), [401, 200])
    assert.deepEqual(await got('both'), [401, 200])
    assert.deepEqual(await got('fence'), [403, 403])
    assert.deepEqual(await got('broken'), [500, 500])
    assert.deepEqual(await got('denied'), [403, 403])
  })
})

test('copies to another host and without a body; who is asked gets headers of a ConfigMap', async () => {
  const headers = (name: string, data: Record<string, string>) =>
    ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'ns' }, data }) as KubeObject
  const mirror = { 'mirror-target': 'http://copy.ns.svc.cluster.local$request_uri' }
  const auth = { 'auth-url': 'http://auth.ns.svc.cluster.local/verify' }
  const objects = [
    headers('sent', { 'X-Tenant': 'shop', 'x-secret': 'a b' }),
    headers('variable', { 'X-Tenant': '$http_x_tenant' }),
    ingressOf(
      'copied',
      'copied.example',
      { ...mirror, 'mirror-host': 'shadow.example', 'mirror-request-body': 'off' },
      'a',
    ),
    ingressOf('whole', 'whole.example', mirror, 'a'),
    ingressOf('asking', 'asking.example', { ...auth, 'auth-proxy-set-headers': 'ns/sent' }, 'a'),
    ingressOf('variable', 'variable.example', { ...auth, 'auth-proxy-set-headers': 'variable' }, 'a'),
    ingressOf('lost', 'lost.example', { ...auth, 'auth-proxy-set-headers': 'nobody' }, 'a'),
  ]
  await gateway.serving(objects, async () => {
    for (const name of ['copied', 'whole']) {
      copies.length = 0
      const answer = await ask(name, '-d', 'hello')
      assert.equal(JSON.parse(answer.body).from, 'backend-1:8001', trouble())
      while (copies.length === 0) await new Promise(setImmediate)
      const expected =
        name === 'copied' ? { host: 'shadow.example', body: '' } : { host: 'whole.example', body: 'hello' }
      assert.deepEqual(copies, [expected])
    }
    asked.length = 0
    assert.equal((await ask('asking', '-H', 'cookie: user=ann', '-H', 'x-tenant: other')).status, 200, trouble())
    assert.deepEqual([asked[0]?.['x-tenant'], asked[0]?.['x-secret']], ['shop', 'a b'])
    assert.deepEqual([(await ask('variable')).status, (await ask('lost')).status], [500, 500])
    await gateway.change([headers('nobody', { 'x-late': '1' })])
    assert.equal((await ask('lost', '-H', 'cookie: user=ann')).status, 200, 'a ConfigMap that came later')
    assert.equal(asked.at(-1)?.['x-late'], '1')
  })
})
