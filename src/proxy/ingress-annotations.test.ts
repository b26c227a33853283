import assert from 'node:assert/strict'
import { createServer as createTlsServer } from 'node:https'
import { after, before, test } from 'node:test'
import { host } from '../agent/rig.fixture.ts'
import type { KubeObject } from '../objects/index.ts'
import { serviceOf, sliceOf } from './gateway-objects.fixture.ts'
import { GatewayRig, tlsSecret } from './rig.fixture.ts'

let gateway: GatewayRig
const ports: Readonly<Record<string, number>> = { a: 8001, b: 8002, grpc: 8003, tls: 8004 }
const ourClass = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name: 'plumb' },
  spec: { controller: 'plumb.network/gateway' },
}

before(async () => {
  gateway = new GatewayRig()
  const [one, two] = gateway.rig.backends
  for (const name of ['a', 'b']) gateway.serve(one, ports[name]!)
  gateway.serve(two, ports.a!)
  gateway.serveHttp2(one, ports.grpc!)
  const names = Object.keys(ports)
  const objects = names.flatMap((name) => [
    serviceOf(name),
    sliceOf(name, ports[name]!, ...(name === 'a' ? [one, two] : [one])),
  ])
  await gateway.change([ourClass, tlsSecret('secret', 'tls.example', 'tls.example'), ...objects])
})
after(() => gateway.close())

interface Path {
  readonly path: string
  readonly to: string
  readonly type?: string
}

/** An Ingress for one host with annotations of ingress-nginx. */
function ingress(name: string, at: string, annotations: Record<string, string>, paths: readonly Path[], more = {}) {
  const prefixed = Object.entries(annotations).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value])
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'ns', annotations: Object.fromEntries(prefixed) },
    spec: {
      ingressClassName: 'plumb',
      rules: [
        {
          host: at,
          http: {
            paths: paths.map(({ path, to, type = 'Prefix' }) => ({
              path,
              pathType: type,
              backend: { service: { name: to, port: { number: 80 } } },
            })),
          },
        },
      ],
      ...more,
    },
  } as KubeObject
}

interface Answer {
  readonly status: number
  readonly head: string
  readonly from: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

async function ask(url: string, ...words: readonly string[]): Promise<Answer> {
  const { host, protocol } = new URL(url)
  const port = protocol === 'https:' ? 443 : 80
  const said = await gateway.curl('-ik', '--connect-to', `${host}:${port}:203.0.113.1:${port}`, ...words, url)
  const [head = '', body = ''] = said.replace(/^HTTP\/1.1 100 Continue\r\n\r\n/, '').split('\r\n\r\n')
  const status = Number(/^HTTP\/\S+ (\d+)/.exec(head)?.[1])
  const told = status === 200 && body.startsWith('{') ? JSON.parse(body.slice(0, body.lastIndexOf('}') + 1)) : {}
  return { status, head, from: told.from ?? '', path: told.path ?? '', headers: told.headers ?? {} }
}

const trouble = (): string => `${gateway.log.lines.join('\n')}\n${JSON.stringify(gateway.module.findings)}`
const codes = (): string[] => gateway.module.findings.map(({ code }) => code).sort()

test('rewrite-target: groups of a regular expression, or the whole path; x-forwarded-prefix and upstream-vhost', async () => {
  const groups = ingress('groups', 'r.example', { 'use-regex': 'true', 'rewrite-target': '/$2' }, [
    { path: '/api(/|$)(.*)', to: 'a', type: 'ImplementationSpecific' },
  ])
  const whole = ingress(
    'whole',
    'w.example',
    { 'rewrite-target': '/new', 'x-forwarded-prefix': '/old', 'upstream-vhost': 'inner.example' },
    [{ path: '/old', to: 'b' }],
  )
  await gateway.serving([groups, whole], async () => {
    for (const [asked, got] of [
      ['/api', '/'],
      ['/api/', '/'],
      ['/api/x/y?q=1', '/x/y?q=1'],
    ] as const) {
      const answer = await ask(`http://r.example${asked}`)
      assert.deepEqual([answer.status, answer.path], [200, got], `${asked} ${trouble()}`)
    }
    assert.equal((await ask('http://r.example/apis')).status, 404)
    const answer = await ask('http://w.example/old/x?q=1')
    assert.equal(answer.path, '/new?q=1')
    assert.equal(answer.headers.host, 'inner.example')
    assert.equal(answer.headers['x-forwarded-prefix'], '/old')
    assert.equal(answer.from, 'backend-1:8002')
  })
})

test('redirects: to HTTPS, for good, for now, of the root, and between www and the bare name', async () => {
  const tls = { tls: [{ hosts: ['tls.example'], secretName: 'secret' }] }
  const to = [{ path: '/', to: 'a' }]
  const objects = [
    ingress('secure', 'tls.example', { 'ssl-redirect': 'true' }, to, tls),
    ingress('plain', 'plain.example', { 'ssl-redirect': 'true' }, to),
    ingress('forced', 'forced.example', { 'force-ssl-redirect': 'true' }, to),
    ingress('gone', 'gone.example', { 'permanent-redirect': 'https://new.example/x' }, to),
    ingress('moved', 'moved.example', { 'temporal-redirect': 'http://new.example:8080' }, to),
    ingress(
      'coded',
      'coded.example',
      { 'permanent-redirect': 'https://c.example', 'permanent-redirect-code': '308' },
      to,
    ),
    ingress('root', 'root.example', { 'app-root': '/app' }, to),
    ingress('www', 'bare.example', { 'from-to-www-redirect': 'true', 'server-alias': 'other.example' }, to),
  ]
  await gateway.serving(objects, async () => {
    const cases = [
      ['http://tls.example/p?q=1', 308, 'https://tls.example/p?q=1'],
      ['http://plain.example/', 200, undefined],
      ['http://forced.example/x', 308, 'https://forced.example/x'],
      ['http://gone.example/y', 301, 'https://new.example/x'],
      ['http://moved.example/y', 302, 'http://new.example:8080/'],
      ['http://coded.example/y', 308, 'https://c.example/'],
      ['http://root.example/', 302, 'http://root.example/app'],
      ['http://root.example/app', 200, undefined],
      ['http://www.bare.example/x', 308, 'http://bare.example/x'],
      ['http://bare.example/x', 200, undefined],
      ['http://other.example/x', 200, undefined],
      ['https://tls.example/p', 200, undefined],
    ] as const
    for (const [url, status, location] of cases) {
      const answer = await ask(url)
      const got = /^location: (.*?)\r?$/im.exec(answer.head)?.[1]
      assert.deepEqual([answer.status, got], [status, location], `${url} ${trouble()}`)
    }
  })
})

test('fences: addresses that may or may not come, and bodies that are too long', async () => {
  const to = [{ path: '/', to: 'a' }]
  const objects = [
    ingress('allowed', 'allowed.example', { 'whitelist-source-range': '10.0.0.0/8, 203.0.113.0/24' }, to),
    ingress('others', 'others.example', { 'whitelist-source-range': '10.0.0.0/8' }, to),
    ingress('denied', 'denied.example', { 'denylist-source-range': gateway.rig.outsider.addresses[4] }, to),
    ingress('wrong', 'wrong.example', { 'whitelist-source-range': '10.0.0.0/8;everybody' }, to),
    ingress('small', 'small.example', { 'proxy-body-size': '1k' }, to),
  ]
  await gateway.serving(objects, async () => {
    assert.equal((await ask('http://allowed.example/')).status, 200, trouble())
    assert.equal((await ask('http://others.example/')).status, 403)
    const denied = await ask('http://denied.example/')
    assert.equal(denied.status, 403)
    assert.match(denied.head, /proxy-status: plumb; error=http_request_denied/)
    assert.equal((await ask('http://wrong.example/')).status, 500, 'a fence that cannot be read keeps everybody out')
    assert.equal((await ask('http://small.example/', '-d', 'x'.repeat(1024))).status, 200)
    assert.equal((await ask('http://small.example/', '-d', 'x'.repeat(1025))).status, 413)
  })
})

test('CORS as ingress-nginx has it unless told', async () => {
  const object = ingress(
    'cors',
    'cors.example',
    { 'enable-cors': 'true', 'cors-allow-origin': 'https://app.example', 'cors-max-age': '60' },
    [{ path: '/', to: 'a' }],
  )
  await gateway.serving([object], async () => {
    const preflight = ['-X', 'OPTIONS', '-H', 'access-control-request-method: PUT']
    const answer = await ask('http://cors.example/', '-H', 'origin: https://app.example', ...preflight)
    assert.equal(answer.status, 204, trouble())
    assert.match(answer.head, /access-control-allow-origin: https:\/\/app\.example/)
    assert.match(answer.head, /access-control-allow-methods: GET, PUT, POST, DELETE, PATCH, OPTIONS/)
    assert.match(answer.head, /access-control-max-age: 60/)
    const other = await ask('http://cors.example/', '-H', 'origin: https://evil.example', ...preflight)
    assert.doesNotMatch(other.head, /access-control-allow-origin/)
  })
})

test('canaries: by header, by value, by cookie, by weight; without anybody to be a canary of nothing happens', async () => {
  const main = ingress('main', 'c.example', {}, [{ path: '/', to: 'a' }])
  const header = { canary: 'true', 'canary-by-header': 'x-canary', 'canary-by-cookie': 'beta', 'canary-weight': '0' }
  const canary = ingress('canary', 'c.example', header, [{ path: '/', to: 'b' }])
  const half = ingress('half', 'h.example', {}, [{ path: '/', to: 'a' }])
  const weighted = ingress('weighted', 'h.example', { canary: 'true', 'canary-weight': '50' }, [{ path: '/', to: 'b' }])
  const alone = ingress('alone', 'nobody.example', { canary: 'true' }, [{ path: '/', to: 'b' }])
  await gateway.serving([main, canary, half, weighted, alone], async () => {
    const cases = [
      [[], 8001],
      [['-H', 'x-canary: always'], 8002],
      [['-H', 'x-canary: never', '-H', 'cookie: beta=always'], 8001],
      [['-H', 'cookie: z=1; beta=always; y=2'], 8002],
      [['-H', 'cookie: xbeta=always'], 8001],
    ] as const
    for (const [words, port] of cases)
      assert.equal(
        (await ask('http://c.example/', ...words)).from.split(':')[1],
        String(port),
        words.join(' ') + trouble(),
      )
    const agent = gateway.agent(true)
    const seen = { a: 0, b: 0 }
    for (let n = 0; n < 200; n++) seen[(await gateway.ask('h.example', '/', agent)).from.endsWith('8002') ? 'b' : 'a']++
    agent.destroy()
    // Six standard deviations: one run in a billion fails by chance.
    assert.ok(seen.b > 57 && seen.b < 143, JSON.stringify(seen))
    assert.equal((await ask('http://nobody.example/')).status, 404)
    assert.deepEqual(codes(), ['CanaryAlone'])
  })
})

test('what pods are spoken to in: gRPC, TLS without a check; sessions keep their pod; a slow pod is 504', async () => {
  const [one] = gateway.rig.backends
  const { data } = tlsSecret('pod', 'whoever.example', 'whoever.example')
  const read = (name: string): Buffer => Buffer.from(data[name]!, 'base64')
  const server = createTlsServer({ key: read('tls.key'), cert: read('tls.crt') }, (_, answer) => {
    answer.end(JSON.stringify({ from: 'tls' }))
  }).listen({ fd: host.listenTcp(one.namespace, one.addresses[4], ports.tls!).fd })
  const slow = gateway.serve(one, 8005)
  slow.removeAllListeners('request')
  slow.on('request', () => {})
  const to = (name: string) => [{ path: '/', to: name }]
  const objects = [
    serviceOf('slow'),
    sliceOf('slow', 8005, one),
    ingress('grpc', 'grpc.example', { 'backend-protocol': 'GRPC' }, to('grpc')),
    ingress('tls', 'https.example', { 'backend-protocol': 'HTTPS' }, to('tls')),
    ingress('pass', 'pass.example', { 'ssl-passthrough': 'true' }, to('tls')),
    ingress('ended', 'secret.example', {}, to('a'), { tls: [{ hosts: ['secret.example'], secretName: 'secret' }] }),
    ingress('slow', 'slow.example', { 'proxy-read-timeout': '1' }, to('slow')),
    ingress('sticky', 'sticky.example', { affinity: 'cookie', 'session-cookie-name': 'route' }, to('a')),
  ]
  try {
    await gateway.serving(objects, async () => {
      assert.equal((await ask('http://grpc.example/')).from, 'backend-1:8003', trouble())
      assert.equal((await ask('http://https.example/')).from, 'tls')
      const passed = await gateway.curl(
        '-kv',
        '--connect-to',
        'pass.example:443:203.0.113.1:443',
        'https://pass.example/x',
      )
      assert.equal(passed, '{"from":"tls"}')
      assert.equal((await ask('http://pass.example/x')).status, 308)
      assert.match((await ask('https://secret.example/')).head, /^HTTP\/2 200/)
      assert.equal((await ask('http://slow.example/')).status, 504)
      const first = await ask('http://sticky.example/')
      const cookie = /^set-cookie: (route=[^;]+)/im.exec(first.head)?.[1]
      assert.ok(cookie, first.head)
      for (let n = 0; n < 6; n++)
        assert.equal((await ask('http://sticky.example/', '-H', `cookie: ${cookie}`)).from, first.from)
    })
  } finally {
    server.close()
  }
})

test('who counts on a guard that cannot be kept gets 500 and the reason; snippets are refused and the rest is served', async () => {
  const to = [{ path: '/', to: 'a' }]
  const objects = [
    ingress('auth', 'auth.example', { 'auth-url': 'https://elsewhere.example/verify' }, to),
    ingress('basic', 'basic.example', { 'auth-type': 'basic', 'auth-secret': 'users' }, to),
    ingress('snippet', 'snippet.example', { 'configuration-snippet': 'return 200;' }, to),
    ingress('unknown', 'unknown.example', { 'no-such-thing': 'x', 'proxy-body-size': 'huge' }, to),
    ingress('checked', 'checked.example', { 'backend-protocol': 'HTTPS', 'proxy-ssl-verify': 'on' }, to),
  ]
  await gateway.serving(objects, async () => {
    for (const name of ['auth', 'basic', 'checked'])
      assert.equal((await ask(`http://${name}.example/`)).status, 500, name + trouble())
    for (const name of ['snippet', 'unknown']) assert.equal((await ask(`http://${name}.example/`)).status, 200)
    assert.deepEqual(codes(), [
      'AnnotationIgnored',
      'AnnotationInvalid',
      'AnnotationNotServed',
      'AnnotationNotServed',
      'AnnotationRefused',
      'SecretMissing',
    ])
  })
})
